"""Which patterns are accepted, and what is said about those that are not."""

import json
from datetime import date
from typing import Any

import pytest

from poller.policy.filtering import PatternError, compile_filters
from tests.policy.filtering.kinds import SQS_RECORDS

# pattern, where, a piece of the reason
REFUSED = {
    "empty text": ("", "", "it is empty"),
    "not JSON": ("{", "", "not JSON: Expecting property name"),
    "text after the pattern": ('{"a":[1]} x', "", "not JSON: Extra data at line 1, column 11"),
    "null": ("null", "", "not null"),
    "a string": ('"a"', "", "not a string"),
    "a list": ("[1]", "", "not a list"),
    "a number": ("1.5", "", "not a number"),
    "no text at all": (None, "", "not null"),
    "an empty object": ("{}", "", "an empty object"),
    "an empty object inside": ('{"a":{"b":{}}}', "a.b", "an empty object"),
    "an empty list": ('{"a":{"b":[]}}', "a.b", "an empty list"),
    "a leaf that is no list": ('{"eventSource":"aws:sqs"}', "eventSource", 'not a string: write ["aws:sqs"]'),
    "a number that is no list": ('{"a":12345678901234567890}', "a", "not a number: write [12345678901234567890]"),
    "a list in a list": ('{"a":["x",[1]]}', "a[1]", "a list inside a list"),
    "NaN": ('{"a":[NaN]}', "", "NaN is not JSON"),
    "unknown operator": ('{"a":[{"prefx":"x"}]}', "a[0]", "did you mean 'prefix'?"),
    "unknown operator, nothing near": ('{"a":["x",{"q":1}]}', "a[1]", "known are prefix, suffix"),
    "no operator": ('{"a":[{}]}', "a[0]", "exactly one operator, here: none"),
    "two operators": ('{"a":[{"prefix":"x","suffix":"y"}]}', "a[0]", "here: prefix, suffix"),
    "prefix of a number": ('{"a":[{"prefix":3}]}', "a[0].prefix", "needs a string"),
    "prefix of another operator": ('{"a":[{"prefix":{"suffix":"x"}}]}', "a[0].prefix", "not 'suffix'"),
    "suffix of two operators": ('{"a":[{"suffix":{"equals-ignore-case":"x","b":1}}]}', "a[0].suffix", "exactly one"),
    "suffix, ignoring the case of a list": (
        '{"a":[{"suffix":{"equals-ignore-case":["x"]}}]}',
        "a[0].suffix",
        "needs a string",
    ),
    "ignoring the case of a number": ('{"a":[{"equals-ignore-case":5}]}', "a[0].equals-ignore-case", "needs a string"),
    "exactly a number": ('{"a":[{"exactly":33}]}', "a[0].exactly", "needs a string"),
    "exists as text": ('{"a":[{"exists":"true"}]}', "a[0].exists", "needs true or false"),
    "exists as a number": ('{"a":[{"exists":0}]}', "a[0].exists", "needs true or false"),
    "wildcard of a number": ('{"a":[{"wildcard":5}]}', "a[0].wildcard", "needs a string"),
    "two stars": ('{"a":[{"wildcard":"a**b"}]}', "a[0].wildcard", "two wildcard characters in a row at position 1"),
    "a backslash before a letter": ('{"a":[{"wildcard":"a\\\\b"}]}', "a[0].wildcard", "a backslash at position 1"),
    "a backslash at the end": ('{"a":[{"wildcard":"ab\\\\"}]}', "a[0].wildcard", "a backslash at position 2"),
    "cidr of a number": ('{"a":[{"cidr":10}]}', "a[0].cidr", "needs a string"),
    "cidr without mask": ('{"a":[{"cidr":"10.0.0.0"}]}', "a[0].cidr", "address/bits"),
    "cidr of no address": ('{"a":[{"cidr":"snorkle/3"}]}', "a[0].cidr", "'snorkle' is not an IP address"),
    "cidr with a bad mask": ('{"a":[{"cidr":"10.0.0.0/-1"}]}', "a[0].cidr", "'-1' is not a whole number"),
    "cidr of one address": ('{"a":[{"cidr":"10.0.0.0/32"}]}', "a[0].cidr", "IPv4 mask bits must be below 32"),
    "cidr of one IPv6 address": ('{"a":[{"cidr":"::/128"}]}', "a[0].cidr", "IPv6 mask bits must be below 128"),
    "numeric without list": ('{"a":[{"numeric":5}]}', "a[0].numeric", "needs a list such as"),
    "numeric, empty": ('{"a":[{"numeric":[]}]}', "a[0].numeric", "needs a list such as"),
    "numeric of text": ('{"a":[{"numeric":["=","5"]}]}', "a[0].numeric[1]", "needs a number"),
    "numeric of true": ('{"a":[{"numeric":["=",true]}]}', "a[0].numeric[1]", "needs a number"),
    "numeric, unknown sign": ('{"a":[{"numeric":["!=",5]}]}', "a[0].numeric", "comparisons are"),
    "numeric, equal and less": ('{"a":[{"numeric":["=",5,"<",6]}]}', "a[0].numeric", "comparisons are"),
    "numeric, upper bound first": ('{"a":[{"numeric":["<",5,">",1]}]}', "a[0].numeric", "lower bound first"),
    "numeric, two lower bounds": ('{"a":[{"numeric":[">",5,">",1]}]}', "a[0].numeric", "lower bound first"),
    "numeric, empty range": ('{"a":[{"numeric":[">=",5,"<=",5]}]}', "a[0].numeric", "5 is not below the upper bound 5"),
    "numeric, no upper number": ('{"a":[{"numeric":[">",5,"<",null]}]}', "a[0].numeric[3]", "needs a number"),
    "numeric, too exact": ('{"a":[{"numeric":["=",12345678901234567890]}]}', "a[0].numeric[1]", "cannot be compared"),
    "numeric, too large": ('{"a":[{"numeric":[">",0,"<",1e400]}]}', "a[0].numeric[3]", "1e400 cannot be compared"),
    "anything-but null": ('{"a":[{"anything-but":null}]}', "a[0].anything-but", "needs strings or numbers"),
    "anything-but nothing": ('{"a":[{"anything-but":[]}]}', "a[0].anything-but", "needs strings or numbers"),
    "anything-but both kinds": ('{"a":[{"anything-but":["x",1]}]}', "a[0].anything-but", "one or a list of one kind"),
    "anything-but true": ('{"a":[{"anything-but":[true]}]}', "a[0].anything-but", "needs strings or numbers"),
    "anything-but a list": ('{"a":[{"anything-but":[[1]]}]}', "a[0].anything-but", "needs strings or numbers"),
    "anything-but, too exact": ('{"a":[{"anything-but":[1e400]}]}', "a[0].anything-but", "cannot be compared"),
    "anything-but numeric": (
        '{"a":[{"anything-but":{"numeric":["=",1]}}]}',
        "a[0].anything-but",
        "cannot negate 'numeric'",
    ),
    "anything-but two": ('{"a":[{"anything-but":{"prefix":"x","suffix":"y"}}]}', "a[0].anything-but", "exactly one"),
    "anything-but an empty prefix": (
        '{"a":[{"anything-but":{"prefix":["x",""]}}]}',
        "a[0].anything-but.prefix",
        "an empty string",
    ),
    "anything-but no prefix": ('{"a":[{"anything-but":{"prefix":[]}}]}', "a[0].anything-but", "an empty list"),
    "anything-but a numeric suffix": (
        '{"a":[{"anything-but":{"suffix":1}}]}',
        "a[0].anything-but.suffix",
        "needs a string",
    ),
    "anything-but a bad wildcard": (
        '{"a":[{"anything-but":{"wildcard":"**"}}]}',
        "a[0].anything-but.wildcard",
        "two wildcard",
    ),
    "$or of an object": ('{"$or":{"b":[1]}}', "$or", "at least two objects"),
    "$or of one": ('{"a":{"$or":[{"b":[1]}]}}', "a.$or", "at least two objects"),
    "$or of a list": ('{"$or":[{"b":[1]},[1]]}', "$or[1]", "every branch is an object, not a list"),
    "$or of nothing": ('{"$or":[{"b":[1]},{}]}', "", "an empty object"),
    "an operator as field": ('{"$or":[{"prefix":["x"]},{"b":[1]}]}', "prefix", "is an operator"),
    "an operator as field, deeper": ('{"$or":[{"b":[1]},{"a":{"cidr":["x"]}}]}', "a.cidr", "is an operator"),
    "true as field": ('{"a":true}', "a", "not true or false: write [true]"),
}


@pytest.mark.parametrize(("pattern", "where", "reason"), REFUSED.values(), ids=REFUSED)
def test_says_where_and_why(pattern, where, reason):
    with pytest.raises(PatternError) as caught:
        compile_filters(['{"a":[1]}', pattern], SQS_RECORDS)
    error = caught.value
    assert str(error).startswith("Invalid filter pattern definition. filter 2")
    assert error.index == 1
    assert error.where.startswith(where)
    assert bool(error.where) is bool(where)
    assert reason in str(error)


def test_an_empty_list_is_no_filter_and_lets_everything_pass():
    criteria = compile_filters([], SQS_RECORDS)
    assert criteria.match({}, "not JSON")
    assert not criteria.needs_payload
    assert not criteria.needs_view
    assert criteria.top_level_keys == frozenset()


def test_a_mapping_has_at_most_five_filters():
    assert compile_filters(['{"a":[1]}'] * 5, SQS_RECORDS)
    with pytest.raises(PatternError, match=r"^Invalid filter pattern definition\. 6 filters; a mapping has at most 5$"):
        compile_filters(['{"a":[1]}'] * 6, SQS_RECORDS)


def pattern_of(length):
    return '{"a":["' + "x" * (length - 10) + '"]}'


def test_a_pattern_has_at_most_4096_characters():
    assert compile_filters([pattern_of(4096)], SQS_RECORDS)
    with pytest.raises(PatternError, match=r"4,097 characters; a pattern has at most 4,096"):
        compile_filters([pattern_of(4097)], SQS_RECORDS)


def test_a_plain_pattern_is_measured_as_compact_json():
    assert compile_filters([json.loads(pattern_of(4096))], SQS_RECORDS)
    with pytest.raises(PatternError, match="4,097 characters"):
        compile_filters([json.loads(pattern_of(4097))], SQS_RECORDS)
    assert compile_filters([{"a": ["ß" * 4086]}], SQS_RECORDS)


def test_a_plain_pattern_means_what_its_json_means():
    pattern = {"body": {"a": ("x", 5), "$or": [{"b": [{"numeric": [">", 0.5]}]}, {"c": [None, True]}]}}
    for body, expected in (('{"a":5,"b":1}', True), ('{"a":"x","c":true}', True), ('{"a":5,"c":false}', False)):
        assert bool(compile_filters([pattern], SQS_RECORDS).match({}, body)) is expected
        assert bool(compile_filters([json.dumps(pattern)], SQS_RECORDS).match({}, body)) is expected


@pytest.mark.parametrize(
    ("pattern", "where", "reason"),
    [
        ({"a": {True: ["x"]}}, "a", "the key True is not text; put it in quotes"),
        ({"a": ["x", date(2026, 1, 2)]}, r"a\[1\]", "2026-01-02 is a date, not JSON; put it in quotes"),
        ({"a": [float("nan")]}, "", "NaN is not JSON"),
        ({"a": [10**5000]}, "", "at most 4,096|characters|digits|nested"),
        ({"a": b"x"}, "a", "bytes"),
    ],
)
def test_a_plain_pattern_must_be_json(pattern, where, reason):
    with pytest.raises(PatternError, match=reason) as caught:
        compile_filters([pattern], SQS_RECORDS)
    assert caught.match(where)


def test_a_plain_pattern_that_contains_itself_is_refused():
    endless: dict[str, Any] = {"a": ["x"]}
    endless["b"] = endless
    with pytest.raises(PatternError, match="4,096"):
        compile_filters([endless], SQS_RECORDS)


def test_deep_patterns_are_judged_and_deeper_ones_refused():
    deep = '{"a":' * 600 + "[1]" + "}" * 600
    criteria = compile_filters([f'{{"body":{deep}}}'], SQS_RECORDS)
    assert criteria.match({}, deep.replace("[1]", "1"))
    assert not criteria.match({}, deep.replace("[1]", "2"))
    with pytest.raises(PatternError, match="nested too deeply"):
        compile_filters(["[" * 4000], SQS_RECORDS)
    nested: Any = ["x"]
    for _ in range(1500):
        nested = {"a": nested}
    with pytest.raises(PatternError, match="nested too deeply"):
        compile_filters([nested], SQS_RECORDS)


def test_the_last_of_two_equal_keys_wins():
    criteria = compile_filters(['{"body":{"a":[1],"a":[2],"b":{"c":[1]},"b":{"d":[1]}}}'], SQS_RECORDS)
    assert criteria.match({}, '{"a":2,"b":{"d":1}}')
    assert not criteria.match({}, '{"a":1,"b":{"c":1,"d":1}}')


def test_the_later_condition_on_one_field_replaces_the_earlier():
    branches = '"$or":[{"a":[2]},{"b":[3]}]'
    first = compile_filters([f'{{"body":{{"a":[1],{branches}}}}}'], SQS_RECORDS)
    assert first.match({}, '{"a":2}')
    last = compile_filters([f'{{"body":{{{branches},"a":[1]}}}}'], SQS_RECORDS)
    assert not last.match({}, '{"a":2}')
    assert last.match({}, '{"a":1}')


def test_or_may_nest_and_stand_at_any_level():
    inner = {"$or": [{"c": [3]}, {"d": [4]}]}
    criteria = compile_filters([{"body": {"x": {"$or": [{"a": [1], **inner}, {"b": [2]}]}, "e": [5]}}], SQS_RECORDS)
    for body, expected in (
        ({"x": {"a": 1, "c": 3}, "e": 5}, True),
        ({"x": {"a": 1, "d": 4}, "e": 5}, True),
        ({"x": {"b": 2}, "e": 5}, True),
        ({"x": {"a": 1}, "e": 5}, False),
        ({"x": {"c": 3}, "e": 5}, False),
        ({"x": {"b": 2}, "e": 6}, False),
    ):
        assert bool(criteria.match({}, json.dumps(body))) is expected, body


def test_fields_around_an_or_agree_on_the_array_element():
    criteria = compile_filters([{"body": {"x": {"k": [0], "$or": [{"a": [1]}, {"b": [2]}]}}}], SQS_RECORDS)
    assert criteria.match({}, '{"x":[{"k":1,"a":1},{"k":0,"b":2}]}')
    assert not criteria.match({}, '{"x":[{"k":0},{"b":2}]}')


def test_combinations_of_or_are_bounded():
    ten = [{f"f{number}": [1]} for number in range(10)]
    several = {f"n{number}": {"$or": ten} for number in range(3)}
    assert compile_filters([{"body": several}], SQS_RECORDS).match({}, '{"n0":{"f1":1},"n1":{"f2":1},"n2":{"f9":1}}')
    several["n3"] = {"$or": ten[:2]}
    with pytest.raises(PatternError, match="more than 1,000 combinations"):
        compile_filters([{"body": several}], SQS_RECORDS)


def test_names_the_members_it_looks_at():
    criteria = compile_filters(
        [{"body": ["x"], "attributes": {"b": [1]}}, {"$or": [{"c.d": [1]}, {"e": [1]}]}], SQS_RECORDS
    )
    assert criteria.top_level_keys == {"body", "attributes", "c", "e"}
