"""What a member says of its failures to another one: small, and read whatever it is."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poller.policy.failures import Failure, FailureGroup, FailureGroups
from poller.policy.failures_told import LONGEST_TEXT, MOST_SAID, Of, read, said
from poller.policy.waiting import LONGEST_AGO

NOW = 1_800_000_000.0
OF = Of("u", "orders", "ship")


def groups(*failures: Failure) -> list[tuple[Of, FailureGroup]]:
    found = FailureGroups(most=1000)
    for number, one in enumerate(failures):
        found.add(one, "shard-0", number - 100.0)
    return [(OF, group) for group in found.newest_first()]


def passed_on(found: list[tuple[Of, FailureGroup]]) -> Any:
    return read(json.loads(json.dumps(said(found, lambda at: NOW + at))), NOW)


KEY = Failure("KeyError", "no 4711", 10, 3, "104", "r-1", logs="Traceback")
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def other(number: int) -> Failure:
    """A cause of its own."""
    return Failure("E", LETTERS[number // 26] + LETTERS[number % 26], 1, 1, None)


def test_another_member_reads_what_was_said():
    told = passed_on(groups(KEY, Failure("KeyError", "no 4712", 1, 1, "105", None)))
    [(of, group)] = told.groups
    assert (of, told.more, group.error, group.template) == (OF, 0, "KeyError", "no #")
    assert (group.count, group.records) == (2, 4)
    assert (group.first.at, group.first.text, group.first.request_id) == (NOW - 100, "no 4711", "r-1")
    assert (group.last.at, group.last.first, group.last.request_id) == (NOW - 99, "105", None)
    assert (group.smallest.records, group.smallest.partition) == (1, "shard-0")


def test_the_most_frequent_causes_are_said_and_the_others_counted():
    often = other(MOST_SAID + 5)
    told = passed_on(groups(*map(other, range(MOST_SAID + 5)), often, often))
    assert (len(told.groups), told.more) == (MOST_SAID, 6)
    assert told.groups[0][1].template == often.text


def test_what_is_said_stays_small():
    long = [Failure("Error" * 100, f"{other(number).text} " + "wörd " * 400, 1, 1, "9" * 1000) for number in range(99)]
    answer = said(groups(*long), lambda at: at)
    assert len(json.dumps(answer)) < 60_000
    assert all(len(one["last"]["text"]) <= LONGEST_TEXT for one in answer["groups"])
    assert answer["groups"][0]["last"]["first"] is None, "a name is said whole or not at all"


WRITTEN = said(groups(KEY), lambda at: NOW + at)["groups"][0]


@pytest.mark.parametrize("answer", [None, 3, [], {}, {"groups": 3}, {"refused": "of another version"}])
def test_another_answer_is_none(answer: Any):
    assert read(answer, NOW) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("uuid", ""),
        ("count", -1),
        ("records", True),
        *((name, value) for name in ("first", "last", "smallest") for value in (None, {}, {"records": 1})),
        ("last", {**WRITTEN["last"], "at": NOW + 2 * LONGEST_AGO}),
    ],
)
def test_a_cause_that_has_not_the_right_form_is_left_out(name: str, value: Any):
    told = read({"groups": [{**WRITTEN, name: value}, None, WRITTEN], "more": -1}, NOW)
    assert told is not None
    assert (len(told.groups), told.more) == (1, 0)


def test_the_clock_of_another_member_may_be_ahead_and_no_more_is_read_than_would_be_said():
    ahead = {**WRITTEN, "last": {**WRITTEN["last"], "at": NOW + 60}, "error": 3}
    told = read({"groups": [ahead] * 1000, "more": 7}, NOW)
    assert told is not None
    assert (len(told.groups), told.more) == (MOST_SAID, 7)
    assert (told.groups[0][1].last.at, told.groups[0][1].error) == (NOW, "")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*WRITTEN, *WRITTEN["last"]]) | st.text(), inner),
)


@given(JSON | st.fixed_dictionaries({"groups": st.lists(JSON) | JSON, "more": JSON}))
def test_whatever_is_answered_is_read_without_an_error_and_can_be_said_again(answer: Any):
    told = read(answer, NOW)
    again = None if told is None else said(list(told.groups), lambda at: at)
    assert (again is None) == (not isinstance(answer, dict) or not isinstance(answer.get("groups"), list))


@given(st.fixed_dictionaries({name: st.just(value) | JSON for name, value in WRITTEN.items()}))
def test_whatever_a_cause_has_what_is_read_of_it_is_read_again(one: Any):
    told = read({"groups": [one]}, NOW)
    assert told is not None
    assert passed_on([(of, group) for of, group in told.groups]) is not None
