"""A daemon as a member of a fleet: it beats, watches the others, and claims and gives shards by the common plan."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from poller import __version__
from poller.engine.fleet.attending import Attending
from poller.engine.fleet.claiming import Claiming
from poller.engine.fleet.life import Life
from poller.engine.fleet.listings import Listings
from poller.engine.fleet.requests import Answers, Requests, unknown
from poller.engine.fleet.saving import Saving
from poller.engine.fleet.shards import MemberShards
from poller.engine.fleet.shares import Shares
from poller.engine.fleet.showing import Showing
from poller.engine.fleet.timed import TimedStore
from poller.policy.backoff import Chance
from poller.ports.fleet import FleetStore, MemberRow, MemberState
from poller.ports.fleet_status import Cause, FleetStatus
from poller.ports.holdings import Resizable, Rests
from poller.ports.status import MappingStatus
from poller.support import telemetry
from poller.values.errors import StateError

if TYPE_CHECKING:
    from poller.engine.fleet.hold import MemberHold


def boot_time() -> float:
    """Seconds of a clock that goes on while the machine is suspended, as the clocks of the others do."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


async def _nothing() -> None:
    """Nobody has stored anything."""


@dataclass(frozen=True, slots=True)
class Host:
    """What a member asks of the daemon around it."""

    running: Callable[[], Mapping[str, str]]
    """By uuid the ARN of the source of each mapping that runs here or soon."""
    look_at_news: Callable[[], Awaitable[None]] = _nothing
    """Called when others may have changed what is stored."""
    carry_out: Answers = unknown
    """What others ask of this member."""
    tell: Callable[[], None] = lambda: None
    """Called when what others should know of this member was stored."""
    statuses: Callable[[], Sequence[MappingStatus]] = tuple
    """Those of the mappings here."""


class Member:
    """Implements `poller.ports.holdings.Fleet`."""

    shared = True

    def __init__(
        self,
        store: FleetStore,
        *,
        fleet: str,
        name: str,
        lease_seconds: float,
        rebalance_delay_seconds: float,
        host: Host,
        checkpoint_interval_seconds: float = 0.0,
        clock: Callable[[], float] = boot_time,
        chance: Chance = random.random,
        process: str | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`fleet` and `name` are for people. `process` names a worker, `wall` gives the seconds since the epoch."""
        self.status = FleetStatus(fleet, name)
        self.store = store = cast("FleetStore", TimedStore(store, self.status))
        self.saving = Saving(store)
        self.checkpoint_interval = checkpoint_interval_seconds
        self._name = name
        self._lease_seconds = lease_seconds
        self._process = process
        self._runs: asyncio.Task[None] | None = None
        self._running = host.running
        self._log = telemetry.logger()
        self.life = self._begun(clock, chance, host.tell)
        self._shares = Shares(self.life, self.look)
        self._attending = Attending(self.life)
        self.listings = Listings(self.life)
        self._showing = Showing(self.life, process, host.statuses, wall)
        self.requests = Requests(self.life, self.look, host.carry_out)
        self._claiming = Claiming(
            store,
            self.life,
            lease_seconds=lease_seconds,
            rebalance_delay_seconds=rebalance_delay_seconds,
            look_at_news=host.look_at_news,
            seen=self._noted,
            hurries=lambda: self.requests.stand,
        )
        store.listen(self._claiming.heard, self._claiming.look_now)

    def _begun(self, clock: Callable[[], float], chance: Chance, told: Callable[[], None]) -> Life:
        return Life(
            self.store,
            self._lease_seconds,
            facts=self._facts,
            clock=clock,
            chance=chance,
            log=self._log,
            status=self.status,
            ended=self._life_ended,
            told=told,
        )

    def _facts(self) -> Mapping[str, Any]:
        facts = {
            "name": self._name,
            "version": __version__,
            "lease_seconds": self._lease_seconds,
            "mappings": dict(self._running()),
            **self._shares.facts(),
            **self._attending.facts(),
            **self.listings.facts(),
            **self._claiming.facts(),
            **self._showing.facts(),
            **self.requests.facts(),
        }
        return facts if self._process is None else {**facts, "worker": self._process}

    def holdings(self, uuid: str, event_source_arn: str) -> MemberShards:
        """See `Fleet.holdings`."""
        return MemberShards(self, uuid, event_source_arn)

    def share(self, uuid: str, limit: int, slots: Resizable) -> Callable[[], None]:
        """See `Fleet.share`."""
        return self._shares.add(uuid, limit, slots)

    def attend(self, uuid: str, event_source_arn: str, rests: Rests) -> Callable[[], None]:
        """See `Fleet.attend`."""
        return self._attending.add(uuid, event_source_arn, rests)

    def _noted(self, rows: Sequence[MemberRow], alive_until: Callable[[str], float]) -> None:
        self._shares.note(rows)
        self._attending.note(rows, alive_until)
        self._showing.note(rows, alive_until)
        self.requests.note(rows, alive_until)
        for uuid in self.listings.note(rows, alive_until):
            if uuid in self._claiming.shards:
                self._claiming.shards[uuid].listed_elsewhere()

    def runs_elsewhere(self, uuid: str) -> bool:
        """See `Fleet.runs_elsewhere`."""
        return self._claiming.runs_elsewhere(uuid)

    async def run(self) -> None:
        """Until cancelled."""
        self._runs = asyncio.current_task()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.life.run(), name="fleet beats")
            group.create_task(self._claiming.run(), name="fleet claims")

    async def process_ended(self, process: str) -> None:
        """That worker's process has ended for certain, so nobody need wait for its lease. Raises StateError."""
        for row in await self.store.members():
            if row.facts.get("worker") == process and row.state is not MemberState.DEAD:
                await self.store.leave(row.id)
        self.look()

    def tell(self) -> None:
        """Others should read the rows again."""
        self.life.tell()

    def leave(self) -> None:
        """Take no more shards. Those that are held are released when their mappings stop."""
        self.life.leave()

    async def close(self) -> None:
        """Every mapping has ended. What is still held is free for others at once."""
        self.saving.close()
        self._attending.close()
        await self.requests.close()
        if self._runs is not None:
            self._runs.cancel()
            await asyncio.wait({self._runs})
        try:
            await self.life.end()
        except StateError as error:
            self._log.warning("fleet_not_left", text=f"{error}; the others wait for its lease to end")

    # what the shards of a mapping ask, see `Owner`

    def opened(self, shards: MemberShards) -> None:
        self._claiming.shards[shards.uuid] = shards
        self.look()

    def closed(self, shards: MemberShards) -> None:
        if self._claiming.shards.get(shards.uuid) is shards:
            del self._claiming.shards[shards.uuid]
            self.listings.end(shards.uuid)

    def release(self, holds: "Iterable[MemberHold]") -> None:
        self._claiming.unreleased.extend(holds)
        self.look()

    def name_of(self, member: str) -> str | None:
        return self._claiming.name_of(member)

    def conflict(self, uuid: str, event_source_arn: str) -> str | None:
        return self._claiming.conflict(uuid, event_source_arn)

    def moved(self, uuid: str, shard_id: str, cause: Cause, other: str | None) -> None:
        self._claiming.moved(uuid, shard_id, cause, other)

    def look(self) -> None:
        self._claiming.look_now()

    def runs(self, uuid: str) -> bool:
        return self.life.may_hold and uuid in self._running()

    def _life_ended(self) -> None:
        self._shares.life_ended()
        self._attending.life_ended()
        self.requests.life_ended()
        for shards in self._claiming.shards.values():
            for hold in [*shards.holds.values()]:
                hold.lose()
        self._claiming.unreleased.clear()
