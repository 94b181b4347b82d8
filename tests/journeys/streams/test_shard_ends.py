"""When a shard has ended: not when an answer comes without an iterator, as services give it of open shards, too."""

import asyncio
from math import inf

import pytest

from tests.fakes.faults import refused
from tests.journeys.streams.test_fan_out import FanOutWorld
from tests.journeys.streams.world import StreamLife, StreamWorld
from tests.present import present

WAYS = {
    "kinesis": StreamWorld,
    "dynamodb": lambda **settings: StreamWorld(table=True, **settings),
    "fan_out": FanOutWorld,
}
EVERY_WAY = pytest.mark.parametrize("way", WAYS)
LISTINGS = ("ListShards", "DescribeStream")


def end_shards(world):
    if hasattr(world.stream, "rollover"):
        return world.stream.rollover(into=2)
    return [child for shard in world.stream.open_shards() for child in world.stream.split(shard)]


async def finished(world):
    return {name for name, shard in (await world.store.load("u")).shards.items() if shard.finished}


@EVERY_WAY
async def test_one_answer_without_an_iterator_finishes_an_open_shard_for_ever(way):
    world = WAYS[way]()
    [shard] = world.stream.open_shards()
    life = StreamLife(world, world.mapping())
    await asyncio.sleep(10)
    world.stream.without_iterator = 1
    await world.until(lambda: not world.stream.without_iterator, within=60)
    await asyncio.sleep(2)
    world.put("k", 1)
    await world.until_done(within=20)
    assert await finished(world) == set()
    assert [partition.id for partition in life.status.partitions] == [shard]
    end_shards(world)
    world.put("k", 2)
    await world.until_done(within=20)
    assert await finished(world) == {shard}
    await life.end()
    world.check()
    assert world.ledger.repeated() == set()


@EVERY_WAY
async def test_a_service_that_gives_no_iterator_whenever_a_shard_is_drained_is_read_all_the_same(way):
    """And listed ever more seldom: an account has ten listings a second, for all of its streams together."""
    world = WAYS[way](shards=2)
    world.stream.without_iterator = inf
    life = StreamLife(world, world.mapping())
    for number in range(40):
        world.put(f"k{number}", number)
        await asyncio.sleep(45)
    assert not world.lost()
    assert sum(world.aws.calls[operation] for operation in LISTINGS) < 160
    old = set(world.stream.open_shards())
    end_shards(world)
    for number in range(40, 60):
        world.put(f"k{number}", number)
    await world.until_done(within=120)
    await world.until(lambda: len(life.status.partitions) == 4, within=120)
    assert await finished(world) == old
    await life.end()
    world.check()
    assert world.ledger.repeated() == set()


@EVERY_WAY
async def test_a_shard_that_was_closed_long_ago_is_read_past_an_answer_without_an_iterator(way):
    """What is finished was read to its end: a second iterator, behind the last record, has to find nothing."""
    world = WAYS[way]()
    [shard] = world.stream.open_shards()
    for number in range(5):
        world.put("k", number)
    life = StreamLife(world, world.mapping())
    await world.until_done(within=20)
    for operation in LISTINGS:
        world.aws.faults.always(operation, refused(400, "AccessDeniedException"))
    end_shards(world)
    await asyncio.sleep(100)
    assert await finished(world) == set()
    assert present(life.status.reason).code == "access_denied"
    world.put("k", 5)
    world.aws.faults.clear()
    await world.until_done(within=150)
    await asyncio.sleep(10)
    assert await finished(world) == {shard}
    await life.end()
    world.check()


async def test_records_in_hand_expire_when_one_answer_comes_without_an_iterator():
    """Of an open shard it does not say that the stream holds nothing any more."""
    world = StreamWorld(table=True, rollover_seconds=None, retention=10 * 86_400.0)
    world.put("k", 1)
    world.aws.faults.always("Invoke", refused(429, "TooManyRequestsException"))
    life = StreamLife(world, world.mapping())
    await asyncio.sleep(86_400.0)
    world.stream.empty_pages = world.stream.without_iterator = inf
    await asyncio.sleep(7200)
    assert life.account.expired == 0
    assert life.status.in_flight() == 1
    await life.end()
    assert world.breaches == []
