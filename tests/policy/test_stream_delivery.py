"""What happens to one batch of a stream: nothing leaves out of order, nothing is lost, and every limit is kept."""

import json
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poller.policy.delivery_steps import Discard, Expire, Invoke, Settle, Wait
from poller.policy.parts import PartState
from poller.policy.response import Failed, NotInvoked, Succeeded, TooLarge
from poller.policy.stream_delivery import StreamDelivery, StreamPolicy
from poller.policy.windows import NO_WINDOW, TumblingWindows
from poller.values.record import Record

PARTIAL = {"report_batch_item_failures": True}
BISECT = {"bisect_batch_on_function_error": True}
THROTTLED = NotInvoked("throttled", "too many")
TOO_LARGE = TooLarge("7000000 bytes")
WALL = 1_000_000.0
"""The service's clock at the loop's 0."""


def ok(request_id="r"):
    return Succeeded(b"null", request_id)


def naming(*failed):
    return Succeeded(json.dumps({"batchItemFailures": [{"itemIdentifier": one} for one in failed]}).encode(), "p")


def broken(request_id="e"):
    return Failed("Unhandled", "boom", request_id, function_error="Unhandled")


def batch(text, age=0.0):
    """`1 2 10`: sequence numbers; all arrived `age` seconds before the beginning, or `1@90` each its own."""
    made = []
    for one in text.split():
        number, _, own = one.partition("@")
        made.append(Record({"arrival": WALL - float(own or age)}, number))
    return made


def arrival(record):
    return record.item["arrival"]


def machine(records, service_time=lambda now: WALL + now, windows=None, **policy):
    return StreamDelivery(
        records,
        StreamPolicy(**policy),
        arrival=arrival,
        service_time=service_time,
        windows=windows or TumblingWindows(0, NO_WINDOW, arrival),
    )


def words(records):
    return " ".join(record.identifier for record in records)


def play(delivery, *outcomes, now=0.0):
    """The steps in words, waits left out, the outcomes given to its invocations in turn."""
    answers, steps = list(outcomes), []
    while (step := delivery.next_step(now)) is not None:
        match step:
            case Invoke(records):
                steps.append("invoke " + words(records))
                delivery.report(answers.pop(0), now, lambda: 0.5)
            case Wait(seconds):
                now += seconds
            case Settle(records):
                steps.append("settle " + words(records))
            case Expire(records):
                steps.append("expire " + words(records))
            case Discard(given_up):
                steps.append(f"{given_up.condition} {given_up.invoke_count} {words(given_up.records)}")
                delivery.accepted()
    assert not answers, "an outcome was not asked for"
    assert delivery.remaining() == []
    return steps


def story(text, *outcomes, age=0.0, **policy):
    return play(machine(batch(text, age), **policy), *outcomes)


@pytest.mark.parametrize(
    ("policy", "outcomes", "ends"),
    [
        pytest.param({}, [ok()], ["invoke 1 2 3", "settle 1 2 3"], id="success"),
        pytest.param({}, [naming("2")], ["invoke 1 2 3", "settle 1 2 3"], id="without the feature no answer is read"),
        pytest.param(
            {}, [broken(), broken(), ok()], ["invoke 1 2 3"] * 3 + ["settle 1 2 3"], id="failed until it succeeds"
        ),
        pytest.param(
            {"maximum_retry_attempts": 2},
            [broken()] * 3,
            ["invoke 1 2 3"] * 3 + ["RetryAttemptsExhausted 3 1 2 3"],
            id="one attempt more than retries",
        ),
        pytest.param(
            {"maximum_retry_attempts": 0},
            [broken()],
            ["invoke 1 2 3", "RetryAttemptsExhausted 1 1 2 3"],
            id="no retry is one attempt",
        ),
        pytest.param(
            {"maximum_retry_attempts": 1},
            [THROTTLED, broken(), THROTTLED, THROTTLED, broken()],
            ["invoke 1 2 3"] * 5 + ["RetryAttemptsExhausted 2 1 2 3"],
            id="what was not invoked spends no retry",
        ),
        pytest.param(
            PARTIAL,
            [naming("3", "2"), naming()],
            ["invoke 1 2 3", "settle 1", "invoke 2 3", "settle 2 3"],
            id="the lowest named wins and everything after it comes again",
        ),
        pytest.param(
            {**PARTIAL, "maximum_retry_attempts": 3},
            [naming("3"), naming("3"), naming("3"), naming("3"), naming("3")],
            ["invoke 1 2 3", "settle 1 2", *["invoke 3"] * 4, "RetryAttemptsExhausted 4 3"],
            id="progress resets the retry counter",
        ),
        pytest.param(
            {**PARTIAL, "maximum_retry_attempts": 1},
            [naming("1"), naming("1", "2")],
            ["invoke 1 2 3"] * 2 + ["RetryAttemptsExhausted 2 1 2 3"],
            id="the first named is an ordinary failed attempt",
        ),
        pytest.param(
            {**PARTIAL, "maximum_retry_attempts": 0},
            [naming("9")],
            ["invoke 1 2 3", "RetryAttemptsExhausted 1 1 2 3"],
            id="naming what is not there fails the batch",
        ),
        pytest.param(
            {**BISECT, "maximum_retry_attempts": 0},
            [broken(), ok(), broken(), broken(), ok()],
            [
                *("invoke 1 2 3", "invoke 1", "settle 1", "invoke 2 3", "invoke 2"),
                *("RetryAttemptsExhausted 1 2", "invoke 3", "settle 3"),
            ],
            id="bisected down to the poison, at no retry's cost",
        ),
        pytest.param(
            {**BISECT, "maximum_retry_attempts": 1},
            [broken(), broken(), broken(), ok()],
            ["invoke 1 2 3", "invoke 1", "invoke 1", "RetryAttemptsExhausted 2 1", "invoke 2 3", "settle 2 3"],
            id="each half starts its own count",
        ),
        pytest.param(
            {**BISECT, **PARTIAL},
            [naming("3"), ok()],
            ["invoke 1 2 3", "settle 1 2", "invoke 3", "settle 3"],
            id="a valid partial answer is not halved",
        ),
        pytest.param(
            {},
            [TOO_LARGE, ok(), ok()],
            ["invoke 1 2 3", "invoke 1", "settle 1", "invoke 2 3", "settle 2 3"],
            id="too large together is split",
        ),
    ],
)
def test_a_batch(policy, outcomes, ends):
    assert story("1 2 3", *outcomes, **policy) == ends


def next_but_waits(delivery):
    while isinstance(step := delivery.next_step(0), Wait):
        pass
    return step


def test_sequence_numbers_are_compared_as_numbers():
    assert story("9 10 11", naming("11", "10"), ok(), **PARTIAL)[:3] == ["invoke 9 10 11", "settle 9", "invoke 10 11"]


def test_a_record_too_large_alone_uses_its_retries_up_and_leaves_without_a_response():
    delivery = machine(batch("1"), maximum_retry_attempts=2)
    for _ in range(3):
        assert isinstance(next_but_waits(delivery), Invoke)
        delivery.report(TOO_LARGE, 0, lambda: 0.5)
    given_up = next_but_waits(delivery)
    assert given_up.discarded.invoke_count == 3
    assert given_up.discarded.outcome is None


def test_what_is_too_old_is_given_up_before_its_first_attempt_and_alone():
    assert story("1@90 2 3", ok(), maximum_record_age_in_seconds=60) == [
        "RecordAgeExceeded 1 1",
        "invoke 2 3",
        "settle 2 3",
    ]


def test_age_is_judged_record_by_record_since_arrivals_need_not_rise():
    assert story("1 2@90 3", ok(), ok(), maximum_record_age_in_seconds=60) == [
        *("invoke 1", "settle 1", "RecordAgeExceeded 1 2", "invoke 3", "settle 3")
    ]


def test_age_ends_endless_retries_after_eight_attempts_in_a_minute():
    steps = story("1", *[broken()] * 8, maximum_record_age_in_seconds=60)
    assert steps == ["invoke 1"] * 8 + ["RecordAgeExceeded 8 1"]


def tried_after(records, *outcomes, **policy):
    delivery = machine(records, **policy)
    for outcome in outcomes:
        while not isinstance(delivery.next_step(0.0), Invoke):
            pass
        delivery.report(outcome, 0.0, lambda: 0.5)
    return delivery.tried


@pytest.mark.parametrize(
    ("outcomes", "policy", "text"),
    [
        ([broken(), broken()], {}, "retry 2 (no limit), 3 records from sequence number 7"),
        ([broken()], {"maximum_retry_attempts": 5}, "retry 1 of 5, 3 records from sequence number 7"),
        ([THROTTLED], {}, "refused once, 3 records from sequence number 7"),
        ([THROTTLED, THROTTLED], {}, "refused 2 times, 3 records from sequence number 7"),
        ([naming("9")], PARTIAL, "next try, 1 record from sequence number 9"),
    ],
)
def test_a_batch_that_waits_tells_a_person_how_far_the_trying_has_come(outcomes, policy, text):
    assert tried_after(batch("7 8 9"), *outcomes, **policy) == text


def test_the_closing_of_a_window_that_waits_is_called_that():
    windows = TumblingWindows(60, NO_WINDOW, arrival)
    windows.enter(batch("1"))
    delivery = machine([], windows=windows)
    delivery.next_step(0.0)
    delivery.report(THROTTLED, 0.0, lambda: 0.5)
    assert delivery.tried == "refused once, the end of a window"


def test_age_also_ends_what_cannot_be_invoked():
    delivery = machine(batch("1"), maximum_record_age_in_seconds=60)
    assert isinstance(delivery.next_step(0), Invoke)
    delivery.report(THROTTLED, 0, lambda: 0.5)
    assert isinstance(delivery.next_step(0), Wait)
    assert delivery.next_step(61).discarded.condition == "RecordAgeExceeded"


def test_no_age_is_judged_while_the_services_clock_is_not_known():
    delivery = machine(batch("1", age=10**6), service_time=lambda _: None, maximum_record_age_in_seconds=60)
    assert play(delivery, ok()) == ["invoke 1", "settle 1"]


def test_what_the_source_no_longer_holds_expires_once_it_was_tried_in_vain():
    delivery = machine(batch("8 9 10"))
    delivery.trimmed_before("10")
    assert isinstance(delivery.next_step(0), Invoke)
    delivery.report(broken(), 0, lambda: 0.5)
    assert play(delivery, ok()) == ["expire 8 9", "invoke 10", "settle 10"]


def test_a_batch_that_is_gone_altogether_expires_altogether():
    delivery = machine(batch("8 9"))
    delivery.trimmed_before("10")
    delivery.next_step(0)
    delivery.report(broken(), 0, lambda: 0.5)
    assert play(delivery) == ["expire 8 9"]


def test_a_retry_of_the_same_records_keeps_what_names_it_and_a_smaller_one_does_not():
    delivery = machine(batch("1 2"), **PARTIAL, maximum_retry_attempts=9)
    delivery.next_step(0)
    delivery.report(broken("first"), 0, lambda: 0.5)
    assert delivery.snapshot()[0].request_id == "first"
    assert isinstance(next_but_waits(delivery), Invoke)
    delivery.report(naming("2"), 0, lambda: 0.5)
    assert isinstance(delivery.next_step(0), Settle)
    assert delivery.at_hand().request_id is None


def test_waits_double_from_half_a_second_and_an_advice_of_the_service_wins():
    delivery = machine(batch("1"))
    waits = []
    for outcome in (broken(), broken(), broken(), NotInvoked("throttled", retry_after=7.0)):
        delivery.next_step(0)
        delivery.report(outcome, 0, lambda: 1.0 - 2**-53)
        waits.append(round(delivery.next_step(0).seconds, 3))
    assert waits == [0.5, 1.0, 2.0, 7.0]


def test_a_stored_stack_goes_on_where_it_stopped():
    first = machine(batch("1 2 3 4"), **BISECT, maximum_retry_attempts=2)
    for outcome in (broken(), broken(), broken()):
        assert isinstance(next_but_waits(first), Invoke)
        first.report(outcome, 0, lambda: 0.5)
    stored = first.snapshot()
    assert [(part.first, part.last, part.attempts) for part in stored] == [("3", "4", 0), ("2", "2", 0), ("1", "1", 1)]
    second = machine(batch("1 2 3 4"), **BISECT, maximum_retry_attempts=2)
    assert second.restore(stored)
    assert play(second, broken(), broken(), ok(), ok()) == [
        *("invoke 1", "invoke 1", "RetryAttemptsExhausted 3 1", "invoke 2", "settle 2", "invoke 3 4", "settle 3 4")
    ]


def test_a_limit_lowered_meanwhile_frees_a_stored_batch_at_once():
    delivery = machine(batch("1"), maximum_retry_attempts=3)
    assert delivery.restore([PartState(1, "1", "1", 40, "r", broken())])
    assert play(delivery) == ["RetryAttemptsExhausted 40 1"]


@pytest.mark.parametrize("text", ["2 3", "1 3", "1 2 3", "1 4"])
def test_a_stored_stack_is_only_taken_over_by_exactly_its_records(text):
    assert not machine(batch(text)).restore([PartState(2, "1", "2", 1)])


def test_a_batch_never_tried_needs_nothing_stored():
    assert machine(batch("1 2")).snapshot() == ()


OUTCOMES = st.sampled_from(["ok", "broken", "throttled", "first", "last", "middle", "unknown", "large"])


@given(st.lists(OUTCOMES, max_size=40), st.integers(1, 12), st.integers(-1, 3), st.booleans(), st.booleans())
def test_every_record_leaves_once_and_in_order_whatever_the_function_answers(answers, count, limit, bisect, partial):
    """After the random answers the function succeeds."""
    delivery = machine(
        batch(" ".join(map(str, range(95, 95 + count)))),
        maximum_retry_attempts=limit,
        bisect_batch_on_function_error=bisect,
        report_batch_item_failures=partial,
    )
    left: list[Any]
    left, now = [], 0.0
    while (step := delivery.next_step(now)) is not None:
        match step:
            case Invoke(records):
                ids = [record.identifier for record in records]
                outcome = {
                    "ok": ok(),
                    "broken": broken(),
                    "throttled": THROTTLED,
                    "large": TOO_LARGE,
                    "first": naming(ids[0]),
                    "last": naming(ids[-1]),
                    "middle": naming(ids[len(ids) // 2]),
                    "unknown": naming("7"),
                }[answers.pop(0) if answers else "ok"]
                delivery.report(outcome, now, lambda: 0.5)
            case Wait(seconds):
                assert 0 < seconds < inf
                now += seconds
            case Discard(given_up):
                assert limit >= 0
                assert given_up.invoke_count == limit + 1
                left += given_up.records
                delivery.accepted()
            case Settle(records):
                left += records
    assert [record.identifier for record in left] == [str(number) for number in range(95, 95 + count)]


def failed_until_one_waits():
    """All, then the first alone."""
    delivery = machine(batch("1 2 3"), **BISECT)
    for _ in range(2):
        assert isinstance(delivery.next_step(0.0), Invoke)
        delivery.report(broken(), 0.0, lambda: 0.5)
        assert isinstance(delivery.next_step(0.0), Wait)
    return delivery


@pytest.mark.parametrize(("notify", "condition"), [(True, "SkippedByHand"), (False, "DroppedByHand")])
def test_a_person_gives_up_the_part_at_hand_and_the_rest_is_delivered(notify, condition):
    delivery = failed_until_one_waits()
    assert words(delivery.at_hand().records) == "1"
    delivery.at_hand().give_up(notify=notify)
    assert play(delivery, ok()) == [f"{condition} 1 1", "invoke 2 3", "settle 2 3"]


def test_what_a_person_gave_up_stays_so_over_a_restart():
    delivery = failed_until_one_waits()
    delivery.at_hand().give_up(notify=True)
    again = machine(batch("1 2 3"))
    assert again.restore(delivery.snapshot())
    assert play(again, ok()) == ["SkippedByHand 1 1", "invoke 2 3", "settle 2 3"]


def test_a_part_that_begins_anew_has_all_its_retries_again_even_when_they_were_exhausted():
    delivery = machine(batch("1 2"), maximum_retry_attempts=0)
    assert isinstance(delivery.next_step(0.0), Invoke)
    delivery.report(broken(), 0.0, lambda: 0.5)
    step = delivery.next_step(0.0)
    assert isinstance(step, Discard)
    assert step.discarded.condition == "RetryAttemptsExhausted"
    delivery.at_hand().begin_anew()
    assert play(delivery, ok()) == ["invoke 1 2", "settle 1 2"]
