"""What members say of their batches: within bounds, whole names only, and nothing that is read can do harm."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poller.policy.impacts import Batch
from poller.policy.waiting import (
    LARGEST_COUNT,
    LONGEST_AGO,
    LONGEST_NAME,
    LONGEST_TEXT,
    MOST_BATCHES,
    MOST_CHARACTERS,
    MOST_KEYS,
    MOST_OF_MAPPING,
    OVERHEAD,
    Waiting,
    in_turn,
    read,
    row,
)

NOW = 1_800_000_000.0
BATCH = Batch("shard-0", 1, 3, "100", "102", "attempt 2 of 5", discards=True, awaiting=False, seconds=None)
ONE = Waiting(BATCH, "retry", "it failed", NOW - 60, NOW + 30, (("a", 2), ("b", 1)), ("failed", "retry"))


def waiting(partition: str = "shard-0", lane: int = 1, *, first: str | None = "100", since: float = NOW) -> Waiting:
    batch = replace(BATCH, partition=partition, lane=lane, first=first, last=first)
    return replace(ONE, batch=batch, since=since)


def passed_on(*found: Waiting, total: int | None = None) -> tuple[list[Waiting], int]:
    """As another member reads it."""
    said = row([("u", one) for one in found], {"u": len(found) if total is None else total})
    return read(json.loads(json.dumps(said))["u"], NOW)


def test_another_member_reads_what_was_said() -> None:
    closing = Waiting(replace(BATCH, first=None, last=None, records=0), "destination", "no", None, None)
    assert passed_on(ONE, closing) == ([ONE, closing], 0)


def test_times_are_told_by_whole_seconds_and_read_by_another_clock() -> None:
    [found], _ = passed_on(replace(ONE, since=NOW - 60.4, next_try=None))
    assert (found.since, found.next_try) == (NOW - 60, None)
    assert (found.at(5.0).since, found.at(5.0).next_try) == (NOW - 55, None)
    [ahead], _ = passed_on(replace(ONE, since=NOW + 60))
    assert ahead.since == NOW


def test_the_oldest_record_is_told_as_instants() -> None:
    old = replace(ONE, oldest=NOW - 3600.4, expires=NOW + 60.4)
    [found], _ = passed_on(old)
    assert (found.oldest, found.expires) == (NOW - 3600, NOW + 60)
    assert (found.at(5.0).oldest, found.at(5.0).expires) == (NOW - 3595, NOW + 65)
    [ahead], _ = passed_on(replace(ONE, oldest=NOW + 60))
    assert (ahead.oldest, ahead.expires) == (NOW, None)


def test_an_oldest_record_whose_age_is_measured_a_little_otherwise_is_the_same() -> None:
    said, now = replace(ONE, oldest=NOW, expires=NOW + 60), replace(ONE, oldest=NOW + 0.9, expires=NOW + 60.9)
    assert now.as_steady_as(said, 1.0) == said
    assert replace(now, expires=None).as_steady_as(said, 1.0) == replace(said, expires=None)
    for other in (replace(said, oldest=NOW - 1), ONE, None):
        assert now.as_steady_as(other, 1.0) is now
    assert ONE.as_steady_as(said, 1.0) is ONE


def test_each_mapping_has_its_turn_before_any_has_a_second_one() -> None:
    found = {"u1": [1, 2, 3], "u2": [4], "u3": [*range(MOST_OF_MAPPING + 5)]}
    turns = [*in_turn(found)]
    assert turns[:6] == [("u1", 1), ("u2", 4), ("u3", 0), ("u1", 2), ("u3", 1), ("u1", 3)]
    assert turns[-1] == ("u3", MOST_OF_MAPPING - 1)


def test_those_that_are_not_said_are_counted() -> None:
    found = [("u", waiting(lane=lane)) for lane in range(MOST_BATCHES + 5)]
    said = row(found, {"u": 1000, "v": 2})
    assert [one["lane"] for one in said["u"]["batches"]] == [*range(MOST_BATCHES)]
    assert (said["u"]["more"], said["v"]) == (1000 - MOST_BATCHES, {"batches": [], "more": 2})


def test_a_row_stays_small_whatever_its_names_are() -> None:
    long = [waiting(f"shard-{lane}" + "x" * 200, lane, first="1" * LONGEST_NAME) for lane in range(MOST_OF_MAPPING)]
    found = {f"u{number}": [replace(one, text="word " * 1000) for one in long] for number in range(10)}
    said = row([*in_turn(found)], dict.fromkeys(found, MOST_OF_MAPPING))
    listed = [one for of in said.values() for one in of["batches"]]
    assert 0 < len(listed) < MOST_BATCHES
    assert all(len(of["batches"]) + of["more"] == MOST_OF_MAPPING for of in said.values())
    assert len(json.dumps(said)) <= 2 * MOST_CHARACTERS


@pytest.mark.parametrize("first", ["1" * (LONGEST_NAME + 1), "nul\0", "half \ud800", ""])
def test_a_batch_that_no_order_could_name_is_only_counted(first: str) -> None:
    assert passed_on(waiting(first=first), waiting(partition=first)) == ([], 2)


def test_texts_are_cut_and_have_nothing_that_a_database_refuses() -> None:
    batch = replace(BATCH, last="nul\0", tried="tried\0twice")
    text = "Error\n  in \0 half \ud800 " + "word " * 1000
    keys = (("nul\0", 1), *((f"key {number}", 1) for number in range(MOST_KEYS + 1)))
    [found], _ = passed_on(replace(ONE, batch=batch, text=text, keys=keys))
    assert found.text.startswith("Error in ? half ? word")
    assert found.text.endswith("word…")
    assert len(found.text) <= LONGEST_TEXT
    assert (found.batch.last, found.batch.tried) == (BATCH.first, "tried?twice")
    assert [key for key, _ in found.keys] == [f"key {number}" for number in range(MOST_KEYS)]


WRITTEN = row([("u", ONE)], {"u": 1})["u"]["batches"][0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            (name, value)
            for name in ("partition", "first", "last")
            for value in (3, "", "x" * 1000, None if name == "partition" else 0, "\0")
        ),
        *((name, value) for name in ("lane", "records") for value in (None, -1, True, 1.5, "1", 10**400)),
    ],
)
def test_a_batch_that_has_not_the_right_form_is_left_out(name: str, value: object) -> None:
    assert read({"batches": [{**WRITTEN, name: value}, WRITTEN]}, NOW) == ([ONE], 0)


def test_what_is_not_needed_of_a_batch_may_be_missing_or_nonsense() -> None:
    bare = {"partition": "p", "lane": 0, "records": 0}
    nothing = Waiting(Batch("p", 0, 0, None, None, "", discards=False, awaiting=False, seconds=None), "", "")
    nonsense = {
        "tried": 1,
        "discards": 1,
        "awaiting": "yes",
        "code": [],
        "causes": [3, "\0", "x" * 99],
        "text": {},
        "keys": [[], ["a", -1], "ab", 3],
    }
    for since in (True, "soon", NOW + 2 * LONGEST_AGO, 10**400, float("nan"), float("-inf")):
        times = dict.fromkeys(("since", "next_try", "oldest", "expires"), since)
        found = read({"batches": [bare, {**bare, **nonsense, **times}, None], "more": -1}, NOW)
        assert found == ([nothing, nothing], 0)
    assert read({"batches": [{**bare, "code": "x" * 1000, "keys": 7, "causes": 7}], "more": LARGEST_COUNT}, NOW) == (
        [nothing],
        LARGEST_COUNT,
    )


def test_no_more_is_read_than_would_be_said() -> None:
    found, more = read({"batches": [WRITTEN] * 1000, "more": 10**400}, NOW)
    assert (len(found), more) == (MOST_OF_MAPPING, 0)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*WRITTEN]) | st.text(), inner),
)


@given(JSON | st.fixed_dictionaries({"batches": st.lists(JSON) | JSON, "more": JSON}))
def test_whatever_a_row_has_is_read_without_an_error_and_can_be_said_again(said: object) -> None:
    found, more = read(said, NOW)
    again, left = read(row([("u", one) for one in found], {"u": len(found) + more})["u"], NOW)
    assert [one.batch for one in again] == [one.batch for one in found][: len(again)]
    assert len(again) + left == len(found) + more


@given(st.fixed_dictionaries({name: st.just(value) | JSON for name, value in WRITTEN.items()}))
def test_whatever_a_batch_has_what_is_read_of_it_is_bounded(one: object) -> None:
    found, _ = read({"batches": [one]}, NOW)
    for said in found:
        assert len(json.dumps(row([("u", said)], {"u": 1}))) <= OVERHEAD + 6 * (4 + MOST_KEYS) * LONGEST_NAME
