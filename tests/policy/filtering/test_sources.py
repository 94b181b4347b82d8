"""What can be matched per source, how the payload is read, and what a format mismatch does."""

import json
from typing import Any

import pytest

from poller.policy.filtering import PatternError, Verdict, compile_filters
from tests.policy.filtering.kinds import DYNAMODB_RECORDS, KINESIS_RECORDS, RECORDS, SQS_RECORDS

MATCH, NO_MATCH, NOT_JSON = Verdict.MATCH, Verdict.NO_MATCH, Verdict.NOT_JSON
PLAIN, FIELDS, METADATA = {"body": [{"prefix": "a"}]}, {"body": {"k": [1]}}, {"attributes": {"x": ["1"]}}
VIEW = {"attributes": {"x": "1"}, "messageId": "m"}

SQS = {
    "plain body, plain pattern": (PLAIN, "abc", MATCH),
    "plain body, plain pattern that says no": (PLAIN, "cba", NO_MATCH),
    "plain body, no pattern for it": (METADATA, "abc", MATCH),
    "plain body, pattern of fields": (FIELDS, "abc", NOT_JSON),
    "JSON body, plain pattern": ({"body": [{"exists": True}]}, '{"k":1}', NO_MATCH),
    "JSON body, plain pattern of absence": ({"body": [{"exists": False}]}, '{"k":1}', NO_MATCH),
    "JSON body, no pattern for it": (METADATA, '{"k":1}', MATCH),
    "JSON body, pattern of fields": (FIELDS, '{"k":1}', MATCH),
    "JSON body, pattern of fields that says no": (FIELDS, '{"k":2}', NO_MATCH),
    "an array is JSON": (FIELDS, ' \n[{"k":2},{"k":1}]', MATCH),
    "a number is plain text": ({"body": ["5"]}, "5", MATCH),
    "a quoted text is plain text, quotes and all": ({"body": ['"x"']}, '"x"', MATCH),
    "null is plain text": (FIELDS, "null", NOT_JSON),
    "an empty body": (FIELDS, "", NOT_JSON),
    "an empty body, plain pattern": ({"body": [""]}, "", MATCH),
    "absence of a field in plain text": ({"body": {"k": [{"exists": False}]}}, "abc", NOT_JSON),
    "almost JSON": (FIELDS, '{"k":1', NOT_JSON),
    "almost JSON, plain pattern": ({"body": [{"prefix": "{"}]}, '{"k":1', MATCH),
    "JSON with more behind it": (FIELDS, '{"k":1} {"k":1}', NOT_JSON),
    "NaN": (FIELDS, '{"k":1,"x":NaN}', NOT_JSON),
    "Infinity": (FIELDS, '{"k":1,"x":-Infinity}', NOT_JSON),
    "metadata that says no": ({"attributes": {"x": ["2"]}, **FIELDS}, "abc", NO_MATCH),
    "metadata that is missing": ({"nothing": ["2"], **FIELDS}, "abc", NO_MATCH),
    "metadata that must be missing": ({"nothing": [{"exists": False}], **FIELDS}, '{"k":1}', MATCH),
    "metadata and the body": ({**METADATA, **FIELDS}, '{"k":1}', MATCH),
    "either text or fields, text": ({"$or": [PLAIN, FIELDS]}, "abc", MATCH),
    "either text or fields, fields": ({"$or": [PLAIN, FIELDS]}, '{"k":1}', MATCH),
    "either text or fields, neither": ({"$or": [PLAIN, FIELDS]}, "cba", NOT_JSON),
    "text and fields at once is impossible": ({"body": ["{}"], "body.k": [{"exists": False}]}, "{}", NO_MATCH),
    "text and fields of text": ({"body": ["x"], "body.k": [{"exists": False}]}, "x", NO_MATCH),
    "lone surrogates": ({"body": {"k": ["\ud800"]}}, '{"k":"\\ud800"}', MATCH),
    "the last of two equal keys": (FIELDS, '{"k":2,"k":1}', MATCH),
    "a number of thousands of digits": ({"body": {"k": [{"exists": True}]}}, '{"k":' + "1" * 5000 + "}", NOT_JSON),
    "nested beyond reason": (FIELDS, '{"k":1,"x":' + "[" * 100_000 + "]" * 100_000 + "}", NOT_JSON),
}


def fast_parser(text):
    """Like orjson: refuses lone surrogates as well as NaN."""
    if "ud800" in text or "NaN" in text or "Infinity" in text:
        raise ValueError
    return json.loads(text)


@pytest.mark.parametrize("loads", [None, fast_parser])
@pytest.mark.parametrize(("pattern", "body", "expected"), SQS.values(), ids=SQS)
def test_sqs(pattern, body, expected, loads):
    assert compile_filters([pattern], SQS_RECORDS, loads=loads).match(VIEW, body) is expected


def test_the_formats_are_compared_for_each_filter():
    criteria = compile_filters([FIELDS, PLAIN, METADATA], SQS_RECORDS)
    assert criteria.match({}, "abc") is MATCH
    assert criteria.match({}, '{"k":1}') is MATCH
    assert criteria.match({}, '{"k":2}') is NO_MATCH
    assert criteria.match({}, "x") is NOT_JSON
    assert criteria.match(VIEW, "x") is MATCH


KINESIS_VIEW = {"partitionKey": "p", "sequenceNumber": "1"}
KINESIS = {
    "JSON data, pattern of fields": ({"data": {"k": [1]}}, b'{"k":1}', MATCH),
    "JSON data that says no": ({"data": {"k": [1]}}, b'{"k":2}', NO_MATCH),
    "JSON data, none for it": ({"partitionKey": ["p"]}, b'{"k":2}', MATCH),
    "not JSON, pattern of fields": ({"data": {"k": [1]}}, b"abc", NOT_JSON),
    "not UTF-8": ({"data": {"k": [1]}}, b'{"k":1,"x":"\xff"}', NOT_JSON),
    "not JSON, none for it": ({"partitionKey": ["p"]}, b"\xff", MATCH),
    "both": ({"partitionKey": [{"prefix": "p"}], "data": {"k": ["ß"]}}, '{"k":"ß"}'.encode(), MATCH),
    "the kinesis object is not matched": ({"kinesis": {"partitionKey": ["p"]}}, b"", NO_MATCH),
}


@pytest.mark.parametrize(("pattern", "data", "expected"), KINESIS.values(), ids=KINESIS)
def test_kinesis(pattern, data, expected):
    assert compile_filters([pattern], KINESIS_RECORDS).match(KINESIS_VIEW, data) is expected


IMAGE = {"dynamodb": {"NewImage": {"a": {"S": "x"}, "n": {"N": "5"}, "l": {"L": [{"S": "y"}]}}}, "eventName": "INSERT"}
DYNAMODB = {
    "the type is part of the path": ({"dynamodb": {"NewImage": {"a": {"S": ["x"]}}}}, MATCH),
    "without the type nothing matches": ({"dynamodb": {"NewImage": {"a": ["x"]}}}, NO_MATCH),
    "exists is for leaves": ({"dynamodb": {"NewImage": {"a": [{"exists": True}]}}}, NO_MATCH),
    "so every attribute is absent": ({"dynamodb": {"NewImage": {"a": [{"exists": False}]}}}, MATCH),
    "numbers are strings": ({"dynamodb": {"NewImage": {"n": {"N": [{"numeric": [">", 0]}]}}}}, NO_MATCH),
    "numbers as strings": ({"dynamodb": {"NewImage": {"n": {"N": ["5"]}}}}, MATCH),
    "lists are opened": ({"dynamodb": {"NewImage": {"l": {"L": {"S": [{"exists": True}]}}}}}, MATCH),
    "the event's name": ({"eventName": ["INSERT"]}, MATCH),
    "a name, and another that must be missing": ({"eventName": ["INSERT"], "user": [{"exists": False}]}, MATCH),
    "a name that must be missing": ({"eventName": [{"exists": False}]}, NO_MATCH),
    "another name": ({"eventName": ["REMOVE"]}, NO_MATCH),
}


@pytest.mark.parametrize(("pattern", "expected"), DYNAMODB.values(), ids=DYNAMODB)
def test_dynamodb(pattern, expected):
    criteria = compile_filters([pattern], DYNAMODB_RECORDS)
    assert criteria.match(IMAGE) is expected
    assert not criteria.needs_payload


@pytest.mark.parametrize(("kind", "member"), [("kinesis", "data"), ("dynamodb", "dynamodb")])
def test_streams_take_no_plain_pattern_for_what_is_json(kind, member):
    with pytest.raises(PatternError, match=rf"filter 2, {member}: {kind} records have JSON there") as caught:
        compile_filters([{"x": [1]}, {"$or": [{member: ["x"]}, {"y": [1]}]}], RECORDS[kind])
    assert caught.value.where == member


def test_a_payload_nobody_looks_at_is_neither_needed_nor_parsed():
    def explode(_text):
        raise AssertionError

    metadata = compile_filters([METADATA], SQS_RECORDS, loads=explode)
    assert not metadata.needs_payload
    assert metadata.needs_view
    assert metadata.match(VIEW) is MATCH
    both = compile_filters([{**METADATA, **FIELDS}], SQS_RECORDS, loads=explode)
    assert both.needs_payload
    assert both.match({"attributes": {}}, '{"k":1}') is NO_MATCH
    either = compile_filters([METADATA, FIELDS], SQS_RECORDS, loads=explode)
    assert either.match(VIEW, '{"k":1}') is MATCH
    assert compile_filters([FIELDS], SQS_RECORDS).needs_view is False
    assert compile_filters([PLAIN], SQS_RECORDS, loads=explode).match({}, "abc") is MATCH


def test_the_fast_parser_is_asked_unless_it_may_round_numbers_that_are_compared():
    asked = []

    def parser(text):
        asked.append(text)
        return json.loads(text)

    assert compile_filters([{"body": {"k": ["x"]}}], SQS_RECORDS, loads=parser).match({}, '{"k":"x"}') is MATCH
    assert asked == ['{"k":"x"}']
    numeric = compile_filters([{"body": {"a": {"k": [{"numeric": [">", 0]}]}}}], SQS_RECORDS, loads=parser)
    assert numeric.match({}, '{"a":{"k":0.12345678901234567890123}}') is NO_MATCH
    assert numeric.match({}, '{"a":{"k":0.1}}') is MATCH
    assert len(asked) == 2
    for number in ("1e400", "-1.5E3", "2E+0", "1234567890123456789", "0.12345678901234567", "-12345678.123456789"):
        for text in (f'{{"a":{{"k":{number}}}}}', f'{{"a":{{"k": {number}}}}}', f'{{"a":[{{"k":[1,{number}]}}]}}'):
            numeric.match({}, text)
    assert len(asked) == 2
    for number in ("0.12345678901234", "-123456789012.25", "1234567890123456", "1700000000000"):
        assert numeric.match({}, f'{{"a":{{"k":{number}}}}}') is (NO_MATCH if number[0] == "-" else MATCH)
    assert len(asked) == 6


def test_large_numbers_of_a_view_are_compared_as_the_engine_does():
    criteria = compile_filters([{"n": [{"numeric": [">", 0]}]}, {"n": [12345678901234567890]}], DYNAMODB_RECORDS)
    assert criteria.match({"n": 2**53 + 2})
    assert criteria.match({"n": 12345678901234567890})
    assert not criteria.match({"n": 12345678901234567891})
    assert not criteria.match({"n": 10**400})
    assert compile_filters([{"n": [{"anything-but": "x"}]}], DYNAMODB_RECORDS).match({"n": 2**53 + 2})


def test_values_that_json_does_not_know_are_present_and_equal_nothing():
    assert compile_filters([{"n": [{"exists": True}]}], DYNAMODB_RECORDS).match({"n": b"x"})
    assert not compile_filters([{"n": ["x"]}], DYNAMODB_RECORDS).match({"n": b"x"})


def test_what_the_interpreter_cannot_follow_is_not_json():
    value: Any = {"b": 1}
    for _ in range(3000):
        value = [1, value]
    mixed = compile_filters([{"a": [1], "a.b": [1]}], DYNAMODB_RECORDS)
    assert mixed.match({"a": value}) is NOT_JSON
    assert compile_filters([{"a": {"b": [1]}}], DYNAMODB_RECORDS).match({"a": value}) is MATCH


def test_only_a_match_is_true():
    assert [bool(verdict) for verdict in (MATCH, NO_MATCH, NOT_JSON)] == [True, False, False]
