"""Bytes in flight stay within the bound, however many shards there are, and every shard gets its turn."""

import asyncio

import pytest

from tests.fakes.lambda_service import function_error
from tests.fakes.queue import loop_time
from tests.journeys.streams.test_fan_out import FanOutWorld
from tests.journeys.streams.world import StreamLife, StreamWorld
from tests.journeys.world import Life, WatchedLoop, World
from tests.present import present
from tests.virtual_time import run

RECORD = 100_000
AS_JSON = RECORD * 4 // 3 + 300


def fill(world, shards, each):
    for number in range(shards * each):
        world.stream.put(f"k{number}", "x" * RECORD)


def watched(story):
    run(story, loop_factory=WatchedLoop)


@pytest.mark.parametrize("make", [StreamWorld, FanOutWorld])
def test_shards_of_large_records_take_turns_within_the_mappings_bound(make):
    watched(large_records(make))


async def large_records(make):
    shards = 24
    world = make(shards=shards, reads_per_second=None)
    fill(world, shards, 8)
    world.function.delay = 20.0
    bound = 10 * AS_JSON
    life = StreamLife(world, world.mapping(max_bytes_in_flight=bound))
    await asyncio.sleep(60)
    waiting = [partition.reason for partition in life.status.partitions if partition.reason]
    assert "memory" in {reason.code for reason in waiting}
    life.status.sample(loop_time())
    assert present(life.status.reason).code == "memory"
    entries = world.ledger.entries.values()
    everyone = {entry.shard for entry in entries}
    await world.until(lambda: {entry.shard for entry in entries if entry.succeeded} == everyone, within=600)
    world.function.delay = 0.0
    await world.until_done()
    await life.end()
    world.check()
    assert bound / 2 < life.most_held <= bound + 8 * AS_JSON
    assert life.memory.held == 0


def test_the_process_holds_all_of_its_mappings_to_one_bound():
    watched(small_process())


async def small_process():
    world = StreamWorld(shards=30, reads_per_second=None)
    fill(world, 30, 6)
    world.function.delay = 10.0
    bound = 8 * AS_JSON
    life = StreamLife(world, world.mapping(), process_bytes=bound)
    await world.until_done()
    await life.end()
    world.check()
    assert life.most_held <= bound + 6 * AS_JSON


@pytest.mark.parametrize("factor", [1, 4])
def test_batches_of_an_earlier_life_are_gathered_again_one_after_the_other_under_a_smaller_bound(factor):
    """More of them than the bound has room for, and none is settled before it is whole."""
    watched(gathered_again(factor))


async def gathered_again(factor):
    shards = 10
    world = StreamWorld(shards=shards, reads_per_second=None)
    fill(world, shards, 6)
    world.function.handler = lambda _: function_error()
    life = StreamLife(world, world.mapping(batch_size=6, parallelization_factor=factor))
    await asyncio.sleep(30)
    assert life.status.in_flight() == shards * 6
    await life.end()
    world.function.handler = lambda _: None
    life = StreamLife(world, world.mapping(batch_size=6, parallelization_factor=factor, max_bytes_in_flight=AS_JSON))
    await world.until_done(within=1200)
    await life.end()
    world.check()
    assert life.most_held <= 12 * AS_JSON + 60_000
    assert not life.log.named("retry_state_not_restored")


def test_receives_of_a_queue_with_large_messages_stay_within_the_bound():
    watched(large_messages())


async def large_messages():
    world = World()
    for _ in range(200):
        world.queue.send("x" * RECORD)
    world.function.delay = 5.0
    bound = 30 * RECORD
    life = Life(world, world.mapping(lanes=40, max_bytes_in_flight=bound))
    await world.until_empty(within=3600)
    await life.end()
    assert world.breaches == []
    assert bound / 2 < life.most_held <= bound + 10 * (RECORD + 1000)
    assert life.memory.held == 0
