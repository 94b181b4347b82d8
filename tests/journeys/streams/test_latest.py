"""Where a mapping at LATEST begins: behind what was there, and nothing that comes once it is ready is missed."""

import asyncio

import pytest

from tests.fakes.faults import HANG, THROTTLED
from tests.journeys.streams.test_fan_out import FanOutWorld
from tests.journeys.streams.test_peers import end_shards
from tests.journeys.streams.world import StreamLife, StreamWorld

WORLDS = {"kinesis": StreamWorld, "fan_out": FanOutWorld, "dynamodb": lambda **kind: StreamWorld(table=True, **kind)}
BEGIN = {"kinesis": "GetShardIterator", "fan_out": "SubscribeToShard", "dynamodb": "GetShardIterator"}
EVERY_WAY = pytest.mark.parametrize("way", WORLDS)


def latest(world, **parameters):
    return world.mapping(starting_position="LATEST", **parameters)


async def started(world, life):
    await world.until(lambda: life.status.reached)


@EVERY_WAY
async def test_latest_takes_up_to_a_second_of_the_past_with_it(way):
    """The service tells its time in whole seconds."""
    world = WORLDS[way](shards=2)
    end_shards(world)
    await asyncio.sleep(10.05)
    world.before_start.update(world.put(f"k{number}", number) for number in range(10))
    await asyncio.sleep(0.8)
    life = StreamLife(world, latest(world))
    while not life.status.reached:  # noqa: ASYNC110 - virtual time; nobody tells, and records come at this very moment
        await asyncio.sleep(0.001)
    for number in range(10, 20):
        world.put(f"k{number}", number)
    await world.until_done(within=20)
    end_shards(world)
    for number in range(20, 30):
        world.put(f"k{number}", number)
    await world.until_done(within=60)
    await life.end()
    world.check()
    assert life.account.delivered == life.account.polled == 20
    assert not any(world.ledger[number].invoked for number in world.before_start)


@EVERY_WAY
@pytest.mark.parametrize("crash", [False, True], ids=["stop", "crash"])
async def test_after_a_restart_before_the_first_record_nothing_since_the_start_is_missed(way, crash):
    world = WORLDS[way]()
    await asyncio.sleep(10.5)
    life = StreamLife(world, latest(world))
    await started(world, life)
    await (life.crash() if crash else life.end())
    world.put("a", 1)
    await asyncio.sleep(2000)
    life = StreamLife(world, latest(world))
    await world.until_done(within=60)
    await life.end()
    world.check()


@EVERY_WAY
@pytest.mark.parametrize("fault", [HANG, THROTTLED], ids=["hangs", "throttled"])
async def test_a_shard_whose_tip_is_not_had_is_read_from_the_instant_of_the_start(way, fault):
    """And the mapping is ready within ten seconds all the same."""
    world = WORLDS[way]()
    world.before_start.add(world.put("a", 0))
    await asyncio.sleep(10)
    world.aws.faults.always(BEGIN[way], fault)
    life = StreamLife(world, latest(world))
    await asyncio.sleep(10)
    assert life.status.reached
    world.put("a", 1)
    await asyncio.sleep(20)
    assert life.log.named("call_failed")
    world.aws.faults.clear()
    await world.until_done(within=150)
    await life.end()
    world.check()
    assert not any(world.ledger[number].invoked for number in world.before_start)


@EVERY_WAY
async def test_an_iterator_at_the_tip_that_is_over_before_the_first_record_goes_on_from_the_instant(way):
    world = WORLDS[way]()
    await asyncio.sleep(10)
    world.stream.without_iterator = 3
    life = StreamLife(world, latest(world))
    await asyncio.sleep(20)
    world.put("a", 1)
    await world.until_done(within=60)
    await life.end()
    world.check()
    assert life.account.delivered == 1
