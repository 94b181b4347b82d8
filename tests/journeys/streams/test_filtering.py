"""Filters on streams: what does not match is passed over, holds nothing, and the position moves on behind it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from poller.values.errors import StateError
from tests.fakes.lambda_service import function_error
from tests.journeys.streams.test_peers import KINDS, fill
from tests.journeys.streams.world import StreamLife, StreamWorld
from tests.present import present

FACTORS = pytest.mark.parametrize("factor", [1, 4])


def filtered_world(wanted: Callable[[int], bool], *, table: bool = False, **settings: Any) -> tuple[StreamWorld, Any]:
    world = StreamWorld(table=table, **settings)
    return world, world.mapping(filter_criteria=world.only_wanted(wanted))


def is_at_the_tip(world: StreamWorld) -> bool:
    """Whether a restart would read nothing again."""
    last = max(int(number) for number in world.ledger.entries)
    progress = world.store.progress
    return any(int(shard.position or 0) >= last for shard in progress.shards.values())


@KINDS
@FACTORS
async def test_only_what_matches_is_delivered_and_the_rest_is_counted(table, factor):
    world, mapping = filtered_world(lambda number: number % 3 == 0, table=table)
    life = StreamLife(world, replace(mapping, parallelization_factor=factor))
    fill(world, 300)
    await world.until_done()
    await world.until(lambda: life.account.polled == 300 and life.status.in_flight() == 0)
    assert (life.account.delivered, life.account.filtered) == (100, 200)
    assert life.account.filtered_not_json == (0 if table else 100)
    assert bool(life.log.named("payload_not_json")) is not table
    await life.end()
    world.check()


@KINDS
@FACTORS
async def test_where_nothing_matches_the_position_moves_on_and_is_stored_without_a_single_invocation(table, factor):
    world, mapping = filtered_world(lambda _: False, table=table)
    mapping = replace(mapping, parallelization_factor=factor)
    life = StreamLife(world, mapping)
    for _ in range(5):
        fill(world, 200)
        await asyncio.sleep(10)
    assert is_at_the_tip(world)
    assert world.function.invocations.all == []
    assert life.status.in_flight() == 0
    assert life.wiring.memory.held == 0
    await life.crash()
    life = StreamLife(world, mapping)
    await asyncio.sleep(30)
    assert life.account.polled == 0, "nothing was read again"
    await life.end()
    world.check()


async def test_behind_a_record_that_is_retried_for_ever_others_are_passed_over_without_being_held():
    world, mapping = filtered_world(lambda number: number == 0)
    world.function.handler = lambda _: function_error()
    life = StreamLife(world, mapping)
    fill(world, 1)
    await asyncio.sleep(5)
    for start in range(1, 2000, 100):
        for number in range(start, start + 100):
            world.put(f"k{number}", number)
        await asyncio.sleep(2)
    assert (life.account.filtered, life.status.in_flight()) == (2000, 1)
    assert life.wiring.memory.held < 1000
    assert not is_at_the_tip(world)
    world.function.handler = lambda _: None
    await world.until_done()
    await asyncio.sleep(1)
    assert is_at_the_tip(world), "all that was passed over is behind it at once"
    await life.end()
    world.check()


@KINDS
async def test_a_restart_in_the_middle_of_a_retry_finds_its_batch_among_what_does_not_match(table):
    world, mapping = filtered_world(lambda number: number % 2 == 0, table=table)
    mapping = replace(mapping, batch_size=10)
    world.function.handler = lambda _: function_error()
    life = StreamLife(world, mapping)
    fill(world, 100)
    await asyncio.sleep(20)
    assert len(world.function.invocations.all) > 3
    await life.end()
    life = StreamLife(world, mapping)
    await asyncio.sleep(1)
    assert life.log.named("retry_state_not_restored") == []
    assert len({tuple(one.identifiers) for one in world.function.invocations.all}) == 1, "the same batch as before"
    world.function.handler = lambda _: None
    await world.until_done()
    await asyncio.sleep(5)
    assert life.account.expired == 0
    await life.end()
    world.check()


async def test_a_filter_that_rejects_what_was_being_retried_frees_the_shard():
    world = StreamWorld()
    world.function.handler = lambda _: function_error()
    life = StreamLife(world, world.mapping())
    fill(world, 20)
    await asyncio.sleep(20)
    await life.end()
    mapping = world.mapping(filter_criteria=('{"partitionKey": ["nobody"]}',))
    world.skipped.update(world.ledger.entries)
    life = StreamLife(world, mapping)
    await asyncio.sleep(20)
    assert (life.account.polled, life.account.filtered, life.account.expired) == (20, 20, 0)
    assert life.log.named("retry_state_not_restored")
    assert is_at_the_tip(world)
    await life.end()
    assert world.breaches == []


@KINDS
async def test_what_was_there_before_latest_is_neither_delivered_nor_judged(table):
    world, mapping = filtered_world(lambda number: number % 2 == 0, table=table)
    world.before_start.update(fill(world, 50))
    await asyncio.sleep(5)
    life = StreamLife(world, replace(mapping, starting_position="LATEST"))
    await asyncio.sleep(5)
    await life.end()
    assert life.account.polled == 0
    # before the first record there is no position, and a table's stream is read from its beginning
    life = StreamLife(world, replace(mapping, starting_position="LATEST"))
    await asyncio.sleep(5)
    fill(world, 20, start=50)
    await world.until_done()
    await asyncio.sleep(5)
    assert life.account.before_start == (50 if table else 0)
    assert (life.account.filtered, life.account.delivered) == (10, 10)
    await life.end()
    world.check()


async def test_a_store_that_is_down_does_not_let_the_position_pass_unstored():
    world, mapping = filtered_world(lambda _: False)
    life = StreamLife(world, mapping)
    await asyncio.sleep(2)
    world.store.fault = StateError("the disk is full")
    fill(world, 50)
    await asyncio.sleep(60)
    assert present(life.status.reason).code == "state"
    assert not is_at_the_tip(world)
    world.store.fault = None
    await asyncio.sleep(120)
    assert is_at_the_tip(world)
    await life.end()
    world.check()


async def test_a_changed_factor_drains_past_what_does_not_match():
    world, mapping = filtered_world(lambda number: number % 5 == 0)
    life = StreamLife(world, replace(mapping, parallelization_factor=3))
    fill(world, 200)
    await asyncio.sleep(1.2)
    await life.crash()
    life = StreamLife(world, replace(mapping, parallelization_factor=5))
    await world.until_done()
    fill(world, 50, start=200)
    await world.until_done()
    await asyncio.sleep(5)
    await life.end()
    world.check()
