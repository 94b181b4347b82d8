"""Inner records of an aggregate in a batch: they share the sequence number a function knows them by."""

from tests.policy.test_stream_delivery import BISECT, PARTIAL, batch, broken, machine, naming, ok, play


def test_what_is_named_of_an_aggregate_is_all_its_inner_records():
    delivery = machine(batch("9 10:0 10:1 10 11"), **PARTIAL)
    steps = play(delivery, naming("10"), ok())
    assert steps == ["invoke 9 10:0 10:1 10 11", "settle 9", "invoke 10:0 10:1 10 11", "settle 10:0 10:1 10 11"]
    delivery = machine(batch("9 10:0 10:1 10 11"), **PARTIAL)
    delivery.next_step(0.0)
    delivery.report(naming("10"), 0.0, lambda: 0.5)
    assert delivery.failed == 3


def test_a_batch_that_begins_inside_an_aggregate_fails_whole_when_that_is_named():
    delivery = machine(batch("10:4 10 11"), **PARTIAL, maximum_retry_attempts=0)
    assert play(delivery, naming("10", "11")) == ["invoke 10:4 10 11", "RetryAttemptsExhausted 1 10:4 10 11"]


def test_a_bisect_may_cut_inside_an_aggregate():
    delivery = machine(batch("10:0 10:1 10:2 10"), **BISECT, maximum_retry_attempts=0)
    steps = play(delivery, broken(), ok(), broken(), broken(), ok())
    assert steps[:3] == ["invoke 10:0 10:1 10:2 10", "invoke 10:0 10:1", "settle 10:0 10:1"]
    assert steps[3:] == [
        "invoke 10:2 10",
        "invoke 10:2",
        "RetryAttemptsExhausted 1 10:2",
        "invoke 10",
        "settle 10",
    ]


def test_a_part_inside_an_aggregate_is_restored_and_expires_with_its_record():
    records = batch("10:2 10:3 10 11")
    delivery = machine(records, maximum_retry_attempts=5)
    delivery.next_step(0.0)
    delivery.report(broken(), 0.0, lambda: 0.5)
    again = machine(records)
    assert again.restore(delivery.snapshot())
    again.trimmed_before("11")
    assert play(again, ok()) == ["expire 10:2 10:3 10", "invoke 11", "settle 11"]
