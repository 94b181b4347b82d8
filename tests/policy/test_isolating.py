"""A person gives up the records of one key in a batch that fails."""

import pytest

from poller.policy.impacts import hand_over_impact, isolate_impact, which_key
from tests.policy.test_actions import waiting
from tests.policy.test_stream_delivery import batch, failed_until_one_waits, machine, ok, play


@pytest.mark.parametrize(
    ("given_up", "played"),
    [
        ("2", ["invoke 1", "settle 1", "IsolatedByHand 1 2", "invoke 3 4", "settle 3 4"]),
        ("1 3", ["IsolatedByHand 1 1", "invoke 2", "settle 2", "IsolatedByHand 1 3", "invoke 4", "settle 4"]),
        ("1 2 3 4", ["IsolatedByHand 1 1 2 3 4"]),
        ("9", ["invoke 1 2 3 4", "settle 1 2 3 4"]),
    ],
)
def test_runs_of_records_are_given_up_and_the_others_pass_in_order(given_up, played):
    delivery = machine(batch("1 2 3 4"))
    delivery.isolate(lambda record: record.identifier in given_up.split())
    assert play(delivery, *[ok()] * sum(one.startswith("invoke") for one in played)) == played


def test_only_the_part_at_hand_is_meant_and_it_stays_so_over_a_restart():
    delivery = failed_until_one_waits()
    delivery.isolate(lambda record: record.identifier in ("1", "2"))
    again = machine(batch("1 2 3"))
    assert again.restore(delivery.snapshot())
    assert play(again, ok()) == ["IsolatedByHand 1 1", "invoke 2 3", "settle 2 3"]


@pytest.mark.parametrize(
    ("count", "destination", "said"),
    [
        (2, "arn:failed", "2 records with the key k of 3 records"),
        (2, "arn:failed", "arn:failed gets an invocation record of them, one for each unbroken run, with"),
        (2, "arn:failed", "Then the other one is tried at once, as if it had never failed"),
        (2, None, "the account counts them as dropped, and only the source may have them still"),
        (2, None, "without those that are given up here"),
        (1, None, "1 record with the key k"),
        (1, None, "the account counts it as dropped, and only the source may have it still. Then the other 2 are"),
        (1, "arn:failed", "arn:failed gets an invocation record of it, with"),
        (1, None, "without the one that is given up here"),
        (3, None, "Then the lane goes on"),
    ],
)
def test_the_impact_says_what_is_given_up_and_what_goes_on(count, destination, said):
    assert said in isolate_impact(waiting(), "k", count, destination)


def test_a_batch_for_another_function_is_one_try():
    assert "fixed is invoked at once with 3 records" in hand_over_impact(waiting(), "fixed", "own")


def test_the_keys_of_a_batch_are_named_up_to_a_bound():
    assert which_key([("a", 2), ("b", 1)]).endswith("given up: a (2), b (1)")
    assert which_key([(str(number), 1) for number in range(12)]).endswith("9 (1) and 2 more")
