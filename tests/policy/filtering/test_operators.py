"""What each operator accepts, value by value."""

import json

import pytest

from poller.policy.filtering import Verdict, compile_filters
from tests.policy.filtering.kinds import SQS_RECORDS

HUGE = "12345678901234567890"

# operator or value, what it accepts, what it does not; all as JSON texts of the field
CASES = {
    "a string": ('"x"', ['"x"', '["y","x"]', '[["x"]]'], ['"X"', '"xx"', "1", "null", "{}", "[]", '{"b":"x"}']),
    "an empty string": ('""', ['""'], ["null", '" "', "[]"]),
    "a string is never a number": ('"300"', ['"300"'], ["300"]),
    "a number by value": ("300", ["300", "300.0", "3.0e2", "3E+2", "[1,300]"], ['"300"', "301", "true"]),
    "zero has no sign": ("0", ["0", "-0", "-0.0", "0e5"], ["false", "null", '""']),
    "a fraction": ("0.1", ["0.1", "0.10", "1e-1"], ["0.10000000000000001", "0.11"]),
    "a number no float holds, by its text": (HUGE, [HUGE], ["12345678901234567891", "1.2345678901234567890e19"]),
    "a long fraction by its text": ("0.1234567890123456789", ["0.1234567890123456789"], ["0.12345678901234568"]),
    "beyond all exponents": ("0", ["0e9"], ["0e99999999999999999999", "1e-99999999999999999999"]),
    "beyond all floats": ("1e400", ["1e400"], ["1e401", "1.0e400"]),
    "a large number that a float does hold": ("9007199254740994", ["9007199254740994", "9.007199254740994e15"], ["0"]),
    "true": ("true", ["true"], ['"true"', "1", "false"]),
    "false": ("false", ["false"], ["0", "null", '""']),
    "null": ("null", ["null", "[null]"], ['"null"', "0", "[]", "{}"]),
    "an address in any spelling": ('"::1"', ['"::1"', '"0:0:0:0:0:0:0:1"'], ['"::2"', '"x"', '":::1"']),
    "an IPv4 address": ('"10.0.0.1"', ['"10.0.0.1"', '"010.0.0.01"', '"::ffff:a00:1"'], ['"10.0.0.10"', '"10.0.0.1 "']),
    "almost an address": ('"10.0.0.300"', ['"10.0.0.300"'], ['"10.0.0.44"']),
    "exactly": ('{"exactly":"x"}', ['"x"'], ['"y"', "1"]),
    "prefix": ('{"prefix":"ab"}', ['"ab"', '"abc"'], ['"a"', '"Ab"', '"cab"', "1", "null"]),
    "prefix of nothing": ('{"prefix":""}', ['""', '"q"'], ["1", "null", "true"]),
    "suffix": ('{"suffix":"ab"}', ['"ab"', '"cab"'], ['"b"', '"aB"', '"abc"', "1"]),
    "suffix of nothing": ('{"suffix":""}', ['""', '"q"'], ["1"]),
    "equals-ignore-case": ('{"equals-ignore-case":"aBc"}', ['"abc"', '"ABC"', '"aBc"'], ['"abcd"', '"ab"', "1"]),
    "ignoring case of ß": ('{"equals-ignore-case":"ß"}', ['"ß"', '"SS"'], ['"ss"', '"s"']),
    "ignoring case makes no ß": ('{"equals-ignore-case":"ss"}', ['"SS"', '"sS"'], ['"ß"']),
    "ignoring case of signs": ('{"equals-ignore-case":"😀.*"}', ['"😀.*"'], ['"😀.x"']),
    "prefix, ignoring case": ('{"prefix":{"equals-ignore-case":"aß"}}', ['"Aßq"', '"aSSq"'], ['"a"', '"ass"', "1"]),
    "suffix, ignoring case": ('{"suffix":{"equals-ignore-case":"ßa"}}', ['"qßA"', '"SSa"'], ['"a"', '"ssa"', '"ßab"']),
    "wildcard": ('{"wildcard":"a*b*c"}', ['"abc"', '"axxbyyc"', '"abbc"'], ['"ac"', '"abcd"', '"xabc"', "1", "null"]),
    "wildcard over one letter twice": ('{"wildcard":"a*a"}', ['"aa"', '"aba"'], ['"a"']),
    "wildcard, middle not found": ('{"wildcard":"a*bb*c"}', ['"abbc"'], ['"abc"', '"abc bb"']),
    "wildcard alone": ('{"wildcard":"*"}', ['""', '"x"', '"a\\nb"'], ["1", "null"]),
    "wildcard without star": ('{"wildcard":"ab"}', ['"ab"'], ['"a"', '"abc"']),
    "wildcard, escaped": ('{"wildcard":"a\\\\*\\\\\\\\*"}', ['"a*\\\\"', '"a*\\\\x"'], ['"ax\\\\"', '"a*"']),
    "anything-but a string": (
        '{"anything-but":"x"}',
        ['"y"', '"X"', "1", "null", "true", '["x","y"]'],
        ['"x"', "[]", "{}"],
    ),
    "anything-but strings": ('{"anything-but":["x","y"]}', ['"z"', '["x","z"]'], ['"x"', '"y"', '["x","y"]']),
    "anything-but a number": ('{"anything-but":5}', ["6", '"5"', "null", HUGE], ["5", "5.0", "[5]"]),
    "anything-but numbers": ('{"anything-but":[5,6]}', ["7", "5.5"], ["5", "6.0"]),
    "anything-but a prefix": ('{"anything-but":{"prefix":"a"}}', ['"b"', '""', "1", "null"], ['"a"', '"ab"']),
    "anything-but prefixes": ('{"anything-but":{"prefix":["a","b"]}}', ['"c"'], ['"ax"', '"bx"']),
    "anything-but a suffix": ('{"anything-but":{"suffix":["a","bc"]}}', ['"b"', '"c"', "true"], ['"a"', '"xbc"']),
    "anything-but, ignoring case": ('{"anything-but":{"equals-ignore-case":["a","b"]}}', ['"c"', "1"], ['"A"', '"b"']),
    "anything-but a wildcard": ('{"anything-but":{"wildcard":["*/x/*","*.j"]}}', ['"/x"', "1"], ['"/x/"', '"a.j"']),
    "numeric =": ('{"numeric":["=",5]}', ["5", "5.0", "0.5e1"], ['"5"', "5.1", "null", "true"]),
    "numeric <": ('{"numeric":["<",5]}', ["4.9", "-1e300"], ["5", "6", '"4"']),
    "numeric <=": ('{"numeric":["<=",5]}', ["5", "4"], ["5.001"]),
    "numeric >": ('{"numeric":[">",5]}', ["5.1", "1e300"], ["5", "4", HUGE, "0.12345678901234567890123e5"]),
    "numeric >=": ('{"numeric":[">=",5]}', ["5", "6"], ["4.999"]),
    "numeric, open below": ('{"numeric":[">",0,"<=",5]}', ["0.1", "5"], ["0", "5.1", "-1"]),
    "numeric, open above": ('{"numeric":[">=",0,"<",5]}', ["0", "4.9"], ["5", "-0.1"]),
    "exists": ('{"exists":true}', ["null", "false", '""', "[0]", '[{},"x"]'], ["{}", "[]", '{"b":1}', "[{}]"]),
    "does not exist": ('{"exists":false}', ["{}", "[]", '{"b":1}', "[[],{}]"], ["null", "false", '""', "[0]"]),
    "cidr": ('{"cidr":"10.0.0.5/24"}', ['"10.0.0.0"', '"10.0.0.255"'], ['"10.0.1.0"', '"9.255.255.255"', '"x"', "10"]),
    "cidr of everything": (
        '{"cidr":"0.0.0.0/0"}',
        ['"0.0.0.0"', '"255.255.255.255"'],
        ['"::"', '"256.0.0.0"', '"1.2.3"'],
    ),
    "cidr, IPv6": ('{"cidr":"2001:db8::/32"}', ['"2001:db8::"', '"2001:DB8:ffff::1"'], ['"2001:db9::"', '"10.0.0.1"']),
    "cidr, broken addresses": (
        '{"cidr":"::/0"}',
        ['"::"', '"1:2:3:4:5:6:7::"'],
        [
            '"1::2::3"',
            '"1::2:3:4:5:6:7:8"',
            '"1:2:3:4:5:6:7:8:9"',
            '"::12345"',
            '"' + "1:" * 20 + '"',
            '"1:2"',
            '"12345::"',
            '":"',
        ],
    ),
}


@pytest.mark.parametrize(("operator", "accepted", "refused"), CASES.values(), ids=CASES)
def test_accepts_and_refuses(operator, accepted, refused):
    criteria = compile_filters([f'{{"body":{{"a":[{operator}]}}}}'], SQS_RECORDS)
    for value in accepted:
        assert criteria.match({}, f'{{"a":{value}}}') is Verdict.MATCH, value
    for value in refused:
        assert criteria.match({}, f'{{"a":{value}}}') is Verdict.NO_MATCH, value


@pytest.mark.parametrize(("operator", "accepted", "refused"), CASES.values(), ids=CASES)
def test_a_missing_field_satisfies_only_absence(operator, accepted, refused):
    criteria = compile_filters([f'{{"body":{{"a":[{operator}]}}}}'], SQS_RECORDS)
    assert bool(criteria.match({}, '{"b":1}')) == (operator == '{"exists":false}')


def test_tests_of_one_list_are_alternatives():
    criteria = compile_filters([{"body": {"a": ["x", {"prefix": "y"}, 5, {"exists": False}]}}], SQS_RECORDS)
    for body in ('{"a":"x"}', '{"a":"yes"}', '{"a":5}', "{}"):
        assert criteria.match({}, body), body
    assert not criteria.match({}, '{"a":6}')


def test_many_wildcards_at_once_accept_what_each_alone_accepts():
    wildcards = ["*a*b*", "a*", "*c", "ab", "*", "", "x*y*z", "*aa*aa*", "b*b", "\\**"]
    texts = ["", "a", "ab", "aab", "xyz", "xaybz", "aaaa", "aaa", "bb", "b", "c", "abc", "*c", "zzz"]
    for wanted in wildcards:
        alone = compile_filters([{"body": {"a": [{"wildcard": wanted}]}}], SQS_RECORDS)
        rest = [{"anything-but": {"wildcard": other}} for other in wildcards]
        among = compile_filters(
            [{"body": {"a": [{"wildcard": wanted}], "b": rest, "c": ["never", *rest]}}], SQS_RECORDS
        )
        many = [{"wildcard": f"{other}#{number}"} for number, other in enumerate(wildcards) if not other.endswith("\\")]
        crowd = compile_filters([{"body": {"a": [*many, {"wildcard": wanted}]}}], SQS_RECORDS)
        for text in texts:
            body = json.dumps({"a": text, "b": 1, "c": 1})
            assert alone.match({}, body) is among.match({}, body) is crowd.match({}, body), (wanted, text)


def test_wildcards_forget_their_states_without_forgetting_answers(monkeypatch):
    monkeypatch.setattr("poller.policy.filtering.wildcard._MOST_STATES", 3)
    criteria = compile_filters(
        [{"body": {"a": [{"wildcard": f"*{letter}{letter}*"} for letter in "abcdef"]}}], SQS_RECORDS
    )
    for _ in range(2):
        for text in ("abcdefff", "aa", "abab", "xeexbb", ""):
            expected = any(letter * 2 in text for letter in "abcdef")
            assert bool(criteria.match({}, json.dumps({"a": text}))) is expected


def test_negations_forget_answers_without_changing_them(monkeypatch):
    monkeypatch.setattr("poller.policy.filtering.values._MOST_ANSWERS", 1)
    criteria = compile_filters(
        [{"body": {"a": [{"anything-but": "x"}], "b": [{"anything-but": {"prefix": "p"}}]}}], SQS_RECORDS
    )
    for _ in range(2):
        assert criteria.match({}, '{"a":"y","b":"q"}')
        assert not criteria.match({}, '{"a":"x","b":"q"}')
        assert not criteria.match({}, '{"a":"y","b":"pq"}')
