"""What is shown of a queue's mapping while nothing moves."""

import asyncio
import time

import pytest

from poller.daemon.api.shown_reasons import mapping_reason, state_of
from poller.policy.advice import ADVICE, advice_of
from poller.ports.status import LaneStatus, MappingState, PartitionStatus, Reason, ReasonCode
from poller.sources.sqs.options import SqsOptions
from tests.fakes.aws import FakeAws
from tests.sources.sqs.harness import RECEIVE, Harness, take
from tests.virtual_time import EPOCH


def clock(moment):
    return time.strftime("%H:%M:%S", time.localtime(EPOCH + moment))


def reason_of(harness):
    return mapping_reason(harness.status, asyncio.get_running_loop().time())


def with_an_idle_lane(harness):
    harness.status.partitions.append(PartitionStatus("q", lanes=[LaneStatus(ReasonCode.NO_DATA)]))


async def test_a_failing_queue_does_not_look_idle_between_its_visibility_timeouts():
    harness = Harness(visibility_timeout=30)
    with_an_idle_lane(harness)
    harness.send(3)
    async with harness.partition as partition:
        lane = partition.lane()
        harness.release(lane, await take(lane), failed=True)
        waiting = asyncio.create_task(take(lane))
        await asyncio.sleep(5)
        reason = reason_of(harness)
        assert reason.text == (
            f"3 messages failed and are back in the queue, visible again at {clock(30)}; the queue has no dead-letter "
            "queue, so a message that fails repeats until it expires"
        )
        assert (reason.code, reason.next_try) == ("retry", 30.0)
        assert state_of(harness.status, reason) is MappingState.DEGRADED
        harness.settle(lane, await waiting)
        assert reason_of(harness).code == "no_data", "they are back"


async def test_while_a_failed_message_is_hidden_an_empty_receive_does_not_mean_that_nothing_is_behind():
    harness = Harness(visibility_timeout=100)
    async with harness.partition as partition:
        lane = partition.lane()
        waiting = asyncio.create_task(take(lane))
        await asyncio.sleep(30)
        assert harness.status.lag().seconds == 0.0
        harness.send(1)
        harness.release(lane, await waiting, failed=True)
        waiting = asyncio.create_task(take(lane))
        await asyncio.sleep(50)
        assert harness.status.lag().seconds is None
        harness.settle(lane, await waiting)
        waiting = asyncio.create_task(take(lane))
        await asyncio.sleep(50)
        assert harness.status.lag().seconds == 0.0
        harness.stop.request()
        await waiting


async def test_messages_that_failed_at_different_times_come_back_within_a_span():
    harness = Harness(visibility_timeout=30)
    with_an_idle_lane(harness)
    async with harness.partition as partition:
        lane = partition.lane()
        for _ in range(2):
            harness.send(2)
            harness.release(lane, await take(lane), failed=True)
            await asyncio.sleep(10)
        text = f"4 messages failed and are back in the queue, visible again from {clock(30)} to {clock(40)};"
        assert reason_of(harness).text.startswith(text)


@pytest.mark.parametrize("limited", [False, True])
async def test_a_failing_queue_is_advised_as_a_queue_and_not_as_a_stream(limited):
    aws = FakeAws()
    redrive = {"dead_letter_queue": aws.queue("dead"), "max_receive_count": 3} if limited else {}
    harness = Harness(aws=aws, visibility_timeout=30, **redrive)
    with_an_idle_lane(harness)
    harness.send(1)
    async with harness.partition as partition:
        lane = partition.lane()
        harness.release(lane, await take(lane), failed=True)
        reason = reason_of(harness)
    text, to_do = reason.text, advice_of(reason.causes)
    assert text.startswith(f"1 message failed and is back in the queue, visible again at {clock(30)}; ")
    assert text.endswith("received 3 times without success, a message goes to the dead-letter queue dead") == limited
    assert to_do == ADVICE["queue.redriven" if limited else "queue.repeated"]
    assert not any(word in to_do for word in ("shard", "skip", "bisect", "maximum_retry_attempts"))


async def test_a_soft_stop_says_how_many_long_polls_return_and_by_when():
    harness = Harness(options=SqsOptions(receive_wait_seconds=12))
    async with harness.partition as partition:
        waiting = asyncio.create_task(take(partition.lane()))
        await asyncio.sleep(16)
        harness.stop.request()
        harness.status.state = MappingState.STOPPING
        harness.status.reason = Reason(ReasonCode.STOPPING, "Ctrl-C again stops now")
        reason = reason_of(harness)
        assert reason.text == f"stopping: 1 long poll returns by {clock(24)}; Ctrl-C again stops now"
        assert reason.until == 24.0
        await waiting
        assert reason_of(harness).text == "Ctrl-C again stops now"


async def test_no_receive_waits_longer_than_the_mapping_says():
    harness = Harness(options=SqsOptions(receive_wait_seconds=3))
    async with harness.partition as partition:
        waiting = asyncio.create_task(take(partition.lane()))
        await asyncio.sleep(20)
        stopped = asyncio.get_running_loop().time()
        harness.stop.request()
        await waiting
        assert asyncio.get_running_loop().time() - stopped <= 3
    assert {request.body["WaitTimeSeconds"] for request in harness.transport.of(RECEIVE)} == {3}
