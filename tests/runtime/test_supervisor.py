"""One mapping from start to stop: a problem ends a partition, is told, and is tried again; nothing else is touched."""

import asyncio

import pytest

from poller.policy.batching import BatchLimits
from poller.policy.response import NotInvoked
from poller.ports.status import ReasonCode
from poller.runtime.supervisor import run_mapping
from poller.values.record import Page
from tests.present import present
from tests.runtime.harness import FakeLane, FakePartition, Runtime, records, unavailable


def start(partition, runtime):
    return asyncio.create_task(run_mapping(partition, runtime.context, runtime.log))


async def stop(task, runtime):
    runtime.stop.request()
    await task
    assert (runtime.status.state, runtime.status.reason.code) == ("stopped", "stopped")


async def test_a_mapping_runs_as_many_lanes_as_its_pace_and_more_as_it_grows():
    runtime = Runtime(lanes=3)
    partition = FakePartition(runtime)
    task = start(partition, runtime)
    await asyncio.sleep(1)
    assert (runtime.status.state, runtime.status.reached) == ("running", True)
    assert len(runtime.status.partitions[0].lanes) == 3
    runtime.admission.busy(1.0)
    await asyncio.sleep(1)
    assert len(runtime.status.partitions[0].lanes) == 4
    await stop(task, runtime)
    assert (partition.left, len(partition.entered)) == ([None], 1)


@pytest.mark.parametrize(
    "code", ["credentials", "access_denied", "source_missing", "throttled", "unreachable", "error"]
)
async def test_a_source_that_cannot_be_read_is_tried_again_with_growing_back_off_and_its_reason(code):
    runtime = Runtime()
    partition = FakePartition(runtime, entering=[unavailable(code)] * 10)
    task = start(partition, runtime)
    await asyncio.sleep(0.1)
    assert (runtime.status.state, present(runtime.status.reason).code) == ("problem", ReasonCode(code))
    assert (present(runtime.status.reason).text, present(runtime.status.reason).next_try) == (f"it is {code}", 0.75)
    assert runtime.status.reached, "it says why it cannot"
    await asyncio.sleep(60)
    assert (present(runtime.status.reason).since, present(present(runtime.status.reason).next_try) > 60) == (
        0.0,
        True,
    ), "since the first failure"
    await asyncio.sleep(540)
    assert len(partition.entered) == 11
    gaps = [later - earlier for earlier, later in zip(partition.entered, partition.entered[1:], strict=False)]
    assert gaps == sorted(gaps)
    assert gaps[-1] <= 60
    assert (runtime.status.state, runtime.status.reason) == ("running", None)
    assert len(runtime.log.named("source_unavailable")) == 10
    await stop(task, runtime)


async def test_a_bug_in_one_lane_restarts_its_partition_and_touches_no_other_mapping():
    runtime, other = Runtime(lanes=2), Runtime(lanes=1)
    quiet = FakeLane(stop=runtime.stop)
    broken = FakeLane(records(2), ZeroDivisionError("division by zero"), stop=runtime.stop)
    partition = FakePartition(runtime, quiet, broken)
    tasks = [start(partition, runtime), start(FakePartition(other), other)]
    await asyncio.sleep(0.1)
    assert (runtime.status.state, present(runtime.status.reason).code) == ("problem", "error")
    assert present(runtime.status.reason).text == "ZeroDivisionError: division by zero"
    assert (other.status.state, len(other.status.partitions[0].lanes)) == ("running", 1)
    assert broken.settled == ["0", "1"]
    await asyncio.sleep(2)
    assert (runtime.status.state, len(partition.entered), len(partition.left)) == ("running", 2, 1)
    assert len(runtime.status.partitions[0].lanes) == 2, "those of the last life are gone"
    assert len(runtime.log.named("partition_failed")) == 1
    await stop(tasks[0], runtime)
    await stop(tasks[1], other)


@pytest.mark.parametrize("error", [KeyError("Expiration"), unavailable("credentials")], ids=["bug", "unavailable"])
async def test_an_error_in_one_lane_cuts_no_invocation_of_another_and_its_outcome_is_settled(error):
    runtime = Runtime(lanes=3, delay=10.0)
    busy = FakeLane(records(2), stop=runtime.stop)
    quiet = FakeLane(stop=runtime.stop)

    class Failing(FakeLane):
        async def receive(self, limit, wait, *, gathering):
            await asyncio.sleep(3)
            raise error

    partition = FakePartition(runtime, busy, quiet, Failing(stop=runtime.stop))
    task = start(partition, runtime)
    await asyncio.sleep(4)
    assert runtime.status.state == "problem", "it shows while the other lane finishes"
    assert (busy.settled, partition.left) == ([], [])
    await asyncio.sleep(6.5)
    assert (busy.settled, busy.released) == (["0", "1"], [])
    assert partition.left == [type(error)]
    await asyncio.sleep(2)
    assert (runtime.status.state, len(partition.entered)) == ("running", 2)
    await stop(task, runtime)


async def test_after_an_error_in_one_lane_no_other_waits_for_a_retry_or_gathers_on():
    runtime = Runtime(otherwise=NotInvoked("throttled", "no"), lanes=3, limits=BatchLimits(10, 300.0))
    retrying = FakeLane(Page(records(1), 1, ends_batch=True), stop=runtime.stop)
    gathering = FakeLane(records(1, start=5), stop=runtime.stop)

    class Failing(FakeLane):
        async def receive(self, limit, wait, *, gathering):
            await asyncio.sleep(5)
            raise ZeroDivisionError

    partition = FakePartition(runtime, retrying, gathering, Failing(stop=runtime.stop))
    task = start(partition, runtime)
    await asyncio.sleep(4.9)
    assert runtime.status.partitions[0].lanes[0].code is ReasonCode.THROTTLED
    await asyncio.sleep(0.2)
    assert [identifier for identifier, _ in retrying.released] == ["0"]
    assert [identifier for identifier, _ in gathering.released] == ["5"]
    assert partition.left == [ZeroDivisionError]
    await stop(task, runtime)


async def test_an_error_while_partitions_are_looked_for_ends_none_that_runs():
    runtime = Runtime(lanes=1, delay=10.0)
    lane = FakeLane(records(2), stop=runtime.stop)

    class Source(FakePartition):
        asked = 0

        async def partitions(self):
            self.asked += 1
            yield self
            if self.asked < 3:
                await asyncio.sleep(1)
                raise KeyError("Shards")
            await self._runtime.stop.wait(1e9)

    source = Source(runtime, lane)
    task = start(source, runtime)
    await asyncio.sleep(1.1)
    assert (runtime.status.state, present(runtime.status.reason).text) == ("problem", "KeyError: 'Shards'")
    await asyncio.sleep(9.5)
    assert (lane.settled, len(source.entered), source.left) == (["0", "1"], 1, [])
    assert (source.asked, len(runtime.log.named("source_failed"))) == (3, 2)
    await stop(task, runtime)


async def test_after_a_good_while_a_problem_counts_as_the_first_again():
    runtime = Runtime(lanes=1)

    class Later(FakeLane):
        async def receive(self, limit, wait, *, gathering):
            await asyncio.sleep(100)
            raise OSError("gone")

    partition = FakePartition(runtime, *(Later(stop=runtime.stop) for _ in range(3)))
    task = start(partition, runtime)
    await asyncio.sleep(305)
    assert partition.entered == pytest.approx([0, 100.75, 201.5, 302.25])
    await stop(task, runtime)


async def test_a_stop_ends_the_back_off_at_once():
    runtime = Runtime()
    partition = FakePartition(runtime, entering=[unavailable("credentials")] * 100)
    task = start(partition, runtime)
    await asyncio.sleep(500)
    stopped = asyncio.get_running_loop().time()
    await stop(task, runtime)
    assert asyncio.get_running_loop().time() == stopped


async def test_a_soft_stop_shows_until_the_last_lane_has_ended():
    runtime = Runtime(lanes=1, delay=10.0)
    task = start(FakePartition(runtime, FakeLane(records(1), stop=runtime.stop)), runtime)
    await asyncio.sleep(1)
    runtime.stop.request()
    await asyncio.sleep(1)
    assert (runtime.status.state, present(runtime.status.reason).code) == ("stopping", "stopping")
    await stop(task, runtime)


async def test_a_hard_stop_leaves_the_partition_as_cancelled():
    runtime = Runtime(lanes=2, delay=10.0)
    lane = FakeLane(records(1), stop=runtime.stop)
    partition = FakePartition(runtime, lane)
    task = start(partition, runtime)
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert (partition.left, lane.released) == ([asyncio.CancelledError], [("0", True)])
    assert runtime.status.state == "stopped"
