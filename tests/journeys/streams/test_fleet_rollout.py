"""Daemons of several versions in one fleet, as during a rollout: facts that one side does not know harm neither."""

import asyncio
from typing import Any

from tests.fakes.queue import loop_time
from tests.journeys.streams.fleet import FleetLife, FleetWorld, Link

KNOWN_AT_FIRST = {"name", "version", "lease_seconds", "mappings"}
LATER: dict[str, Any] = {"mood": {"u": ["fine"]}, "listed": {"u": 7}, "attends": {"u": "fine"}, "shares": ["u"]}
"""Facts that this version does not know, and some that it knows in another form."""
DAEMONS = 3


class OldLink(Link):
    """Of a daemon that tells what the first version told."""

    async def _carried_out(self, name: str, *given: Any, **named: Any) -> Any:
        return await super()._carried_out(name, *(self.told(one) for one in given), **named)

    def told(self, value: Any) -> Any:
        return (
            {name: one for name, one in value.items() if name in KNOWN_AT_FIRST} if isinstance(value, dict) else value
        )


class NewLink(OldLink):
    """Of a daemon of a later version."""

    def told(self, value: Any) -> Any:
        return {**value, **LATER} if isinstance(value, dict) else value


def of_version(link: type[Link], world: FleetWorld) -> FleetLife:
    life = FleetLife(world, world.mapping(batch_size=5))
    life.link.__class__ = link
    return life


async def load(world: FleetWorld, seconds: float) -> None:
    until, number = loop_time() + seconds, 0
    while loop_time() < until:
        world.put(f"key {number % 40}", number)
        number += 1
        await asyncio.sleep(0.1)


async def test_a_rollout_from_an_old_version_to_a_later_one_redoes_nothing() -> None:
    world = FleetWorld(shards=6)
    lives = [of_version(OldLink, world) for _ in range(DAEMONS)]
    await world.until(lambda: sorted(world.held().values()) == [2, 2, 2], 60.0)
    work = asyncio.ensure_future(load(world, 4 * DAEMONS * 15.0))
    for link in (Link, NewLink, OldLink):
        for _ in range(DAEMONS):
            await asyncio.sleep(15.0)
            await lives.pop(0).end()
            lives.append(of_version(link, world))
    await work
    await world.until_done()
    await world.until(lambda: sorted(world.held().values()) == [2, 2, 2], 60.0)
    for life in lives:
        await life.end()
    world.check()
    assert world.ledger.repeated() == set()
    facts = [row.facts for row in world.rows.members.values()]
    assert {"mood" in one for one in facts} == {True, False}
    assert {"listed" in one for one in facts} == {True, False}


async def test_one_dies_in_the_middle_of_a_rollout_and_those_of_another_version_go_on() -> None:
    world = FleetWorld(shards=6)
    old, this, new = (of_version(link, world) for link in (OldLink, Link, NewLink))
    await world.until(lambda: sorted(world.held().values()) == [2, 2, 2], 60.0)
    work = asyncio.ensure_future(load(world, 120.0))
    for dying in (old, new):
        await asyncio.sleep(30.0)
        await dying.crash()
    await work
    await world.until_done()
    assert world.held()[this.id] == 6
    await this.end()
    world.check()
