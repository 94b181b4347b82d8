"""Where two of a stream's features meet: what one of them stored, the other one takes over."""

import asyncio

from poller.ports.status import ReasonCode
from poller.sources.kinds import parse_source
from tests.fakes.lambda_service import function_error
from tests.journeys.streams.test_fan_out import FanOutWorld
from tests.journeys.streams.world import StreamLife, StreamWorld
from tests.present import present


def polled(world, **parameters):
    """The same mapping with the stream itself as source."""
    return world.mapping(event_source_arn=world.stream.arn, source=parse_source(world.stream.arn), **parameters)


async def test_a_batch_in_retry_that_is_more_than_may_be_read_ahead_now_is_read_again_all_the_same():
    """The bound is a share of the mapping's, which a configuration or more shards make smaller."""
    world = FanOutWorld()
    for number in range(6):
        world.kinesis.put("k", "x" * 400_000 + str(number))
    world.function.handler = lambda _: function_error()
    life = StreamLife(world, polled(world, batch_size=6))
    await asyncio.sleep(20)
    await life.end()
    world.function.handler = lambda _: None
    life = StreamLife(world, world.mapping(max_bytes_in_flight=300_000))
    await world.until_done(within=600)
    await life.end()
    world.check()
    assert life.account.delivered == 6


async def test_a_retry_inside_an_aggregate_that_is_now_handed_over_whole_has_not_expired():
    world = StreamWorld()
    world.kinesis.put_aggregate(["a"] * 10)
    world.function.script(None)
    world.function.handler = lambda _: function_error()
    life = StreamLife(world, world.mapping(deaggregate=True, batch_size=4))
    await asyncio.sleep(10)
    await life.end()
    world.function.handler = lambda _: None
    life = StreamLife(world, world.mapping(batch_size=4))
    await world.until(lambda: life.account.delivered == 1)
    await life.end()
    assert life.account.expired == 0
    assert life.account.polled == 1


async def test_a_position_moves_behind_an_aggregate_whose_last_records_are_not_wanted():
    world = StreamWorld()
    numbers = [world.kinesis.put_aggregate(["a"] * 5) for _ in range(4)]
    criteria = ('{"data": {"inner": [{"numeric": ["<", 3]}]}}',)
    life = StreamLife(world, world.mapping(deaggregate=True, batch_size=2, filter_criteria=criteria))
    await asyncio.sleep(20)
    await life.end()
    assert (life.account.delivered, life.account.filtered) == (12, 8)
    assert (present(await world.store.load("u"))).shards["shardId-000000000000"].position == numbers[-1]


async def test_a_position_left_by_a_removed_mapping_is_found_also_by_a_consumer_of_the_stream():
    world = FanOutWorld()
    world.fill(3)
    life = StreamLife(world, polled(world))
    await world.until_done()
    await life.end()
    life = StreamLife(world, world.mapping(name="n", uuid="v"))
    await asyncio.sleep(20)
    assert life.status.source_problem is not None
    assert life.status.source_problem.code is ReasonCode.POSITION_LEFT
    await life.end()


async def test_a_stop_while_lanes_are_drained_for_another_factor_gives_back_what_they_had_not_settled():
    world = StreamWorld()
    for number in range(12):
        world.put(f"k{number}", number)
    world.function.handler = lambda _: function_error()
    for factor in (3, 2):
        life = StreamLife(world, world.mapping(parallelization_factor=factor))
        await asyncio.sleep(20)
        await life.end()
    assert world.breaches == []
    world.function.handler = lambda _: None
    life = StreamLife(world, world.mapping(parallelization_factor=2))
    await world.until_done(within=600)
    await life.end()
    world.check()


async def test_what_is_settled_while_a_recreated_stream_is_begun_is_no_position_in_the_new_one():
    """Both have a shard of the same name; the first is still busy when the other is found."""
    world = StreamWorld()
    world.function.delay = 2.0
    life = StreamLife(world, world.mapping(on_stream_recreated="trim_horizon", batch_size=1))
    for number in range(100):
        world.put("k", number)
    await asyncio.sleep(30)
    world.store.opening_takes = 5.0
    world.stream = world.aws.stream("s")
    first = world.put("k", 1)
    world.store.begin_again()
    await world.until(lambda: life.log.named("stream_recreated"))
    await asyncio.sleep(1)
    assert (present(await world.store.load("u"))).shards == {}
    await world.until(lambda: first not in world.lost(), within=60)
    await life.end()
