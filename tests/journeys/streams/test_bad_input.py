"""What a stream, an operator or a machine does wrong: a clear state, and no position past an undelivered record."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.fakes.faults import refused
from tests.fakes.lambda_service import function_error
from tests.journeys.streams.test_peers import DENIED, KINDS, fill
from tests.journeys.streams.world import DAY, StreamLife, StreamWorld
from tests.present import present


@KINDS
async def test_a_stream_that_is_not_there(table):
    world = StreamWorld(table=table)
    arn = world.stream.arn.replace("/s", "/gone", 1)
    life = StreamLife(world, world.mapping(event_source_arn=arn))
    await asyncio.sleep(30)
    assert (life.status.state, present(life.status.reason).code) == ("problem", "source_missing")
    assert arn in present(life.status.reason).text
    assert life.status.reached
    await life.end()


async def test_a_stream_deleted_while_it_is_read():
    world = StreamWorld()
    life = StreamLife(world, world.mapping())
    fill(world, 10)
    await world.until_done()
    world.aws.streams.delete_stream("s")
    await asyncio.sleep(100)
    assert (life.status.state, present(life.status.reason).code) == ("problem", "source_missing")
    await life.end()
    assert world.breaches == []


async def test_a_disabled_stream_is_read_to_its_end_and_named():
    world = StreamWorld(table=True)
    fill(world, 10)
    world.table_stream.disable()
    life = StreamLife(world, world.mapping())
    await world.until_done(within=60)
    assert (life.status.state, present(life.status.reason).code) == ("problem", "stream_disabled")
    await life.end()
    world.check()


@KINDS
async def test_permission_taken_away_and_given_back(table):
    world = StreamWorld(table=table)
    life = StreamLife(world, world.mapping())
    fill(world, 10)
    await world.until_done()
    for operation in ("GetRecords", "GetShardIterator", "ListShards", "DescribeStream", "DescribeStreamSummary"):
        world.aws.faults.always(operation, DENIED)
    fill(world, 10, start=10)
    await asyncio.sleep(100)
    assert (life.status.state, present(life.status.reason).code) == ("problem", "access_denied")
    world.aws.faults.clear()
    await world.until_done(within=120)
    await asyncio.sleep(100)
    assert (life.status.state, life.status.reason) == ("running", None)
    await life.end()
    world.check()


async def test_retention_shortened_below_our_position_is_logged_as_a_gap():
    world = StreamWorld(table=True, rollover_seconds=None)
    life = StreamLife(world, world.mapping())
    fill(world, 10)
    await world.until_done()
    await life.end()
    fill(world, 9, start=10)
    await asyncio.sleep(10)
    fill(world, 1, start=19)
    world.stream.trim(keep=1)
    life = StreamLife(world, world.mapping())
    await asyncio.sleep(60)
    await life.end()
    [gap] = life.log.named("gap_in_shard")
    assert gap["after"] < gap["resumed_at"]
    assert life.account.delivered == 1


@KINDS
async def test_a_record_tried_in_vain_beyond_retention_expires_and_the_shard_goes_on(table):
    world = StreamWorld(table=table)
    # seldom, so that a day is short
    slowly: dict[str, Any] = {"poll_interval_seconds": 300.0, "idle_poll_interval_seconds": 300.0}
    poison, *_ = fill(world, 2, keys=1)
    world.function.handler = lambda event: function_error() if poison in str(event) else None
    life = StreamLife(world, world.mapping(batch_size=1, **slowly))
    await asyncio.sleep(DAY - 3600)
    fill(world, 1, keys=1, start=2)
    await asyncio.sleep(2 * 3600)
    assert life.account.expired == 1
    assert life.account.delivered >= 1
    assert life.log.named("records_expired")
    await life.end()
    assert world.breaches == []


async def test_ages_are_judged_by_the_services_clock_not_by_ours():
    """The machine's own clock is months off from the account's here."""
    world = StreamWorld()
    poison, *_ = fill(world, 5, keys=1)
    world.function.handler = lambda event: function_error() if poison in str(event) else None
    life = StreamLife(world, world.mapping(batch_size=1, maximum_record_age_in_seconds=60, destination=True))
    await world.until(lambda: life.account.destination, within=120)
    assert len(world.ledger[poison].invoked) in (7, 8, 9)
    await asyncio.sleep(60)
    await life.end()
    world.check()


async def test_a_destination_that_refuses_blocks_its_lane_and_loses_nothing():
    world = StreamWorld()
    fill(world, 5, keys=1)
    world.function.handler = lambda _: function_error()
    world.aws.faults.always("SendMessage", refused(403, "AccessDenied"))
    mapping = world.mapping(destination=True, maximum_retry_attempts=0)
    life = StreamLife(world, mapping)
    await asyncio.sleep(60)
    assert life.status.partitions[0].lanes[0].code == "destination"
    await life.end_in_vain(grace=5)
    life = StreamLife(world, mapping)
    await asyncio.sleep(60)
    assert life.account.destination == 0
    world.aws.faults.clear()
    await world.until_done(within=120)
    await life.end()
    world.check()
    assert life.account.destination == 5
    assert [len(entry.invoked) for entry in world.ledger.entries.values()] == [1] * 5


async def test_a_store_that_fails_stops_the_lane_and_no_position_moves():
    world = StreamWorld()
    life = StreamLife(world, world.mapping(batch_size=1))
    await asyncio.sleep(5)
    world.store.break_down()
    fill(world, 20, keys=1)
    await asyncio.sleep(100)
    assert life.account.delivered < 5
    assert (life.status.state, present(life.status.reason).code) == ("problem", "state")
    assert "disk is full" in present(life.status.reason).text
    world.store.fault = None
    await world.until_done(within=200)
    await asyncio.sleep(60)
    assert life.status.state == "running"
    await life.end()
    world.check()


@pytest.mark.parametrize(("before", "after"), [(1, 4), (5, 2), (10, 1)])
async def test_a_changed_factor_keeps_the_order_of_each_key(before, after):
    world = StreamWorld()
    world.function.delay = 0.7
    mapping = world.mapping(parallelization_factor=before, batch_size=3)
    life = StreamLife(world, mapping)
    fill(world, 100, keys=20)
    await asyncio.sleep(3)
    await life.end_in_vain(grace=0)
    fill(world, 100, keys=20, start=100)
    life = StreamLife(world, replace(mapping, parallelization_factor=after))
    await world.until_done(within=600)
    await asyncio.sleep(5)
    assert len(life.status.partitions[0].lanes) == after
    await life.end()
    world.check()


async def test_read_ahead_is_bounded_and_the_slow_lane_named():
    world = StreamWorld(reads_per_second=None)
    world.function.handler = lambda _: function_error()
    for number in range(80):
        world.kinesis.put("k", "x" * 700_000)
        await asyncio.sleep(0 * number)
    life = StreamLife(world, world.mapping(max_bytes_in_flight=1 << 30))
    await asyncio.sleep(300)
    assert 20 < life.status.in_flight() <= 32 * 1024 * 1024 // 933_000
    assert present(life.status.partitions[0].reason).code == "read_ahead"
    assert "lane 0" in present(life.status.partitions[0].reason).text
    await life.end()
    assert life.account.polled == life.account.returned


async def test_shards_that_stand_still_leave_the_others_room():
    """All but one of them fill the mapping's bound together."""
    world = StreamWorld(shards=4, reads_per_second=None)
    stuck = set(world.stream.open_shards()[1:])
    world.function.handler = lambda event: (
        function_error() if event["Records"][0]["eventID"].partition(":")[0] in stuck else None
    )
    life = StreamLife(world, world.mapping(max_bytes_in_flight=4 * 1024 * 1024, batch_size=1))
    for number in range(100):
        world.kinesis.put(f"k{number}", "x" * 500_000)
    await asyncio.sleep(300)
    healthy = [entry for entry in world.ledger.entries.values() if entry.shard not in stuck]
    assert len(healthy) > 10
    assert all(entry.succeeded for entry in healthy)
    assert life.status.in_flight() < 75
    await life.end()


async def test_every_discard_of_a_burst_is_logged_with_its_shard_its_range_and_its_condition():
    """Also the last of them, when the mapping stops before their line is due."""
    world = StreamWorld(shards=2)
    world.function.handler = lambda _: function_error()
    fill(world, 400, keys=20)
    life = StreamLife(world, world.mapping(batch_size=10, maximum_retry_attempts=0))
    await world.until(lambda: life.account.dropped == 400)
    await life.end()
    lines = life.log.named("batch_discarded")
    assert sum(line["records"] for line in lines) == 400
    assert len(lines) < 40
    for shard in world.stream.open_shards():
        own = sorted(int(entry.sequence_number) for entry in world.ledger.entries.values() if entry.shard == shard)
        ranges = [line for line in lines if line["partition"] == shard]
        assert (min(int(line["first"]) for line in ranges), max(int(line["last"]) for line in ranges)) == (
            own[0],
            own[-1],
        )
        assert {(line["condition"], line["to_destination"]) for line in ranges} == {("RetryAttemptsExhausted", False)}
