"""A record's journey through one lane."""

import asyncio
from math import inf

import pytest

from poller.policy.batching import BatchLimits
from poller.policy.queue_delivery import RetryPolicy
from poller.policy.response import Failed, NotInvoked, Succeeded, TooLarge
from poller.ports.source import Unsettled
from poller.ports.status import LaneStatus
from poller.runtime.invocation import SETTLE_SECONDS, until_settled
from poller.runtime.lane import run_lane
from poller.runtime.slots import Slots
from poller.values.record import Page
from tests.present import present
from tests.runtime.harness import FakeLane, Runtime, records

PARTIAL = RetryPolicy(report_batch_item_failures=True)


async def run_for(seconds, lane, runtime):
    """Run a lane for a while, then stop it softly; returns its status."""
    lane.policy = runtime.policy
    status = LaneStatus()
    task = asyncio.create_task(run_lane(lane, runtime.context, status))
    await asyncio.sleep(seconds)
    runtime.stop.request()
    await task
    return status


async def test_a_success_settles_the_batch():
    runtime = Runtime()
    lane = FakeLane(records(3), stop=runtime.stop)
    status = await run_for(1, lane, runtime)
    assert (lane.settled, lane.released) == (["0", "1", "2"], [])
    assert (runtime.account.delivered, runtime.account.invoked, runtime.account.invocations) == (3, 3, {"succeeded": 1})
    assert (runtime.status.last_result, status.code) == ("OK", "stopped")


END = Page((), 0, ends_batch=True)


async def test_a_page_may_end_the_batch_within_its_window_and_one_more_asks_for_an_invocation_without_records():
    runtime = Runtime(limits=BatchLimits(10, window=300))
    lane = FakeLane(records(2), END, END, stop=runtime.stop)
    await run_for(1, lane, runtime)
    assert lane.batches == [["0", "1"], []]
    assert runtime.account.invocations == {"succeeded": 2}
    assert (runtime.account.delivered, runtime.account.invoked) == (2, 2)


async def test_an_invocation_without_records_waits_until_all_before_it_is_settled_or_a_stop_comes():
    runtime = Runtime()
    lane = FakeLane(END, stop=runtime.stop)
    lane.unsettled.clear()
    task = asyncio.create_task(run_lane(lane, runtime.context, LaneStatus()))
    await asyncio.sleep(100)
    assert runtime.account.invocations == {}
    runtime.stop.request()
    lane.unsettled.set()
    await task
    assert runtime.account.invocations == {}


async def test_a_failure_gives_the_batch_back_and_is_told():
    runtime = Runtime(Failed("function_error", "KeyError: x", request_id="r-1"))
    lane = FakeLane(records(2), stop=runtime.stop)
    await run_for(1, lane, runtime)
    assert (lane.settled, lane.released) == ([], [("0", True), ("1", True)])
    assert (runtime.account.failed_invoke, runtime.account.returned) == (2, 2)
    assert runtime.status.last_result == "PROBLEM: Function call failed"
    [told] = runtime.log.named("batch_failed")
    assert (told["why"], told["request_id"], told["records"]) == ("function_error: KeyError: x", "r-1", 2)


async def test_the_last_failure_is_kept_with_the_function_s_log_and_every_log_is_told_at_debug():
    runtime = Runtime(Failed("function_error", "KeyError: x", request_id="r-1", logs="END r-1"), Succeeded(logs="fine"))
    await run_for(1, FakeLane(records(2), records(1, start=2), stop=runtime.stop), runtime)
    failure = runtime.status.last_failure
    assert (present(failure).text, present(failure).request_id, present(failure).logs) == (
        "function_error: KeyError: x",
        "r-1",
        "END r-1",
    )
    assert [told["logs"] for told in runtime.log.named("function_logs")] == ["END r-1", "fine"]


async def test_a_batch_that_is_tried_again_waits_since_its_first_failure():
    runtime = Runtime(*[NotInvoked("throttled", "Rate exceeded", 30.0)] * 3, NotInvoked("unreachable", "reset", 30.0))
    lane, status = FakeLane(records(2), records(1), stop=runtime.stop), LaneStatus()
    task = asyncio.create_task(run_lane(lane, runtime.context, status))
    waits = []
    for _ in range(4):
        await asyncio.sleep(1)
        waits.append((status.code.value, status.since, status.next_try))
        await asyncio.sleep(29)
    await asyncio.sleep(1)
    assert waits == [
        ("throttled", 0.0, 30.0),
        ("throttled", 0.0, 60.0),
        ("throttled", 0.0, 90.0),
        ("function_unavailable", 90.0, 120.0),
    ]
    assert (status.code, status.next_try, status.waiting_for) == ("no_data", None, None)
    runtime.stop.request()
    await task


async def test_the_trace_of_a_batch_is_handed_to_the_function():
    runtime = Runtime()

    class TracedLane(FakeLane):
        def trace(self, found):
            return f"Root={found[0].identifier}"

    lane = TracedLane(records(1), stop=runtime.stop)
    await run_for(1, lane, runtime)
    assert runtime.function.traces == ["Root=0"]


async def test_a_partial_response_settles_and_gives_back_and_leaves_the_pace_alone():
    runtime = Runtime(Succeeded(b'{"batchItemFailures":[{"itemIdentifier":"1"}]}'), policy=PARTIAL)
    lane = FakeLane(records(3), stop=runtime.stop)
    await run_for(1, lane, runtime)
    assert (lane.settled, lane.released) == (["0", "2"], [("1", True)])
    assert (runtime.status.last_result, runtime.pace.lanes) == ("OK", 5)


@pytest.mark.parametrize(("policy", "lanes"), [(RetryPolicy(), 2), (PARTIAL, 5)])
async def test_whole_failures_lower_the_pace_except_where_failures_are_reported(policy, lanes):
    runtime = Runtime(Failed("function_error"), policy=policy)
    await run_for(1, FakeLane(records(1), stop=runtime.stop), runtime)
    assert runtime.pace.lanes == lanes


async def test_a_refused_batch_is_held_with_its_reason_and_tried_again():
    runtime = Runtime(NotInvoked("throttled", "Rate exceeded", 30.0))
    lane = FakeLane(records(2), stop=runtime.stop)
    status = LaneStatus()
    task = asyncio.create_task(run_lane(lane, runtime.context, status))
    await asyncio.sleep(10)
    assert (status.code, status.text, status.causes, status.next_try, status.deadline) == (
        "throttled",
        "refused once, 2 records: Rate exceeded",
        ("function.throttled",),
        30.0,
        None,
    )
    assert (lane.settled, lane.released) == ([], [])
    await asyncio.sleep(25)
    assert lane.settled == ["0", "1"]
    assert runtime.pace.lanes == 2
    runtime.stop.request()
    await task


async def test_a_batch_held_too_long_goes_back_uninvoked():
    runtime = Runtime(otherwise=NotInvoked("unreachable"))
    lane = FakeLane(records(1), stop=runtime.stop, hold=100.0)
    await run_for(101, lane, runtime)
    assert lane.released == [("0", False)]
    assert len(runtime.function.batches) < 12


async def test_too_large_an_event_is_halved_without_asking_the_function():
    runtime = Runtime(payload_limit=400)
    lane = FakeLane(records(4, body="x" * 80), stop=runtime.stop)
    await run_for(1, lane, runtime)
    assert runtime.function.batches == [["0", "1"], ["2", "3"]]
    assert lane.settled == ["0", "1", "2", "3"]


async def test_a_record_too_large_by_itself_has_failed_uninvoked():
    runtime = Runtime(payload_limit=400)
    lane = FakeLane(records(1, body="x" * 500), stop=runtime.stop)
    await run_for(1, lane, runtime)
    assert (runtime.function.batches, lane.released) == ([], [("0", True)])


async def test_a_split_lowers_no_pace():
    runtime = Runtime(TooLarge())
    await run_for(1, FakeLane(records(2), stop=runtime.stop), runtime)
    assert runtime.pace.lanes == 5
    assert runtime.log.events == []


async def test_a_window_gathers_and_what_finds_no_place_is_unread():
    runtime = Runtime(limits=BatchLimits(5, window=10, shortest_wait=1))
    lane = FakeLane(records(3), records(3, start=3), stop=runtime.stop)
    await run_for(30, lane, runtime)
    assert runtime.function.batches == [["0", "1", "2", "3", "4"], ["5"]]
    assert lane.asked[0] == (5, inf, False)
    assert lane.asked[1] == (2, 10.0, True)


async def test_one_warning_is_given_about_a_gap_in_a_group():
    answer = Succeeded(b'{"batchItemFailures":[{"itemIdentifier":"0"}]}')
    runtime = Runtime(answer, answer, answer, policy=PARTIAL)
    lane = FakeLane(records(2, "g"), records(2, "g"), records(2, "g"), stop=runtime.stop)
    await run_for(100, lane, runtime)
    assert lane.settled == ["1", "1", "1"]
    assert len(runtime.log.named("gap_in_message_group")) == 1


async def test_stopping_at_the_first_failure_keeps_the_rest_of_its_group():
    answer = Succeeded(b'{"batchItemFailures":[{"itemIdentifier":"1"}]}')
    runtime = Runtime(answer, policy=RetryPolicy(report_batch_item_failures=True, stop_at_first_failure=True))
    lane = FakeLane(records(4, "g"), stop=runtime.stop)
    await run_for(1, lane, runtime)
    assert (lane.settled, lane.released) == (["0"], [("1", True), ("2", True), ("3", True)])
    assert runtime.log.named("gap_in_message_group") == []


async def test_the_running_invocation_has_a_deadline_and_waiting_for_settlement_a_reason():
    runtime = Runtime(delay=5.0, timeout=30.0)
    lane = FakeLane(records(1), stop=runtime.stop)
    lane.unsettled.clear()
    status = LaneStatus()
    task = asyncio.create_task(run_lane(lane, runtime.context, status))
    await asyncio.sleep(1)
    assert (status.code, status.deadline) == ("invoking", 60.0)
    await asyncio.sleep(10)
    assert (status.code, status.deadline) == ("settling", 5.0 + SETTLE_SECONDS)
    lane.unsettled.set()
    await asyncio.sleep(0.01)
    assert status.code == "no_data"
    runtime.stop.request()
    await task


async def test_each_try_to_settle_has_a_deadline_of_its_own_and_a_failed_one_says_why():
    time, status, shown = asyncio.get_running_loop().time, LaneStatus(), []
    tries = [Unsettled("denied", 30.0), Unsettled("denied", 60.0), None]

    async def ready():
        await asyncio.sleep(20.0)
        shown.append((status.code, status.text, status.next_try, status.deadline))
        return tries.pop(0)

    await until_settled(ready, status, time)
    assert shown == [
        ("settling", "", None, SETTLE_SECONDS),
        ("settling", "denied", 30.0, 30.0 + SETTLE_SECONDS),
        ("settling", "denied", 60.0, 60.0 + SETTLE_SECONDS),
    ]


@pytest.mark.parametrize(
    ("outcome", "settled", "released"),
    [
        pytest.param(Succeeded(), ["0"], [], id="success"),
        pytest.param(Failed("x"), [], [("0", True)], id="failure"),
        pytest.param(NotInvoked("throttled"), [], [("0", False)], id="a refusal is not waited out"),
    ],
)
async def test_at_a_soft_stop_the_invocation_that_runs_is_finished_and_settled(outcome, settled, released):
    runtime = Runtime(outcome, delay=10.0)
    lane = FakeLane(records(1), records(1, start=1), stop=runtime.stop)
    await run_for(1, lane, runtime)
    assert asyncio.get_running_loop().time() == 10
    assert (lane.settled, lane.released) == (settled, released)


async def test_at_a_soft_stop_further_parts_of_a_batch_go_back_uninvoked():
    runtime = Runtime(TooLarge(), Succeeded(), delay=1.0)
    lane = FakeLane(records(4), stop=runtime.stop)
    await run_for(1.5, lane, runtime)
    assert (lane.settled, lane.released) == (["0", "1"], [("2", False), ("3", False)])


async def test_at_a_hard_stop_what_runs_goes_back_as_failed_and_what_gathers_uninvoked():
    for limits, failed in ((BatchLimits(10), True), (BatchLimits(10, window=50), False)):
        runtime = Runtime(delay=10.0, limits=limits)
        lane = FakeLane(records(2), stop=runtime.stop)
        task = asyncio.create_task(run_lane(lane, runtime.context, LaneStatus()))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert (lane.settled, lane.released) == ([], [("0", failed), ("1", failed)])
        assert runtime.context.slots.take_now()


async def test_a_bug_in_the_source_ends_the_lane_and_gives_back_what_it_gathered():
    runtime = Runtime(limits=BatchLimits(10, window=50))
    lane = FakeLane(records(2), KeyError("MessageId"), stop=runtime.stop)
    with pytest.raises(KeyError):
        await run_lane(lane, runtime.context, LaneStatus())
    assert lane.released == [("0", False), ("1", False)]


async def test_while_a_lane_waits_for_a_slot_nothing_may_be_received():
    slots = Slots(1)
    assert slots.take_now()
    runtime = Runtime(slots=slots)
    lane = FakeLane(records(1), stop=runtime.stop)
    status = LaneStatus()
    task = asyncio.create_task(run_lane(lane, runtime.context, status))
    await asyncio.sleep(100)
    assert (status.code, runtime.admission.lanes(100.0)) == ("waiting_for_slot", 0)
    slots.release()
    await asyncio.sleep(1)
    assert (lane.settled, runtime.admission.lanes(101.0)) == (["0"], 5)
    runtime.stop.request()
    await task
