import json

import pytest

from poller.policy.actions import Action, Asked, HandOver, Isolate, Retry, Skip, Stage
from poller.policy.impacts import Batch
from poller.policy.passed_on import (
    LONGEST_LINE,
    MOST_LINES,
    Did,
    Order,
    Refused,
    all_of,
    names_one,
    nobody,
    read_order,
    read_outcome,
    several,
)

ANN = Asked("ann", "page", "why not")
BATCH = Batch("shard 1", 0, 2, "1", "2", "tried once", discards=True, awaiting=False, seconds=3.5)
ACTION = Action("id", 1.0, "u", "orders", "skip", "Given up.", "ann", "page", "why not", Stage.DONE)


def sent(value):
    """As it comes from the store."""
    return json.loads(json.dumps(value))


@pytest.mark.parametrize(
    "order",
    [
        Retry("shard 1", 0, "1", reset_attempts=True),
        Skip("shard 1", drop=True),
        Isolate(key="k", drop=True),
        HandOver(lane=3, function="other"),
    ],
)
@pytest.mark.parametrize("dry_run", [True, False])
def test_an_order_arrives_as_it_was_sent(order, dry_run):
    whole = Order("u", order, ANN, dry_run)
    assert read_order(sent(whole.json())) == whole


@pytest.mark.parametrize(
    "outcome",
    [Did(("It is done.",), BATCH, ACTION), Did(("It would be.",)), Refused("no"), Refused("none", (BATCH,))],
)
def test_an_outcome_arrives_as_it_was_sent(outcome):
    assert read_outcome(sent(outcome.json())) == outcome


def test_what_goes_between_members_is_bounded():
    long = "word " * 1000
    assert len(sent(Did((long,) * 50).json())["impact"]) == MOST_LINES + 1
    assert all(len(line) <= LONGEST_LINE for line in sent(Did((long,)).json())["impact"])
    assert len(sent(Refused(long).json())["refused"]) <= LONGEST_LINE


GOOD = Order("u", Retry(), ANN, True).json()


@pytest.mark.parametrize(
    "given",
    [
        None,
        [],
        "x",
        {},
        {**GOOD, "order": "explode"},
        {**GOOD, "order": ["retry"]},
        {**GOOD, "given": {"later": 1}},
        {**GOOD, "given": None},
        {**GOOD, "asked": 7},
    ],
)
def test_an_order_of_another_version_is_not_understood(given):
    with pytest.raises(ValueError, match="the order is not understood"):
        read_order(given)


@pytest.mark.parametrize(
    "given",
    [
        None,
        7,
        [],
        {},
        {"refused": "x"},
        {"refused": "x", "held": [{}]},
        {"impact": None, "batch": None, "action": None},
        {"impact": [], "batch": 7, "action": None},
        {"impact": [], "batch": None, "action": {"stage": "explodes"}},
        {"impact": [], "batch": None, "action": {"stage": "done", "later": 1}},
    ],
)
def test_an_answer_of_another_version_is_not_understood(given):
    with pytest.raises(ValueError):  # noqa: PT011  (of any kind of unreadable answer)
        read_outcome(given)


def test_the_impact_of_very_many_batches_is_cut_and_says_so():
    lines = tuple(f"batch {number}" for number in range(MOST_LINES + 5))
    told = read_outcome(sent(Did(lines).json()))
    assert isinstance(told, Did)
    assert told.impact == (*lines[:MOST_LINES], "And 5 more batches.")


def test_an_order_means_one_batch_of_the_fleet_where_it_names_partition_and_lane():
    assert names_one(Skip("shard 1", 0))
    assert not names_one(Skip("shard 1"))
    assert not names_one(Skip(lane=0, first="1"))


def test_a_retry_is_what_all_members_did_and_names_those_that_did_not_answer():
    one, other, none = Did(("one",), BATCH, ACTION), Did(("other",), BATCH), Refused("no batch waits", ())
    assert all_of(Retry(), [none, one], []) == one
    assert all_of(Retry(), [one, none, other], []) == Did(("one", "other"), None, ACTION)
    silent = all_of(Retry(), [one], ["c", "d"])
    assert isinstance(silent, Did)
    assert silent.impact[-1] == "c, d did not answer in time; what waits there may be tried or not."
    assert all_of(Retry(), [none], []) == none


def test_why_no_member_does_it_is_the_reason_that_says_most():
    none, held, about = Refused("none", ()), Refused("none such", (BATCH,)), Refused("its key is not in the batch")
    assert nobody(Skip(), [none, none], []) == none
    assert nobody(Skip(), [none, held, about], []) == about
    found = nobody(Skip(first="9"), [none, held], ["c"])
    assert found.why.startswith("the batch that was shown has moved on; what waits now: 2 records, 1 to 2 of shard 1")
    assert found.why.endswith("; c did not answer in time")


def test_a_batch_on_each_of_two_members_is_too_many():
    assert several([Did((), BATCH), Did((), BATCH)]).why.startswith("2 batches wait, so say which")
