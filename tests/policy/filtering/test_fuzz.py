"""Anything at all, as a pattern and as an event, ends in an answer or in the one error."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poller.policy.filtering import Filter, PatternError, Verdict, compile_filters, explain
from tests.policy.filtering.kinds import RECORDS, SQS_RECORDS

KINDS = ["sqs", "kinesis", "dynamodb"]
WORDS = ["a", "b", "body", "data", "dynamodb", "$or", "a.b", "", ".", "prefix", "suffix", "anything-but", "numeric"]
WORDS += [
    "exists",
    "wildcard",
    "cidr",
    "equals-ignore-case",
    "exactly",
    "x*y",
    "**",
    "\\",
    "10.0.0.0/8",
    "::1",
    "=",
    ">",
]
WORDS += ["<", "\ud800", "ß", "😀", "\x00", "null", "{", '{"a":1}', "NaN"]
NUMBERS = [0, 1, -1, 5, 0.1, 1e300, 10**19, 10**400, 2**53 + 1, float("nan"), float("inf"), 12345678901234567890]


def anything(chance, depth=0):
    dice = chance.random()
    if dice < (0.55 if depth else 0.95) and depth < 5:
        return {chance.choice(WORDS): anything(chance, depth + 1) for _ in range(chance.randint(0, 3))}
    if dice < 0.8 and depth < 7:
        return [anything(chance, depth + 1) for _ in range(chance.randint(0, 3))]
    return chance.choice([*WORDS, *NUMBERS, True, False, None])


def almost_a_pattern(chance, depth=0):
    """Mostly valid, so that matching gets its share."""
    if chance.random() < 0.05:
        return anything(chance, depth)
    if depth > 3 or chance.random() < 0.4 * depth:
        return [chance.choice([*WORDS, *NUMBERS, None, operator(chance), operator(chance)])]
    made = {chance.choice(WORDS[:6]): almost_a_pattern(chance, depth + 1) for _ in range(chance.randint(1, 3))}
    if "$or" in made:
        made["$or"] = [almost_a_pattern(chance, depth + 1) for _ in range(2)]
    return made


def operator(chance):
    text, number = chance.choice(WORDS), chance.choice(NUMBERS[:6])
    return chance.choice(
        [
            {"prefix": text},
            {"suffix": {"equals-ignore-case": text}},
            {"anything-but": [text]},
            {"anything-but": {"wildcard": text}},
            {"numeric": [">", number]},
            {"numeric": [">", number, "<", chance.choice(NUMBERS)]},
            {"exists": chance.choice([True, False])},
            {"cidr": text},
            {text: number},
        ]
    )


def try_once(chance):
    pattern = chance.choice([anything, almost_a_pattern])(chance)
    if chance.random() < 0.3:
        pattern = json.dumps(pattern)[: chance.choice([None, None, 40])]
    kind = chance.choice(KINDS)
    event = {name: anything(chance, 1) for name in WORDS[:6]}
    payload = chance.choice([json.dumps(anything(chance)), json.dumps(event), "plain", b"\xff\xfe", b'{"a":["x"]}'])
    try:
        criteria = compile_filters([pattern], RECORDS[kind])
    except PatternError:
        return False
    assert isinstance(criteria, Filter)
    verdict = criteria.match(event, payload)
    clauses = explain(criteria, event, payload)
    assert verdict in Verdict
    assert clauses
    assert bool(verdict) or not all(clause.holds for clause in clauses)
    return True


def test_random_patterns_and_events_end_in_an_answer_or_the_one_error():
    chance = random.Random(5)
    compiled = sum(try_once(chance) for _ in range(1000))
    assert 100 < compiled < 900


@pytest.mark.slow
def test_a_hundred_thousand_random_patterns_and_events():
    chance = random.Random(6)
    assert sum(try_once(chance) for _ in range(100_000)) > 10_000


@given(st.text(max_size=200), st.sampled_from(KINDS))
def test_any_text_that_is_no_object_is_refused(text, kind):
    with pytest.raises(PatternError, match=r"^Invalid filter pattern definition\. filter 2") as caught:
        compile_filters(['{"a":[1]}', "[" + text], RECORDS[kind])
    assert caught.value.index == 1


@given(st.one_of(st.text(max_size=200), st.binary(max_size=200)))
def test_any_payload_is_judged(payload):
    criteria = compile_filters([{"body": {"a": [1]}}, {"body": ["x", {"wildcard": "*y"}]}], SQS_RECORDS)
    assert criteria.match({}, payload) in Verdict
