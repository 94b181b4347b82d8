"""Several daemons of one fleet on one stream, in one virtual time, each with a connection of its own to the shared rows."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

from poller.engine.fleet.hold import MemberHold
from poller.engine.fleet.member import Host, Member
from poller.engine.fleet.shards import MemberShards
from poller.policy.progress import ShardProgress
from poller.ports.fleet import Claimed, MemberState, Write
from poller.state.memory.fleet import MemoryFleet, Rows
from poller.values.errors import StateError
from tests.fakes.queue import loop_time
from tests.journeys.streams.world import StreamLife, StreamWorld

LEASE_SECONDS, REBALANCE_SECONDS = 15.0, 30.0


class Judge:
    """The rows of a fleet, watched: what must hold at each write, and at each start."""

    def __init__(self, world: "FleetWorld") -> None:
        self.world = world
        self.highest: dict[str, int] = {}
        self.furthest: dict[str, tuple[int, int]] = {}

    def begins(self, hold: MemberHold) -> None:
        """Work begins under this hold, or reading goes on."""
        lease = self.world.rows.leases["u"].get(hold.shard_id)
        if lease is not None and lease.fence > hold.fence:
            text = f"{hold.shard_id} begins by fence {hold.fence} while {lease.fence} is another's"
            self.world.breaches.append(f"{text} at {loop_time():.3f} s")

    def wrote(self) -> None:
        """After each write."""
        for shard, lease in self.world.rows.leases.get("u", {}).items():
            if lease.fence < self.highest.get(shard, 0):
                self.world.breaches.append(f"the fence of {shard} fell at {loop_time():.3f} s")
            self.highest[shard] = lease.fence
            if (lease.fence, lease.version) < self.furthest.get(shard, (0, 0)):
                self.world.breaches.append(f"the version of {shard} fell at {loop_time():.3f} s")
            self.furthest[shard] = (lease.fence, lease.version)


class WatchedShards(MemberShards):
    """Tell the judge when work begins."""

    judge: Judge

    def claimed(self, shard_id: str, claimed: Claimed) -> None:
        super().claimed(shard_id, claimed)
        hold = self.holds.get(shard_id)
        if hold is not None:
            valid, judge = hold.valid, self.judge

            def watched() -> bool:
                found = valid()
                if found:
                    judge.begins(hold)
                return found

            hold.valid = watched  # type: ignore[method-assign]


class WatchedMember(Member):
    judge: Judge

    def holdings(self, uuid: str, event_source_arn: str) -> MemberShards:
        shards = WatchedShards(self, uuid, event_source_arn)
        shards.judge = self.judge
        return shards


class Link:
    """One daemon's connection to the rows, which can be slow, broken and cut off."""

    def __init__(self, world: "FleetWorld") -> None:
        self.dead = False
        self.broken = False
        """Nothing arrives, and every call fails."""
        self.latency: Callable[[], float] = lambda: 0.01
        self.loses = 0.0
        """Part of the calls whose request or answer is lost, or whose request arrives late."""
        self.freezes_after = ""
        """The call between which and its answer the daemon freezes."""
        self.thawed = asyncio.Event()
        self.thawed.set()
        self._world = world
        self._chance = random.Random(len(world.links))
        world.links.append(self)
        self._rows = MemoryFleet(world.rows)

    def listen(self, wake: Callable[[], None], told: Callable[[], None]) -> None:
        """This store tells nobody."""

    def problem(self) -> str | None:
        return None

    def __getattr__(self, name: str) -> Any:
        return lambda *given, **named: self._call(name, *given, **named)

    async def _call(self, name: str, *given: Any, **named: Any) -> Any:
        await self._way()
        if self.broken:
            raise StateError("the store is away")
        lost = self._chance.random() < self.loses
        if lost and self._chance.random() < 0.6:
            if self._chance.random() < 0.5:
                self._world.late.add(asyncio.create_task(self._arrives_late(name, *given, **named)))
            raise StateError("the request was lost")
        found = await self._carried_out(name, *given, **named)
        await self._way()
        if lost:
            raise StateError("the answer was lost")
        return found

    async def _way(self) -> None:
        await asyncio.sleep(self.latency())
        await self.thawed.wait()
        if self.dead:
            await asyncio.get_running_loop().create_future()

    async def _arrives_late(self, name: str, *given: Any, **named: Any) -> None:
        await asyncio.sleep(self._chance.uniform(0, 20))
        await self._carried_out(name, *given, **named)

    async def _carried_out(self, name: str, *given: Any, **named: Any) -> Any:
        if name == "write":
            for one in given[1]:
                self._world.check_write(given[0], one)
        found = await getattr(self._rows, name)(*given, **named)
        self._world.judge.wrote()
        if name == self.freezes_after:
            self.freezes_after = ""
            self.thawed.clear()
        return found


class FleetWorld(StreamWorld):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.rows = Rows()
        self.links: list[Link] = []
        self.late: set[asyncio.Task[None]] = set()
        """Requests that are still on their way."""
        self.judge = Judge(self)

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
        self.member = WatchedMember(
            self.link,
            fleet="orders",
            name=f"daemon {len(world.links)}",
            lease_seconds=settings.pop("lease_seconds", LEASE_SECONDS),
            rebalance_delay_seconds=settings.pop("rebalance_delay_seconds", REBALANCE_SECONDS),
            host=Host(lambda: {} if self.stop.soft else {mapping.uuid: mapping.event_source_arn}),
            checkpoint_interval_seconds=settings.pop("checkpoint_interval_seconds", 0.0),
            clock=settings.pop("clock", loop_time),
            chance=random.Random(len(world.links)).random,
        )
        self.member.judge = world.judge
        super().__init__(world, mapping, fleet=self.member, **settings)
        self.beating = asyncio.get_running_loop().create_task(self.member.run())

    def thaw(self) -> None:
        """Frozen, nothing reaches it and nothing comes from it, as by SIGSTOP."""
        self.link.freezes_after = ""
        self.link.thawed.set()

    async def call(self, *given: Any, **named: Any) -> Any:
        await self.link.thawed.wait()
        reply = await super().call(*given, **named)
        await self.link.thawed.wait()
        return reply

    @property
    def id(self) -> str:
        return self.member.life.id

    async def end(self, *, within: float = 60.0) -> None:
        """As a daemon stops: no more shards, then softly, then gone."""
        self.member.leave()
        await super().end(within=within)
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
