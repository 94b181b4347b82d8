"""Several daemons share a stream: each shard is on one of them, and moves without loss when one comes, goes or dies."""

import asyncio
from typing import Any, ClassVar

from poller.ports.fleet_status import Cause
from poller.ports.function import FENCE
from poller.ports.status import Reason, ReasonCode
from tests.fakes.queue import loop_time
from tests.fakes.streams import KinesisStream
from tests.journeys.streams.fleet import LEASE_SECONDS, FleetLife, FleetWorld


def put(world: FleetWorld, count: int, start: int = 0) -> None:
    for number in range(start, start + count):
        world.put(f"key {number % 40}", number)


async def test_two_daemons_each_read_their_part_and_nothing_is_delivered_twice() -> None:
    world = FleetWorld(shards=6)
    first = FleetLife(world, world.mapping())
    put(world, 100)
    await world.until_done()
    assert world.held() == {first.id: 6}
    second = FleetLife(world, world.mapping())
    await world.until(lambda: world.held() == {first.id: 3, second.id: 3}, 60.0)
    put(world, 100, 100)
    await world.until_done()
    for life in (first, second):
        await life.end()
    world.check()
    assert world.ledger.repeated() == set()
    assert first.account.delivered + second.account.delivered == 200
    assert min(first.account.delivered, second.account.delivered) > 30


async def test_a_shard_that_is_given_moves_once_also_to_a_daemon_that_reads_the_rows_seldom() -> None:
    world = FleetWorld(shards=6)
    lives = [FleetLife(world, world.mapping())]
    await world.until_done()
    await asyncio.sleep(60.0)
    for number in range(5):
        lives.append(FleetLife(world, world.mapping()))
        await asyncio.sleep(60.0 + number)
    assert [*world.held().values()] == [1] * 6
    assert sum(lease.fence for lease in world.rows.leases["u"].values()) - 6 == 3 + 2 + 1 + 1 + 1
    for life in lives:
        await life.end()


async def test_a_daemon_that_dies_is_replaced_within_the_bound_and_nothing_is_lost() -> None:
    world = FleetWorld(shards=4)
    first, second = (FleetLife(world, world.mapping()) for _ in range(2))
    await world.until(lambda: sorted(world.held().values()) == [2, 2], 60.0)
    put(world, 100)
    died_at = loop_time()
    await first.crash()
    await world.until(lambda: [*world.held().values()] == [4], 25.0)
    assert loop_time() - died_at <= 25.0
    await world.until_done()
    await second.end()
    world.check()


async def test_a_daemon_that_stops_hands_its_shards_over_within_seconds_and_nothing_is_redone() -> None:
    world = FleetWorld(shards=4)
    world.function.delay = 3.0
    first, second = (FleetLife(world, world.mapping(batch_size=5)) for _ in range(2))
    await world.until(lambda: sorted(world.held().values()) == [2, 2], 60.0)
    put(world, 200)
    await asyncio.sleep(5.0)
    await first.end()
    stopped_at = loop_time()
    await world.until(lambda: world.held() == {second.id: 4}, 5.0)
    assert loop_time() - stopped_at <= 5.0
    await world.until_done()
    await second.end()
    world.check()
    assert world.ledger.repeated() == set()


async def test_with_an_interval_between_writes_a_stop_redoes_nothing_and_a_crash_what_the_interval_held() -> None:
    world = FleetWorld(shards=2)
    world.function.delay = 0.1
    settings = {"checkpoint_interval_seconds": 5.0, "rebalance_delay_seconds": 0.0}
    first, second = (FleetLife(world, world.mapping(batch_size=1), **settings) for _ in range(2))
    await world.until(lambda: sorted(world.held().values()) == [1, 1], 60.0)
    writes, began = world.rows.writes, loop_time()
    put(world, 600)
    await asyncio.sleep(20.0)
    # of a shard one in five seconds, and beats
    assert world.rows.writes - writes <= 2 * (20 / 5 + 1) + 2 * (loop_time() - began) / (LEASE_SECONDS / 3) + 2
    await first.end()
    assert world.ledger.repeated() == set()
    third = FleetLife(world, world.mapping(batch_size=1), **settings)
    await asyncio.sleep(10.0)
    await second.crash()
    await world.until_done(200.0)
    await third.end()
    world.check()
    assert 0 < len(world.ledger.repeated()) <= 2 * (5.0 / 0.1 + 2)


async def test_while_the_store_is_away_nothing_begins_and_afterwards_nothing_is_read_again() -> None:
    world = FleetWorld(shards=4)
    lives = [FleetLife(world, world.mapping()) for _ in range(2)]
    await world.until(lambda: sorted(world.held().values()) == [2, 2], 60.0)
    put(world, 50)
    await world.until_done()
    for life in lives:
        life.link.broken = True
    await asyncio.sleep(LEASE_SECONDS)
    invoked = len(world.function.invocations.all)
    put(world, 50, 50)
    await asyncio.sleep(60.0)
    assert len(world.function.invocations.all) == invoked
    for life in lives:
        assert life.status.reason is not None
        assert life.status.reason.code is ReasonCode.SUSPENDED
        life.link.broken = False
    await world.until_done()
    assert sorted(world.held().values()) == [2, 2]
    for life in lives:
        await life.end()
    world.check()
    assert world.ledger.repeated() == set()


async def test_a_daemon_cut_off_from_the_store_stops_beginning_before_another_begins() -> None:
    world = FleetWorld(shards=4)
    first, second = (FleetLife(world, world.mapping(batch_size=5)) for _ in range(2))
    await world.until(lambda: sorted(world.held().values()) == [2, 2], 60.0)
    first.link.broken = True
    for number in range(60):
        put(world, 10, 10 * number)
        await asyncio.sleep(1.0)
    assert world.held() == {second.id: 4}
    first.link.broken = False
    # its life is over, and it begins another
    await world.until(lambda: sorted(world.held().values()) == [2, 2], 120.0)
    await world.until_done()
    for life in (first, second):
        await life.end()
    world.check()
    assert len(world.ledger.repeated()) <= 2 * 2 * 5


async def test_children_begin_at_once_where_their_last_parent_ended_and_never_before() -> None:
    world = FleetWorld(shards=3)
    lives = [FleetLife(world, world.mapping()) for _ in range(3)]
    await world.until(lambda: sorted(world.held().values()) == [1, 1, 1], 60.0)
    put(world, 100)
    assert isinstance(world.stream, KinesisStream)
    a, b, c = world.stream.open_shards()
    world.stream.merge(a, b)
    world.stream.split(c)
    put(world, 100, 100)
    await world.until_done(120.0)
    await world.until(lambda: sorted(world.held().values()) == [1, 1, 1], 120.0)
    for life in lives:
        await life.end()
    world.check()
    assert world.ledger.repeated() == set()


async def test_where_a_stream_starts_at_latest_is_one_instant_for_all_daemons() -> None:
    world = FleetWorld(shards=4)
    for number in range(40):
        world.before_start.add(world.put(f"key {number}", number))
    await asyncio.sleep(10.0)
    first = FleetLife(world, world.mapping(starting_position="LATEST"))
    await world.until(lambda: world.held() == {first.id: 4}, 60.0)
    put(world, 40, 100)
    await world.until_done()
    second = FleetLife(world, world.mapping(starting_position="LATEST"))
    await asyncio.sleep(1.0)
    put(world, 40, 200)
    await world.until(lambda: sorted(world.held().values()) == [2, 2], 120.0)
    put(world, 40, 300)
    await world.until_done()
    for life in (first, second):
        await life.end()
    world.check()
    assert world.ledger.repeated() == set()
    assert [number for number in world.before_start if world.ledger[number].invoked] == []


async def test_a_rolling_deployment_redoes_nothing_and_moves_each_shard_about_once() -> None:
    world = FleetWorld(shards=6)
    world.function.delay = 1.0
    lives = [FleetLife(world, world.mapping(batch_size=5)) for _ in range(3)]
    await world.until(lambda: sorted(world.held().values()) == [2, 2, 2], 120.0)
    fences = sum(lease.fence for lease in world.rows.leases["u"].values())
    for number in range(3):
        put(world, 100, 100 * number)
        await asyncio.sleep(3.0)
        await lives.pop(0).end()
        lives.append(FleetLife(world, world.mapping(batch_size=5)))
        await asyncio.sleep(10.0)
    await world.until_done()
    await world.until(lambda: sorted(world.held().values()) == [2, 2, 2], 240.0)
    moves = sum(lease.fence for lease in world.rows.leases["u"].values()) - fences
    for life in lives:
        await life.end()
    world.check()
    assert world.ledger.repeated() == set()
    assert moves <= 2.5 * 6


async def test_a_quiet_fleet_writes_beats_alone_however_many_shards_it_has() -> None:
    world = FleetWorld(shards=20)
    lives = [FleetLife(world, world.mapping(idle_poll_interval_seconds=30.0)) for _ in range(4)]
    await world.until(lambda: sorted(world.held().values()) == [5, 5, 5, 5], 120.0)
    await asyncio.sleep(60.0)
    before = world.rows.writes
    await asyncio.sleep(300.0)
    assert (world.rows.writes - before) / 5 <= 52
    for life in lives:
        await life.end()
    world.check()


async def test_each_daemon_says_what_it_does_not_read_and_who_does() -> None:
    world = FleetWorld(shards=2)
    first, second = (FleetLife(world, world.mapping()) for _ in range(2))
    await world.until(lambda: sorted(world.held().values()) == [1, 1], 60.0)
    await asyncio.sleep(10.0)
    for life, other in ((first, second), (second, first)):
        [elsewhere] = life.status.waiting
        assert elsewhere.reason == Reason(ReasonCode.NOT_MINE, f"read by {other.member.status.member}")
        assert {one.name: one.shards for one in life.member.status.members} == {"daemon 1": 1, "daemon 2": 1}
    put(world, 20)
    await first.crash()
    await world.until_done()
    await asyncio.sleep(10.0)
    assert second.status.waiting == []
    [*_, last] = second.member.status.moves
    assert (last.cause, last.other) == (Cause.CLAIMED, first.member.status.member)
    await second.end()
    assert [move.cause for move in second.member.status.moves][-2:] == [Cause.GIVEN, Cause.GIVEN]
    world.check()


async def test_what_is_in_work_where_a_shard_is_lost_is_counted_and_delivered_elsewhere() -> None:
    world = FleetWorld(shards=1)
    world.function.delay = 28.0
    first = FleetLife(world, world.mapping(batch_size=5))
    await world.until(lambda: bool(world.held().get(first.id)), 60.0)
    put(world, 5)
    await asyncio.sleep(2.0)
    first.link.broken = True
    second = FleetLife(world, world.mapping(batch_size=5))
    await world.until(lambda: bool(world.held().get(second.id)), 60.0)
    first.link.broken = False
    await world.until_done()
    await asyncio.sleep(90.0)
    for life in (first, second):
        await life.end(within=100.0)
    world.check()
    assert (first.account.fenced, second.account.fenced) == (5, 0)
    assert first.member.status.lives == 2


class Telling(FleetLife):
    """Notes under what its functions are invoked."""

    said: ClassVar[set[bytes]] = set()

    async def call(self, *given: Any, **named: Any) -> Any:
        self.said.add(FENCE.get())
        return await super().call(*given, **named)


async def test_a_function_is_told_the_shard_and_a_number_that_rises_with_every_owner() -> None:
    world, Telling.said = FleetWorld(shards=1), set()
    first = Telling(world, world.mapping())
    await world.until(lambda: bool(world.held().get(first.id)), 60.0)
    put(world, 10)
    await world.until_done()
    await first.end()
    second = Telling(world, world.mapping())
    put(world, 10, 10)
    await world.until_done()
    await second.end()
    world.check()
    [shard] = world.kinesis.open_shards()
    lines = [f"x-poller-shard: {shard}\r\nx-poller-fence: {number}\r\n".encode() for number in (1, 2)]
    assert Telling.said == {b"", *lines}


async def test_a_mapping_is_not_run_on_another_stream_than_the_fleet_runs_it_on() -> None:
    world = FleetWorld(shards=1)
    first = FleetLife(world, world.mapping())
    await world.until(lambda: bool(world.held().get(first.id)), 60.0)
    other = world.aws.stream("other", 1)
    changed = world.mapping(event_source_arn=other.arn, on_stream_recreated="trim_horizon")
    second = FleetLife(world, changed)
    await world.until(lambda: second.status.reason is not None, 60.0)
    assert second.status.reason is not None
    assert second.status.reason.code is ReasonCode.CONFLICT
    assert world.stream.arn in second.status.reason.text
    put(world, 10)
    await world.until_done()
    for life in (first, second):
        await life.end()
    world.check()
