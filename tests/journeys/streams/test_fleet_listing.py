"""One daemon of a fleet lists a stream for all, and no shard stays unread when that one cannot."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from poller.values.errors import NotSent, StateError
from tests.fakes.streams import KinesisStream
from tests.journeys.streams.fleet import REBALANCE_SECONDS, FleetLife, FleetWorld, Link

pytestmark = pytest.mark.heavy

SETTLED_SECONDS = 120.0


class Counted(FleetLife):
    """Counts its calls."""

    def __init__(self, *given: Any, **named: Any) -> None:
        self.calls: Counter[str] = Counter()
        self.refuses = ""
        super().__init__(*given, **named)

    async def call(self, operation: Any, *given: Any, **named: Any) -> Any:
        self.calls[operation.name] += 1
        if operation.name == self.refuses:
            raise NotSent("not from this machine")
        return await super().call(operation, *given, **named)


class Forgetful(Link):
    """Cannot load a position at first."""

    times = 2

    async def _carried_out(self, name: str, *given: Any, **named: Any) -> Any:
        if name == "load" and self.times:
            self.times -= 1
            raise StateError("the store is away")
        return await super()._carried_out(name, *given, **named)


async def fleet() -> tuple[FleetWorld, list[Counted]]:
    world = FleetWorld(shards=6)
    lives = [Counted(world, world.mapping()) for _ in range(3)]
    await asyncio.sleep(SETTLED_SECONDS)
    return world, lives


async def listings(lives: list[Counted], seconds: float = 600.0) -> list[int]:
    for life in lives:
        life.calls.clear()
    await asyncio.sleep(seconds)
    return [life.calls["ListShards"] for life in lives]


async def end(world: FleetWorld, lives: list[Counted]) -> None:
    for number in range(200):
        world.put(f"key {number}", number)
    await world.until_done(within=600.0)
    for life in lives:
        await life.end()
    world.check()


async def test_a_stream_is_listed_by_one_daemon() -> None:
    world, lives = await fleet()
    counts = sorted(await listings(lives))
    assert counts[:2] == [0, 0]
    assert 8 <= counts[2] <= 14
    await end(world, lives)


async def test_every_daemon_lists_a_stream_that_has_changed_and_then_one_does_again() -> None:
    world, lives = await fleet()
    stream = world.stream
    assert isinstance(stream, KinesisStream)
    stream.split(stream.open_shards()[0])
    assert min(await listings(lives, SETTLED_SECONDS)) >= 1
    await asyncio.sleep(REBALANCE_SECONDS)
    assert sorted(await listings(lives))[:2] == [0, 0]
    assert sum(world.held().values()) == 7
    await end(world, lives)


@pytest.mark.parametrize("befalls", ["it dies", "it stops", "it cannot list"])
async def test_another_daemon_lists_the_stream_when_the_one_that_did_cannot(befalls: str) -> None:
    world, lives = await fleet()
    counts = await listings(lives)
    lister = lives[counts.index(max(counts))]
    others = [life for life in lives if life is not lister]
    match befalls:
        case "it dies":
            await lister.crash()
        case "it stops":
            await lister.end()
        case _:
            lister.refuses = "ListShards"
    await asyncio.sleep(SETTLED_SECONDS)
    counts = sorted(await listings(others))
    assert counts[0] == 0
    assert counts[1] >= 8
    lister.refuses = ""
    await end(world, lives if befalls == "it cannot list" else others)


async def test_a_daemon_that_could_not_open_a_stream_tries_again_although_another_one_lists_it() -> None:
    world, lives = await fleet()
    life = Counted(world, world.mapping())
    life.link.__class__ = Forgetful
    await asyncio.sleep(SETTLED_SECONDS)
    assert life.link.times == 0
    assert min(world.held().values()) == 1
    await end(world, [*lives, life])


async def test_a_daemon_that_cannot_open_a_stream_is_given_no_shards_until_it_can() -> None:
    world, lives = await fleet()
    blind = Counted(world, world.mapping())
    blind.refuses = "ListShards"
    # it joins, and the others go on as if it were not there
    await asyncio.sleep(REBALANCE_SECONDS + SETTLED_SECONDS)
    moves = sum(lease.fence for lease in world.rows.leases["u"].values())
    assert sorted(world.held().values()) == [0, 2, 2, 2]
    for number in range(100):
        world.put(f"key {number % 40}", number)
    await world.until_done()
    await lives[0].crash()
    await world.until(lambda: sorted(world.held().values()) == [0, 3, 3], 60.0)
    assert world.held()[blind.id] == 0
    # those of the dead one are claimed once, by daemons that read them
    assert sum(lease.fence for lease in world.rows.leases["u"].values()) == moves + 2
    blind.refuses = ""
    await world.until(lambda: sorted(world.held().values()) == [2, 2, 2], REBALANCE_SECONDS + SETTLED_SECONDS)
    await end(world, [*lives[1:], blind])
