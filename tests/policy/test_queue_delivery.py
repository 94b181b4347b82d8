"""What happens to one batch: every record leaves once, settled or returned, whatever the function answers."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poller.policy.backoff import RETRY
from poller.policy.delivery_steps import Invoke, Return, Settle, Wait
from poller.policy.queue_delivery import QueueDelivery, RetryPolicy
from poller.policy.response import Failed, NotInvoked, Succeeded, TooLarge
from tests.policy.samples import identifiers, record, records
from tests.present import present

PARTIAL = RetryPolicy(report_batch_item_failures=True)
STOPPING = RetryPolicy(report_batch_item_failures=True, stop_at_first_failure=True)
THROTTLED = NotInvoked("throttled", "too many")
HOLD = 1000.0


def half():
    return 0.5


def naming(*failed):
    return Succeeded(json.dumps({"batchItemFailures": [{"itemIdentifier": one} for one in failed]}).encode())


def grouped(text):
    """`a1 b1 a2`: identifiers, each beginning with its group."""
    return [record(one, one[0]) for one in text.split()]


def story(batch, *outcomes, policy=PARTIAL, now=0.0):
    """The steps of a delivery in words, the outcomes given to its invocations in turn."""
    delivery = QueueDelivery(batch, policy, HOLD)
    answers = list(outcomes)
    steps = []
    while (step := delivery.next_step(now)) is not None:
        match step:
            case Invoke(part):
                steps.append("invoke " + " ".join(identifiers(part)))
                delivery.report(answers.pop(0), now, half)
            case Wait(seconds, outcome):
                steps.append(f"wait {seconds:g} {present(outcome).code}")
                now += seconds
            case Settle(part):
                steps.append("settle " + " ".join(identifiers(part)))
            case Return(part, failed):
                steps.append(("failed " if failed else "back ") + " ".join(identifiers(part)))
    assert not answers, "an outcome was not asked for"
    assert delivery.remaining() == []
    return steps


@pytest.mark.parametrize(
    ("policy", "outcome", "ends"),
    [
        pytest.param(RetryPolicy(), Succeeded(b"anything"), ["settle 0 1 2"], id="success"),
        pytest.param(RetryPolicy(), naming("1"), ["settle 0 1 2"], id="without the feature an answer is not read"),
        pytest.param(PARTIAL, Succeeded(), ["settle 0 1 2"], id="nothing named"),
        pytest.param(PARTIAL, naming("1"), ["settle 0 2", "failed 1"], id="one named"),
        pytest.param(PARTIAL, naming("2", "0", "1"), ["failed 0 1 2"], id="all named"),
        pytest.param(PARTIAL, naming("9"), ["failed 0 1 2"], id="an identifier of no record"),
        pytest.param(PARTIAL, Succeeded(b"<html>"), ["failed 0 1 2"], id="no JSON"),
        pytest.param(PARTIAL, Failed("Unhandled"), ["failed 0 1 2"], id="function error"),
    ],
)
def test_an_outcome_ends_a_batch(policy, outcome, ends):
    assert story(records(3), outcome, policy=policy) == ["invoke 0 1 2", *ends]


def test_a_batch_that_was_not_invoked_is_held_and_waits_longer_each_time():
    delays = [RETRY.delay(attempt, half) for attempt in (1, 2, 3)]
    waits = [f"wait {delay:g} throttled" for delay in delays]
    assert story(records(1), THROTTLED, THROTTLED, THROTTLED, Succeeded()) == [
        "invoke 0", waits[0], "invoke 0", waits[1], "invoke 0", waits[2], "invoke 0", "settle 0",
    ]  # fmt: skip


def test_the_time_an_answer_asks_to_wait_is_waited():
    steps = story(records(1), NotInvoked("unavailable", retry_after=17), Succeeded())
    assert steps == ["invoke 0", "wait 17 unavailable", "invoke 0", "settle 0"]


def test_an_answer_that_asks_for_no_wait_at_all_gets_the_usual_one():
    """Else it would be asked again without end as fast as it answers."""
    steps = story(records(1), NotInvoked("throttled", retry_after=0), Succeeded())
    assert steps == ["invoke 0", f"wait {RETRY.delay(1, half):g} throttled", "invoke 0", "settle 0"]


def test_waiting_starts_anew_after_an_invocation():
    steps = story(records(2), THROTTLED, TooLarge(), THROTTLED, Succeeded(), Succeeded())
    assert [step for step in steps if step.startswith("wait")] == ["wait 0.375 throttled"] * 2


def test_a_batch_held_as_long_as_it_may_be_goes_back_uninvoked():
    steps = story(records(2), NotInvoked("unavailable", retry_after=5000), now=HOLD - 10)
    assert steps == ["invoke 0 1", "wait 10 unavailable", "back 0 1"]


@pytest.mark.parametrize(("refusals", "text"), [(1, "refused once, 1 record"), (3, "refused 3 times, 1 record")])
def test_a_batch_that_waits_tells_how_often_it_was_refused(refusals, text):
    delivery = QueueDelivery(records(1), PARTIAL, HOLD)
    for _ in range(refusals):
        while not isinstance(delivery.next_step(0.0), Invoke):
            pass
        delivery.report(THROTTLED, 0.0, half)
    assert delivery.tried == text


def test_past_its_hold_a_refusal_waits_no_more():
    assert story(records(1), THROTTLED, now=HOLD + 5) == ["invoke 0", "wait 0 throttled", "back 0"]


def test_a_batch_whose_hold_is_over_is_still_invoked_once():
    assert story(records(1), Succeeded(), now=HOLD + 5) == ["invoke 0", "settle 0"]


def test_parts_of_a_batch_whose_hold_is_over_go_back_too():
    steps = story(records(4), TooLarge(), NotInvoked("throttled", retry_after=1e6))
    assert steps == ["invoke 0 1 2 3", "invoke 0 1", "wait 1000 throttled", "back 0 1", "back 2 3"]


def test_a_failure_that_is_kept_elsewhere_is_deleted_and_still_told_as_one():
    delivery = QueueDelivery(records(2), PARTIAL, HOLD)
    assert isinstance(delivery.next_step(0.0), Invoke)
    delivery.report(Failed("Unhandled", kept=True), 0.0, half)
    assert (delivery.failed, delivery.failure) == (2, "Unhandled")
    step = present(delivery.next_step(0.0))
    assert isinstance(step, Settle)
    assert identifiers(step.records) == ["0", "1"]
    assert delivery.next_step(0.0) is None


def test_too_large_a_batch_is_halved_until_it_fits_and_order_is_kept():
    steps = story(records(5), TooLarge(), Succeeded(), TooLarge(), Succeeded(), Succeeded())
    assert steps == [
        "invoke 0 1 2 3 4", "invoke 0 1", "settle 0 1", "invoke 2 3 4", "invoke 2", "settle 2", "invoke 3 4", "settle 3 4",
    ]  # fmt: skip


def test_a_single_record_that_is_too_large_has_failed():
    alone = records(1)
    delivery = QueueDelivery(alone, PARTIAL, HOLD)
    delivery.next_step(0)
    delivery.report(TooLarge("7 MB"), 0, half)
    assert delivery.next_step(0) == Return(alone, failed=True)
    assert delivery.failure == "payload too large: 7 MB"
    assert story(records(2), TooLarge(), TooLarge(), Succeeded()) == [
        "invoke 0 1", "invoke 0", "failed 0", "invoke 1", "settle 1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("policy", "outcome", "ends"),
    [
        pytest.param(PARTIAL, naming("a1"), ["settle b1 a2 b2", "failed a1"], id="as on AWS, the unnamed are done"),
        pytest.param(STOPPING, naming("a1"), ["settle b1 b2", "failed a1 a2"], id="stopping keeps the group's rest"),
        pytest.param(STOPPING, naming("a2"), ["settle a1 b1 b2", "failed a2"], id="and nothing before it"),
        pytest.param(STOPPING, naming("b1", "a2"), ["settle a1", "failed b1 a2 b2"], id="in each group its own"),
    ],
)
def test_a_partial_response_of_groups(policy, outcome, ends):
    assert story(grouped("a1 b1 a2 b2"), outcome, policy=policy) == ["invoke a1 b1 a2 b2", *ends]


@pytest.mark.parametrize(
    ("policy", "named", "gap"),
    [
        (PARTIAL, ["a1"], True),
        (PARTIAL, ["a2"], False),
        (PARTIAL, ["a1", "a2"], False),
        (PARTIAL, [], False),
        (STOPPING, ["a1"], False),
    ],
)
def test_a_gap_is_noticed_where_an_unnamed_record_follows_a_failed_one_of_its_group(policy, named, gap):
    delivery = QueueDelivery(grouped("a1 b1 a2"), policy, HOLD)
    delivery.next_step(0)
    delivery.report(naming(*named), 0, half)
    assert delivery.gap is gap


def test_without_groups_there_is_no_gap():
    delivery = QueueDelivery(records(3), PARTIAL, HOLD)
    delivery.next_step(0)
    delivery.report(naming("0"), 0, half)
    assert not delivery.gap


def test_what_would_overtake_a_failed_record_in_a_later_part_goes_back_uninvoked():
    steps = story(grouped("a1 b1 a2 b2 c2 a3"), TooLarge(), naming("a1"), naming())
    assert steps == [
        "invoke a1 b1 a2 b2 c2 a3", "invoke a1 b1 a2", "settle b1 a2", "failed a1", "back a3", "invoke b2 c2", "settle b2 c2",
    ]  # fmt: skip


def test_a_later_part_of_failed_groups_alone_is_not_invoked_at_all():
    steps = story(grouped("a1 b1 a2 b2"), TooLarge(), Failed("Unhandled"))
    assert steps == ["invoke a1 b1 a2 b2", "invoke a1 b1", "failed a1 b1", "back a2 b2"]


def test_records_without_a_group_stop_nothing_in_later_parts():
    steps = story(records(4), TooLarge(), Failed("Unhandled"), Succeeded())
    assert steps == ["invoke 0 1 2 3", "invoke 0 1", "failed 0 1", "invoke 2 3", "settle 2 3"]


@pytest.mark.parametrize(
    ("outcome", "failure"),
    [
        (Failed("Unhandled", "KeyError: 'x'"), "Unhandled: KeyError: 'x'"),
        (Failed("timeout"), "timeout"),
        (Succeeded(b"x"), "the answer is not a valid partial batch response"),
        (Succeeded(), None),
        (naming("1"), None),
    ],
)
def test_the_last_whole_failure_is_told(outcome, failure):
    delivery = QueueDelivery(records(2), PARTIAL, HOLD)
    delivery.next_step(0)
    delivery.report(outcome, 0, half)
    assert delivery.failure == failure


def test_a_split_after_a_failed_part_is_no_failure_of_its_own():
    delivery = QueueDelivery(records(6), PARTIAL, HOLD)
    for outcome in (TooLarge(), Failed("Unhandled")):
        assert isinstance(delivery.next_step(0), Invoke)
        delivery.report(outcome, 0, half)
    assert isinstance(delivery.next_step(0), Return)
    assert isinstance(delivery.next_step(0), Invoke)
    delivery.report(TooLarge(), 0, half)
    assert delivery.failure is None


def test_a_stop_gets_everything_that_has_not_left():
    delivery = QueueDelivery(grouped("a1 a2 a3 a4"), PARTIAL, HOLD)
    assert identifiers(delivery.remaining()) == ["a1", "a2", "a3", "a4"]
    delivery.next_step(0)
    delivery.report(TooLarge(), 0, half)
    assert identifiers(delivery.remaining()) == ["a1", "a2", "a3", "a4"]
    delivery.next_step(0)
    delivery.report(naming("a2"), 0, half)
    assert delivery.next_step(0) is not None, "a1 is settled and has left"
    assert sorted(identifiers(delivery.remaining())) == ["a2", "a3", "a4"]
    delivery = QueueDelivery(records(1), PARTIAL, HOLD)
    delivery.next_step(0)
    delivery.report(THROTTLED, 0, half)
    assert identifiers(delivery.remaining()) == ["0"]


kinds = st.sampled_from(["ok", "partial", "garbage", "failed", "large", "refused", "asked"])
groups = st.lists(st.sampled_from("abc"), min_size=1, max_size=12)


def outcome_of(kind, part, drawn):
    match kind:
        case "ok":
            return Succeeded()
        case "partial":
            return naming(*(one.identifier for one in part if drawn.random() < 0.4))
        case "garbage":
            return Succeeded(b"}")
        case "failed":
            return Failed("Unhandled")
        case "large":
            return TooLarge()
        case "asked":
            return NotInvoked("unavailable", retry_after=drawn.choice([0.0, 1.0, 1e9]))
    return THROTTLED


@given(groups, st.booleans(), st.booleans(), st.lists(kinds, max_size=40), st.randoms(use_true_random=False))
def test_every_record_leaves_exactly_once_and_nothing_overtakes_its_group(keys, fifo, stopping, plan, drawn):
    batch = [record(index, key if fifo else None) for index, key in enumerate(keys)]
    delivery = QueueDelivery(batch, STOPPING if stopping else PARTIAL, HOLD)
    left: list[Any]
    stopped: set[Any]
    now, left, invoked_once, stopped = 0.0, [], [], set()
    for kind in [*plan, *["ok"] * 40]:
        assert sorted(identifiers(left) + identifiers(delivery.remaining())) == sorted(identifiers(batch))
        match delivery.next_step(now):
            case None:
                break
            case Invoke(part):
                assert part
                numbers = [int(one.identifier) for one in part]
                assert numbers == sorted(numbers), "held order"
                assert not {one.key for one in part if one.key} & stopped, "overtakes a failed one of its group"
                invoked_once += [one for one in part if one not in invoked_once]
                delivery.report(outcome_of(kind, part, drawn), now, drawn.random)
            case Wait(seconds, _):
                assert 0 <= seconds <= HOLD
                now += seconds
            case Settle(part):
                left += part
            case Return(part, _):
                left += part
                stopped |= {one.key for one in part if one.key}
    assert delivery.next_step(now) is None
    assert len(left) == len(batch)
    assert set(left) == set(batch)
    assert identifiers(invoked_once) == sorted(identifiers(invoked_once), key=int)


def test_a_person_sees_what_is_tried_next_and_changes_nothing_of_it():
    delivery = QueueDelivery(records(2), RetryPolicy(), 100.0)
    part = delivery.at_hand()
    part.give_up(notify=True)
    assert not delivery.discards
    assert delivery.next_step(0.0) == Invoke(part.records)
