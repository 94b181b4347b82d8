"""Several daemons of one fleet on one stream, in one virtual time, each with a connection of its own to the shared rows."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

from poller.engine.fleet.member import Member
from poller.policy.progress import ShardProgress
from poller.ports.fleet import MemberState, Write
from poller.state.memory.fleet import MemoryFleet, Rows
from poller.values.errors import StateError
from tests.fakes.queue import loop_time
from tests.journeys.streams.world import StreamLife, StreamWorld

LEASE_SECONDS, REBALANCE_SECONDS = 15.0, 30.0


class Link:
    """One daemon's connection to the rows, which can be slow, broken and cut off."""

    def __init__(self, world: "FleetWorld") -> None:
        self.dead = False
        self.broken = False
        """Nothing arrives, and every call fails."""
        self.latency: Callable[[], float] = lambda: 0.01
        self._world = world
        self._rows = MemoryFleet(world.rows)

    def listen(self, wake: Callable[[], None]) -> None:
        """This store tells nobody."""

    def problem(self) -> str | None:
        return None

    def __getattr__(self, name: str) -> Any:
        return lambda *given, **named: self._call(name, *given, **named)

    async def _call(self, name: str, *given: Any, **named: Any) -> Any:
        await asyncio.sleep(self.latency())
        if self.dead:
            await asyncio.get_running_loop().create_future()
        if self.broken:
            raise StateError("the store is away")
        if name == "write":
            for one in given[1]:
                self._world.check_write(given[0], one)
        found = await getattr(self._rows, name)(*given, **named)
        await asyncio.sleep(self.latency())
        if self.dead:
            await asyncio.get_running_loop().create_future()
        return found


class FleetWorld(StreamWorld):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.rows = Rows()

    def check_write(self, member: str, one: Write) -> None:
        """A position that takes effect passes nothing that is unresolved."""
        lease = self.rows.leases.get(one.uuid, {}).get(one.shard_id)
        if lease is None or (lease.owner, lease.fence) != (member, one.fence) or one.version <= lease.version:
            return
        last = None if one.progress is None else str(10**60) if one.progress.finished else one.progress.position
        if last is not None:
            self.store.check_passing(one.shard_id, last)

    def owners(self) -> dict[str, str | None]:
        """The shards that have rows and are not finished, each with its owner."""
        return {shard: lease.owner for shard, lease in self.rows.leases.get("u", {}).items() if not lease.finished}

    def held(self) -> dict[str, int]:
        """How many shards each living member has."""
        counts = {row.id: 0 for row in self.rows.members.values() if row.state is not MemberState.DEAD}
        for owner in self.owners().values():
            if owner in counts:
                counts[owner] += 1
        return counts

    def stored(self) -> dict[str, ShardProgress]:
        return self.rows.mappings["u"].shards


class FleetLife(StreamLife):
    """One daemon of the fleet."""

    def __init__(self, world: FleetWorld, mapping: Any, **settings: Any) -> None:
        self.link: Any = Link(world)
        self.member = Member(
            self.link,
            name=f"daemon {len(world.lives)}",
            lease_seconds=settings.pop("lease_seconds", LEASE_SECONDS),
            rebalance_delay_seconds=settings.pop("rebalance_delay_seconds", REBALANCE_SECONDS),
            running=lambda: {} if self.stop.soft else {mapping.uuid: mapping.event_source_arn},
            clock=loop_time,
            chance=random.Random(len(world.lives)).random,
        )
        super().__init__(world, mapping, fleet=self.member, **settings)
        self.beating = asyncio.get_running_loop().create_task(self.member.run())

    @property
    def id(self) -> str:
        return self.member.life.id

    async def end(self, *, within: float = 60.0) -> None:
        """As a daemon stops: no more shards, then softly, then gone."""
        self.member.leave()
        await super().end(within=within)
        await self._stop_beating()
        await self.member.close()

    async def _stop_beating(self) -> None:
        self.beating.cancel()
        await asyncio.wait([self.beating])

    async def crash(self) -> None:
        """From now on nothing of it reaches anything."""
        self.dead = self.link.dead = True
        await self._stop_beating()
        await super().crash()
        self.member.saving.close()
