"""The words in which a person reads what an order would do, and which batch it means."""

from typing import Any

import pytest

from poller.policy.actions import LONGEST_TEXT, Pause, Retry, Skip, effect, what_of
from poller.policy.impacts import Batch, no_batch, retry_impact, skip_impact, too_many


def waiting(**values):
    given: Any = {"partition": "shard-1", "lane": 2, "records": 3, "first": "10", "last": "12", "tried": "retry 4 of 5"}
    return Batch(**given | {"discards": True, "awaiting": False, "seconds": 41.4} | values)


def test_orders_have_the_names_of_their_paths():
    assert [what_of(order) for order in (Pause(), Retry(), Skip())] == ["pause", "retry", "skip"]


@pytest.mark.parametrize(
    ("order", "fits"),
    [
        (Skip(), True),
        (Skip("shard-1", 2, "10"), True),
        (Skip("shard-2"), False),
        (Skip(lane=0), False),
        (Skip(first="11"), False),
    ],
)
def test_an_order_means_the_batches_that_it_describes(order, fits):
    assert waiting().fits(order) is fits


@pytest.mark.parametrize(
    ("batch", "name"),
    [
        ({}, "3 records, 10 to 12 of shard-1"),
        ({"records": 1}, "1 record, 10 of shard-1"),
        ({"first": None}, "the closing call of a window of shard-1"),
    ],
)
def test_a_batch_is_named_by_its_records(batch, name):
    assert waiting(**batch).name == name


@pytest.mark.parametrize(
    ("batch", "order", "said"),
    [
        ({}, Retry(), "fn is invoked at once instead of in 41 s with 3 records, 10 to 12 of shard-1."),
        ({"seconds": None}, Retry(), "fn is invoked at once with 3 records, 10 to 12 of shard-1."),
        ({}, Retry(reset_attempts=True), "Its attempts begin anew"),
        ({"awaiting": True}, Retry(), "The on-failure destination is asked at once"),
        ({"awaiting": True}, Retry(reset_attempts=True), "fn is invoked at once"),
    ],
)
def test_a_retry_says_what_is_tried(batch, order, said):
    assert said in retry_impact(waiting(**batch), order, "fn")


def test_an_entry_of_the_log_keeps_how_the_action_ended_and_cuts_its_impact_at_a_word():
    impact = "count-clicks is invoked with one record alone. " * 40
    kept = effect(impact, "It stopped: KeyError; 1 record taken: 0 done, 1 failed again, 0 left, 0 gone.")
    assert kept.endswith("… It stopped: KeyError; 1 record taken: 0 done, 1 failed again, 0 left, 0 gone.")
    assert impact.startswith(kept.partition("… ")[0] + " ")
    assert len(kept) <= LONGEST_TEXT
    assert effect("It is paused.") == "It is paused."
    assert len(effect(impact, impact)) <= LONGEST_TEXT


def test_of_a_queue_no_attempts_are_reset():
    assert "anew" not in retry_impact(waiting(discards=False), Retry(reset_attempts=True), "fn")


@pytest.mark.parametrize(
    ("order", "destination", "said"),
    [
        (Skip(), "arn:dlq", "arn:dlq gets an invocation record"),
        (Skip(drop=True), "arn:dlq", "counts it as dropped"),
        (Skip(), None, "counts it as dropped"),
    ],
)
def test_a_skip_says_where_the_records_go(order, destination, said):
    assert said in skip_impact(waiting(), order, destination)


def test_an_order_that_means_no_batch_or_several_is_told_which_there_are():
    assert "no batch waits" in no_batch(Retry(), [])
    assert no_batch(Skip(), [], "1 message is back") == "no batch is held here: 1 message is back"
    assert no_batch(Retry("shard-7"), [waiting()]) == (
        "no such batch waits; what waits now: 3 records, 10 to 12 of shard-1, lane 2"
    )
    assert no_batch(Retry(first="9"), [waiting()]).startswith("the batch that was shown has moved on")
    assert too_many([waiting(), waiting(lane=0)]).startswith("2 batches wait, so say which")
