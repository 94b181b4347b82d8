"""Tumbling windows through the real runtime: whatever happens, sums over windows are the sums over records."""

import asyncio
import json
from dataclasses import replace
from typing import Any

from tests.fakes.lambda_service import Answer, function_error
from tests.fakes.streams import KinesisStream
from tests.journeys.streams.summing import Summing
from tests.journeys.streams.test_peers import KINDS
from tests.journeys.streams.test_random import Journey
from tests.journeys.streams.world import StreamLife, StreamWorld
from tests.journeys.world import WatchedLoop
from tests.present import present
from tests.virtual_time import run

MINUTE = 60.0


class WindowJourney(Journey):
    """A random journey in windows: crashes inside one and at its close, reshards, failures, states too large."""

    def __init__(self, seed: int, *, table: bool) -> None:
        super().__init__(seed, table=table, hours=0.5, records=150)
        seldom = self.chance.choice([0.0, 0.0, 0.05])
        self.world.only_wanted(lambda _: True)
        self.function = Summing(self._plan, lambda: self.chance.random() < seldom)
        self.world.function.handler = self.function
        self.mapping = replace(
            self.mapping,
            # neither goes with windows
            parallelization_factor=1,
            filter_criteria=(),
            tumbling_window_in_seconds=self.chance.choice([5, 60, 900]),
            poll_interval_seconds=self.chance.choice([0.5, 10.0]),
        )

    def _plan(self, event: dict[str, Any]) -> Answer | None:
        if event["Records"]:
            return self.plan(event)
        return function_error() if self.chance.random() < 0.1 else None

    def changed(self) -> Any:
        return replace(super().changed(), parallelization_factor=1)

    async def run(self) -> None:
        await super().run()
        life = StreamLife(self.world, self.mapping)
        await asyncio.sleep(60)
        await self.world.until(lambda: _open_windows(self.world) == [], within=1800)
        await life.end()
        assert life.status.account.unaccounted(0) == 0
        assert _open_windows(self.world) == []
        self.function.check(self.world, once=False)


def _open_windows(world: StreamWorld) -> list[Any]:
    shards = world.store.progress.shards.values()
    return [lane.window.open for shard in shards for lane in shard.lanes if lane.window.open is not None]


def test_a_journey_in_windows(special_seed):
    async def journey():
        await WindowJourney(special_seed, table=special_seed % 2 == 1).run()

    run(journey(), loop_factory=WatchedLoop)


def windowed(world, **parameters):
    return world.mapping(**{"tumbling_window_in_seconds": 60, "poll_interval_seconds": 1.0} | parameters)


async def put_each(world, count, every=1.0, start=0):
    for number in range(start, start + count):
        world.put(f"k{number % 5}", number)
        await asyncio.sleep(every)


@KINDS
async def test_each_window_is_closed_once_soon_after_its_end_also_on_a_quiet_stream(table):
    world, function = StreamWorld(table=table), Summing()
    world.function.handler = function
    life = StreamLife(world, windowed(world))
    await put_each(world, 150)
    await asyncio.sleep(2 * MINUTE)
    await life.end()
    function.check(world, once=True)
    assert [len(closing.seen) for closing in function.closings] == [60, 60, 30]
    world.check()


@KINDS
async def test_stopped_inside_windows_again_and_again_it_goes_on_with_the_state(table):
    world, function = StreamWorld(table=table), Summing()
    world.function.handler = function
    for turn in range(10):
        life = StreamLife(world, windowed(world))
        await put_each(world, 13, start=13 * turn)
        await life.end()
    life = StreamLife(world, windowed(world))
    await asyncio.sleep(3 * MINUTE)
    await life.end()
    function.check(world, once=True)
    assert len(function.closings) == 3


async def test_a_soft_stop_does_not_wait_for_an_open_window():
    world = StreamWorld()
    world.function.handler = Summing()
    life = StreamLife(world, windowed(world, tumbling_window_in_seconds=900))
    await put_each(world, 5)
    begun = asyncio.get_running_loop().time()
    await life.end()
    assert asyncio.get_running_loop().time() - begun < 5
    [window] = _open_windows(world)
    assert window.records == 5


async def test_a_crash_between_the_last_answer_and_its_commit_closes_the_window_again_with_the_same_state():
    world, function = StreamWorld(), Summing()
    world.function.handler = function
    life = StreamLife(world, windowed(world))
    await put_each(world, 10)
    await world.until(lambda: _open_windows(world) and _open_windows(world)[0].records == 10)
    world.store.break_down()
    await world.until(lambda: function.closings)
    await life.crash()
    world.store.fault = None
    life = StreamLife(world, windowed(world))
    await asyncio.sleep(MINUTE)
    await life.end()
    assert [len(closing.seen) for closing in function.closings] == [10, 10]
    function.check(world)


async def test_a_shard_s_end_closes_its_window_and_children_begin_with_fresh_ones():
    world, function = StreamWorld(), Summing()
    world.function.handler = function
    assert isinstance(world.stream, KinesisStream)
    life = StreamLife(world, windowed(world, tumbling_window_in_seconds=900))
    await put_each(world, 10)
    children = world.stream.split(world.stream.open_shards()[0])
    await put_each(world, 20, start=10)
    await asyncio.sleep(60)
    assert [(closing.shard, len(closing.seen)) for closing in function.closings] == [("shardId-000000000000", 10)]
    world.stream.merge(*world.stream.open_shards())
    await put_each(world, 10, start=30)
    await asyncio.sleep(1000)
    await life.end()
    assert children
    assert len(function.closings) == 4
    function.check(world, once=True)


async def test_records_that_wait_while_a_window_is_closed_in_vain_go_on_once_it_is_given_up():
    world = StreamWorld()
    failing = {"calls": 0}

    def plan(event):
        if event["Records"]:
            return None
        failing["calls"] += 1
        return function_error() if failing["calls"] <= 3 else None

    function = Summing(plan)
    world.function.handler = function
    life = StreamLife(world, windowed(world, destination=True, maximum_retry_attempts=2))
    await put_each(world, 120)
    await asyncio.sleep(MINUTE)
    await life.end()
    assert [closing.succeeded for closing in function.closings] == [False, False, False, True]
    [message] = world.failed.messages.values()
    told = json.loads(message.body)
    assert told["KinesisBatchInfo"] == {"shardId": "shardId-000000000000", "streamArn": world.stream.arn}
    assert told["requestContext"]["approximateInvokeCount"] == 3
    assert told["timeWindowInfo"]["isFinalInvokeForWindow"] is True
    assert life.account.destination == 0
    [logged] = life.log.named("batch_discarded")
    assert (logged["records"], logged["window"]["start"]) == (0, "2026-01-01T00:00:00Z")
    world.check()


async def test_a_state_over_a_megabyte_ends_its_window_early_with_the_whole_of_it():
    world = StreamWorld()
    once = iter([True])
    function = Summing(blow_up=lambda: next(once, False))
    world.function.handler = function
    life = StreamLife(world, windowed(world))
    await put_each(world, 30)
    await asyncio.sleep(2 * MINUTE)
    await life.end()
    first, second = function.closings
    assert (first.early, second.early) == (True, False)
    assert (first.start, first.end) == (second.start, second.end)
    assert len(first.state["ballast"]) == 1_048_576
    function.check(world, once=True)


async def test_a_large_state_is_counted_into_the_payload_of_every_batch():
    world = StreamWorld()
    function = Summing(ballast=900_000)
    world.function.handler = function
    life = StreamLife(world, windowed(world, tumbling_window_in_seconds=900))
    for number in range(40):
        world.kinesis.put("k", "x" * 400_000 + str(number))
    await world.until_done()
    await life.end()
    sizes = [len(invocation.event) for invocation in world.function.invocations.all]
    assert max(sizes) <= 6_291_456
    assert life.account.invocations == {"succeeded": len(sizes)}
    assert len(sizes) <= 5, "nine or ten of its records fit beside the state"
    world.check()


async def test_a_window_of_a_mapping_that_has_other_windows_now_is_closed_first():
    world, function = StreamWorld(), Summing()
    world.function.handler = function
    life = StreamLife(world, windowed(world, tumbling_window_in_seconds=900))
    await put_each(world, 10)
    await life.end()
    life = StreamLife(world, windowed(world, tumbling_window_in_seconds=30))
    await put_each(world, 10, start=10)
    await asyncio.sleep(MINUTE)
    await life.end()
    function.check(world, once=True)
    assert [closing.end - closing.start for closing in function.closings] == [900, 30]


async def test_the_open_window_of_a_mapping_that_has_none_any_more_is_closed_before_keys_are_dealt_to_more_lanes():
    world, function = StreamWorld(), Summing()
    world.function.handler = function
    life = StreamLife(world, windowed(world))
    await put_each(world, 10)
    await life.end()
    world.function.handler = lambda event: function(event) if "window" in event else None
    life = StreamLife(world, windowed(world, tumbling_window_in_seconds=0, parallelization_factor=3))
    await put_each(world, 20, start=10)
    await world.until_done()
    await asyncio.sleep(10)
    await life.end()
    [closing] = function.closings
    assert (len(closing.seen), closing.succeeded) == (10, True)
    assert len(world.store.progress.shards["shardId-000000000000"].lanes) == 3
    world.check()


async def test_the_open_window_is_in_the_status():
    world = StreamWorld()
    world.function.handler = Summing()
    life = StreamLife(world, windowed(world, tumbling_window_in_seconds=900))
    await put_each(world, 5)
    await asyncio.sleep(5)
    [partition] = life.status.partitions
    assert present(partition.window).records == 5
    assert present(partition.window).bounds == {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T00:15:00Z"}
    await life.end()


async def test_too_old_records_leave_a_window_and_a_read_backlog_is_divided_into_its_windows():
    world, function = StreamWorld(), Summing()
    world.function.handler = function
    await put_each(world, 60, every=10.0)
    life = StreamLife(world, windowed(world, destination=True, maximum_record_age_in_seconds=300))
    await asyncio.sleep(3 * MINUTE)
    await life.end()
    function.check(world)
    assert {len(closing.seen) for closing in function.closings} <= {0, 6, 5, 1}
    assert 25 <= sum(len(closing.seen) for closing in function.closings) <= 31
    world.check()
