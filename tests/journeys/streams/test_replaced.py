"""One stream in the place of another: whose position is it, and what becomes of the work on the first one?"""

import asyncio
from dataclasses import replace

import pytest

from poller.sources.kinds import parse_source
from tests.fakes.lambda_service import function_error
from tests.journeys.streams.test_fan_out import FanOutWorld
from tests.journeys.streams.world import StreamLife, StreamWorld
from tests.present import present


def to(mapping, arn):
    return replace(mapping, event_source_arn=arn, source=parse_source(arn))


async def read_to_the_end_of_a_closed_shard(world, mapping):
    world.put("k", 0)
    if hasattr(world.stream, "rollover"):
        world.stream.rollover()
    else:
        world.stream.split(world.stream.open_shards()[0])
    life = StreamLife(world, mapping)
    await world.until_done(within=60)
    await asyncio.sleep(10)
    await life.end()
    assert any(shard.finished for shard in (await world.store.load("u")).shards.values())


@pytest.mark.parametrize("choice", ["stop", "trim_horizon", "latest"])
@pytest.mark.parametrize("table", [False, True], ids=["kinesis", "dynamodb"])
async def test_a_mapping_whose_arn_is_another_streams_passes_over_what_that_one_holds(table, choice):
    """Both were created in the same second, and have a shard of the same name."""
    world = StreamWorld(table=table)
    other = world.aws.table("other") if table else world.aws.stream("other")
    mapping = world.mapping(on_stream_recreated=choice)
    await read_to_the_end_of_a_closed_shard(world, mapping)
    first, world.stream = world.stream, other
    before = world.put("k", 1)
    await asyncio.sleep(5)
    world.store.begin_again()
    if choice == "latest":
        world.before_start.add(before)
    life = StreamLife(world, to(mapping, other.arn))
    await asyncio.sleep(10)
    after = world.put("k", 2)
    if choice == "stop":
        await asyncio.sleep(100)
        reason = life.status.reason
        assert (life.status.state, present(reason).code) == ("problem", "stream_changed")
        assert first.arn in present(reason).text
        assert "on_stream_recreated" in present(reason).text
        assert "anew" not in present(reason).text
        assert life.account.polled == 0
    else:
        await world.until_done(within=60)
        [told] = life.log.named("stream_changed")
        assert first.arn in told["text"]
        assert world.ledger[after].succeeded
        world.check()
    await life.end()


async def test_a_consumer_of_the_stream_goes_on_where_the_stream_itself_was_read_to_and_back():
    world = FanOutWorld()
    for arn in (world.stream.arn, world.consumer, world.stream.arn):
        world.fill(5)
        life = StreamLife(world, to(world.mapping(), arn))
        await world.until_done(within=60)
        await life.end()
        assert life.account.polled == 5


@pytest.mark.parametrize("destination", [False, True], ids=["retry", "destination"])
async def test_a_batch_of_a_stream_that_is_gone_is_invoked_for_ever(destination):
    """Between two attempts, or while its destination refuses: it ends with its shard, and is accounted for."""
    world = StreamWorld()
    gone = world.put("k", 0)
    world.function.handler = lambda event: function_error() if gone in str(event) else None
    mapping = world.mapping(on_stream_recreated="trim_horizon", batch_size=1)
    if destination:
        mapping = replace(mapping, on_failure_destination=world.failed.arn, maximum_retry_attempts=0)
        world.aws.delete_queue("failed")
    life = StreamLife(world, mapping)
    await asyncio.sleep(20)
    world.stream = world.aws.stream("s")
    world.store.begin_again()
    await world.until(lambda: life.log.named("stream_recreated"), within=300)
    invoked = len(world.ledger[gone].invoked)
    new = world.put("k", 1)
    await asyncio.sleep(1800)
    assert len(world.ledger[gone].invoked) == invoked
    assert world.ledger[new].succeeded
    assert [partition.id for partition in life.status.partitions] == ["shardId-000000000000"]
    assert (life.status.in_flight(), life.account.returned) == (0, 1)
    assert world.breaches == []
    await life.end()


async def test_a_running_invocation_of_a_stream_that_is_gone_is_in_flight_until_it_ends():
    world = StreamWorld()
    gone = world.put("k", 0)
    world.function.delay = 200.0
    mapping = world.mapping()
    life = StreamLife(world, replace(mapping, function=replace(mapping.function, timeout_seconds=900)))
    await asyncio.sleep(5)
    world.stream = world.aws.stream("s")
    await asyncio.sleep(100)
    assert present(life.status.reason).code == "stream_recreated"
    assert life.status.in_flight() == 1
    await asyncio.sleep(150)
    assert (life.status.in_flight(), life.account.delivered) == (0, 1)
    assert world.ledger[gone].succeeded
    assert life.status.partitions == []
    assert world.breaches == []
    await life.end()
