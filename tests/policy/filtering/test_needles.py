"""What is ruled out without parsing never matches, and what matches is never ruled out, however JSON spells it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poller.policy.filtering import Verdict, compile_filters
from tests.policy.filtering.kinds import KINESIS_RECORDS, RECORDS, SQS_RECORDS
from tests.policy.filtering.strategies import EVENTS, PATTERNS


def needles_of(pattern, kind="sqs"):
    needles = compile_filters(pattern if isinstance(pattern, list) else [pattern], RECORDS[kind]).needles
    return None if needles is None else list(needles.words)


WORDS = {
    "a text": ({"body": {"kind": ["order"]}}, ['"order"']),
    "several texts": ({"body": {"kind": ["order", "refund"]}}, ['"order"', '"refund"']),
    "a prefix has no end": ({"body": {"kind": [{"prefix": "ord"}]}}, ['"ord']),
    "the field with the fewest texts": ({"body": {"a": ["one1", "two2"], "b": ["three"]}}, ['"three"']),
    "no text, the longest name": ({"body": {"ab": {"total": [{"numeric": [">", 1]}]}}}, ["total"]),
    "a name of names": ({"body": {"a.total": [1]}}, ["total"]),
    "short texts are everywhere": ({"body": {"kind": ["a"]}}, ["kind"]),
    "a suffix": ({"body": {"kind": [{"suffix": "order"}]}}, ["kind"]),
    "any case": ({"body": {"kind": [{"equals-ignore-case": "order"}]}}, ["kind"]),
    "an address": ({"body": {"kind": ["10.0.0.1"]}}, ["kind"]),
    "a text or a number": ({"body": {"kind": ["order", 5]}}, ["kind"]),
    "a text that JSON may escape": ({"body": {"kind": ["a/b/c"]}}, ["kind"]),
    "a name that JSON may escape": ({"body": {'a"b': ["one1"], "c": [1]}}, ['"one1"']),
    "either branch": ({"$or": [{"body": {"a": ["one1"]}}, {"body": {"b": ["two2"]}}]}, ['"one1"', '"two2"']),
    "what may be missing needs nothing": ({"body": {"kind": [{"exists": False}, "order"]}}, None),
    "beside what may be missing": ({"body": {"x": [{"exists": False}], "kind": ["order"]}}, ['"order"']),
    "a plain body": ({"body": ["order"]}, None),
    "names that cannot be looked for": ({"body": {"/": [1]}}, None),
    "too many": ({"body": {"kind": [f"text {number}" for number in range(9)]}}, None),
    "metadata alone is not asked": ([{"messageId": ["m"]}, {"body": {"kind": ["order"]}}], ['"order"']),
    "metadata only": ({"messageId": ["m"]}, None),
}


@pytest.mark.parametrize(("pattern", "words"), WORDS.values(), ids=WORDS)
def test_the_words_a_pattern_needs(pattern, words):
    assert needles_of(pattern) == words


def test_records_of_tables_have_no_payload():
    assert needles_of({"dynamodb": {"Keys": {"id": {"S": ["order"]}}}}, "dynamodb") is None


def test_metadata_that_matches_is_enough():
    criteria = compile_filters([{"messageId": ["m"]}, {"body": {"kind": ["order"]}}], SQS_RECORDS)
    assert criteria.match({"messageId": "m"}, "{}") is Verdict.MATCH
    assert criteria.match({"messageId": "n"}, "{}") is Verdict.NO_MATCH


def spelt(text, chance):
    """JSON with some characters of its strings as escapes."""
    shown, inside = [], False
    for character in text:
        inside ^= character == '"'
        escapes = inside and character.isalnum() and chance.random() < 0.2
        shown.append(f"\\u{ord(character):04x}" if escapes and ord(character) < 0x10000 else character)
    return "".join(shown)


@given(PATTERNS, EVENTS, st.booleans(), st.randoms(use_true_random=False), st.sampled_from(["sqs", "kinesis"]))
def test_parsed_or_not_the_verdict_is_the_same(pattern, event, ascii_only, chance, kind):
    member = {"sqs": "body", "kinesis": "data"}[kind]
    looking, parsing = (compile_filters([{member: pattern}], RECORDS[kind]) for _ in range(2))
    parsing.needles = None
    text = json.dumps(event, ensure_ascii=ascii_only)
    for shown in (text, spelt(text, chance), f" {text}\n"):
        payload = shown if kind == "sqs" else shown.encode("utf-8", "surrogatepass")
        assert looking.match({}, payload) is parsing.match({}, payload)


@pytest.mark.parametrize("kind", ["sqs", "kinesis"])
@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ('{"kind": "other"}', Verdict.NO_MATCH),
        ('{"kind": "\\u006frder"}', Verdict.MATCH),
        ('{"kind": "orde\\"r"}', Verdict.NO_MATCH),
        ('{"kind": "Ordnung"}', Verdict.NO_MATCH),
        ("order", Verdict.NOT_JSON),
        ("other", Verdict.NOT_JSON),
        ('{"kind": "other"', Verdict.NOT_JSON),
        ('{"kind": "order"', Verdict.NOT_JSON),
        ("", Verdict.NOT_JSON),
    ],
)
def test_what_does_not_look_like_json_is_still_told_apart(kind, payload, expected):
    criteria = compile_filters([{{"sqs": "body", "kinesis": "data"}[kind]: {"kind": ["order"]}}], RECORDS[kind])
    assert criteria.match({}, payload if kind == "sqs" else payload.encode()) is expected


def test_words_beyond_ascii_are_found_in_bytes():
    criteria = compile_filters([{"data": {"kind": ["Größe 😀"]}}], KINESIS_RECORDS)
    for ascii_only in (True, False):
        assert criteria.match({}, json.dumps({"kind": "Größe 😀"}, ensure_ascii=ascii_only).encode())
    assert not criteria.match({}, '{"kind": "Grösse"}'.encode())
