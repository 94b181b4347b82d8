"""Reads the rows of a fleet, and does this member's part: buries the dead, claims, gives, and releases.

The members are read every 3.5 seconds, and every second while one joins or leaves or a shard has no owner. The rows of
shards are read only when something may have changed in them: a member came or went, one told news, or this daemon may
begin with further shards. So the cost of a quiet fleet does not grow with its shards.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from poller.engine.fleet.life import Life
from poller.engine.fleet.said import UNOPENED, mappings_of, opens
from poller.engine.fleet.shards import Due, MemberShards
from poller.policy.membership import Membership
from poller.ports.fleet import FleetStore, MemberRow, MemberState
from poller.ports.fleet_status import Cause, MemberStatus, Move
from poller.support.rate_limited_log import RateLimitedLog
from poller.values.errors import LeaseLost, StateError

if TYPE_CHECKING:
    from poller.engine.fleet.hold import MemberHold

QUIET_SECONDS, BUSY_SECONDS = 3.5, 1.0
"""Between two readings of the members. A handover lasts as long where the store tells nobody, and is to take less than
5 s with the invocations around it.
"""
REREAD_SECONDS = 60.0
"""After which the shards are read in any case."""
SETTLES_SECONDS = 5.0
"""After a member came or went, during which more is expected to happen."""
AT_ONCE = 20
"""Claims at the same time."""
SWEPT_AFTER = 600.0
"""Seconds for which a dead member's row stays, so that everybody has seen what it owned."""
JITTER = 0.05


class Claiming:
    """Times are seconds of the member's clock."""

    def __init__(
        self,
        store: FleetStore,
        life: Life,
        *,
        lease_seconds: float,
        rebalance_delay_seconds: float,
        look_at_news: Callable[[], Awaitable[None]],
        seen: Callable[[Sequence[MemberRow], Callable[[str], float]], None],
        hurries: Callable[[], bool],
    ) -> None:
        """`look_at_news` is called when another member told news, `seen` each time the members were read: with them,
        and with what says by this member's clock until when each counts as alive. `hurries` says whether they are to be
        read more often.
        """
        self.shards: dict[str, MemberShards] = {}
        """By uuid of the mapping, those that run."""
        self.unreleased: list[MemberHold] = []
        """Holds that nobody works on any more."""
        self.rows: dict[str, MemberRow] = {}
        """The members as last read."""
        self._store = store
        self._life = life
        self._lease_seconds = lease_seconds
        self._rebalance_delay = rebalance_delay_seconds
        self._clock = life.now
        self._chance = life.chance
        self._log = life.log
        self._status = life.status
        self._look_at_news = look_at_news
        self._seen = seen
        self._hurries = hurries
        self._repeating = RateLimitedLog(life.log)
        self._membership = Membership(lease_seconds, life.now())
        self._news: dict[str, int] = {}
        self._dead_since: dict[str, float] = {}
        self._read_all_at = float("-inf")
        self._owners: dict[str, set[str]] = {}
        """By uuid, who owns shards of it."""
        self._now = asyncio.Event()

    def heard(self) -> None:
        """The store says that rows have changed, as when a shard was released to this member."""
        for shards in self.shards.values():
            shards.stale = True
        self.look_now()

    def look_now(self) -> None:
        """Something may have changed."""
        self._now.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._now.clear()
            seconds = BUSY_SECONDS
            try:
                if self._life.joined:
                    seconds = await self._look()
            except StateError as error:
                text = str(error)
                self._repeating.repeating("fleet_store_failed", asyncio.get_running_loop().time(), text=text)
            self._show()
            try:
                async with asyncio.timeout(seconds * (1 - JITTER + JITTER * self._chance())):
                    await self._now.wait()
            except TimeoutError:
                continue

    async def _look(self) -> float:
        """Returns after how many seconds to look again. Raises StateError."""
        rows = await self._store.members()
        now = self._clock()
        self.rows = {row.id: row for row in rows}
        changed = self._membership.observe(
            [(row.id, row.beat) for row in rows if row.state is not MemberState.DEAD], self._dead(), now
        )
        self._seen(rows, self._membership.alive_until)
        buried = await self._bury_expired(now)
        news = {row.id: row.news for row in rows}
        balance_at = self._membership.quiet_since + self._rebalance_delay
        due = self._read_all_at < balance_at <= now or now - self._read_all_at >= REREAD_SECONDS
        if changed or buried or news != self._news or due:
            self._read_all_at = now
            for shards in self.shards.values():
                shards.stale = True
            await self._look_at_news()
        await self._release_idle()
        waiting = await self._look_at_shards()
        # only now: where reading failed, they are still news
        self._news = news
        await self._sweep(now)
        return self._pause(now, busy=waiting or self._hurries())

    def _dead(self) -> list[str]:
        return [row.id for row in self.rows.values() if row.state is MemberState.DEAD]

    async def _bury_expired(self, now: float) -> bool:
        buried = False
        if not self._life.valid() or now - self._life.valid_since < self._lease_seconds:
            # the store was away for everybody: who beats again now is alive
            return False
        for member, beat in self._membership.expired(now, self._life.id):
            if await self._store.bury(member, beat):
                self._membership.buried(member, self._clock())
                self._log.warning("fleet_member_buried", member=member, name=self.name_of(member))
                buried = True
        return buried

    def moved(self, uuid: str, shard_id: str, cause: Cause, other: str | None) -> None:
        """A shard came to this member, or left it; `other` is the member that it came from or goes to."""
        name = None if other is None else self.name_of(other)
        self._status.move(Move(asyncio.get_running_loop().time(), uuid, shard_id, cause, name))

    def _show(self) -> None:
        valid, status = self._life.valid(), self._status
        status.written.sample(asyncio.get_running_loop().time(), float(status.writes))
        if valid:
            status.suspended_since = None
        elif status.suspended_since is None:
            status.suspended_since = asyncio.get_running_loop().time()
        held = Counter(owner for shards in self.shards.values() for owner in shards.owners())
        status.members = [
            MemberStatus(row.id, self.name_of(row.id) or "", str(row.facts.get("version", "")), row.state, held[row.id])
            for row in self.rows.values()
            if row.state is not MemberState.DEAD
        ]

    def conflict(self, uuid: str, event_source_arn: str) -> str | None:
        """See `Holdings.conflict`."""
        for member in self._running_on(uuid) - {self._life.id}:
            other = mappings_of(self.rows[member])[uuid]
            if other != event_source_arn:
                return f"{self.name_of(member)}, another daemon of the fleet, runs a mapping of this uuid on {other}"
        return None

    def runs_elsewhere(self, uuid: str) -> bool:
        """Whether another member says that it runs a mapping."""
        return bool(self._running_on(uuid) - {self._life.id})

    def name_of(self, member: str) -> str | None:
        """See `Owner.name_of`."""
        row = self.rows.get(member)
        name = None if row is None else row.facts.get("name")
        return name if isinstance(name, str) else None

    async def _look_at_shards(self) -> bool:
        """Returns whether a shard waits for an owner."""
        waiting = False
        for shards in [*self.shards.values()]:
            if shards.stale:
                shards.stale = False
                try:
                    waiting |= await self._look_at(shards)
                except StateError:
                    shards.stale = True
                    raise
        return waiting

    async def _look_at(self, shards: MemberShards) -> bool:
        leases = await self._store.leases(shards.uuid)
        now = self._clock()
        self._owners[shards.uuid] = {lease.owner for lease in leases.values() if lease.owner is not None}
        self._owners = {uuid: owners for uuid, owners in self._owners.items() if uuid in self.shards}
        self._membership.owning(set().union(*self._owners.values()), now)
        shards.note(leases, self._live(shards.uuid), self._is_dead, now)
        due = shards.due()
        await self._claim(shards, due)
        if now - self._membership.quiet_since >= self._rebalance_delay:
            for shard_id, to in due.give.items():
                self._log.info("fleet_shard_given", mapping=shards.uuid, partition=shard_id, to=self.name_of(to))
                shards.holds[shard_id].give(to)
        # released, or given: rows to read again soon
        shards.stale |= due.waiting or bool(due.give)
        return due.waiting or bool(due.give)

    def _running_on(self, uuid: str) -> frozenset[str]:
        """The members that say that they run a mapping."""
        rows = (row for row in self.rows.values() if row.state is MemberState.ACTIVE)
        return frozenset(row.id for row in rows if row.id in self._membership.live and uuid in mappings_of(row))

    def _live(self, uuid: str) -> frozenset[str]:
        """The members that may hold shards of a mapping."""
        me, own = self._life.id, self.shards.get(uuid)
        able = frozenset(member for member in self._running_on(uuid) - {me} if opens(self.rows[member], uuid))
        return able | {me} if self._life.may_hold and (own is None or own.opens) else able

    def facts(self) -> Mapping[str, Any]:
        """What the others have to know."""
        found = sorted(uuid for uuid, shards in self.shards.items() if not shards.opens)
        return {UNOPENED: found} if found else {}

    def _is_dead(self, member: str) -> bool:
        return member not in self._membership.live

    async def _claim(self, shards: MemberShards, due: Due) -> None:
        me, wanted = self._life.id, [*due.claim.items()]
        failed: StateError | None = None
        for start in range(0, len(wanted), AT_ONCE):
            some = wanted[start : start + AT_ONCE]
            calls = [self._store.claim(shards.uuid, shard, me, seen) for shard, seen in some]
            for (shard_id, seen), found in zip(some, await asyncio.gather(*calls, return_exceptions=True), strict=True):
                if isinstance(found, StateError):
                    # whether it took effect shows in the rows
                    failed = found
                elif isinstance(found, BaseException):
                    raise found
                elif found is not None and me == self._life.id:
                    self._log.info(
                        "fleet_shard_claimed",
                        mapping=shards.uuid,
                        partition=shard_id,
                        fence=found.fence,
                        of=None if seen.owner is None else self.name_of(seen.owner),
                    )
                    self.moved(shards.uuid, shard_id, Cause.CLAIMED, seen.owner)
                    shards.claimed(shard_id, found)
        if failed is not None:
            raise failed

    async def _release_idle(self) -> None:
        """Let others have what nobody here works on any more. One that fails is tried again."""
        idle = [hold for shards in self.shards.values() for hold in shards.idle()]
        waiting, self.unreleased = [hold for hold in self.unreleased if not hold.over], []
        results = await asyncio.gather(
            *(hold.release(None) for hold in (*idle, *waiting) if not hold.works), return_exceptions=True
        )
        self.unreleased += [hold for hold in waiting if not hold.over]
        for found in results:
            if isinstance(found, BaseException) and not isinstance(found, LeaseLost):
                raise found

    async def _sweep(self, now: float) -> None:
        self._dead_since = {member: self._dead_since.get(member, now) for member in self._dead()}
        old = [member for member, since in self._dead_since.items() if now - since >= SWEPT_AFTER]
        if old:
            await self._store.sweep(old)

    def _pause(self, now: float, *, busy: bool) -> float:
        leaving = any(row.state is MemberState.LEAVING for row in self.rows.values())
        settling = now - self._membership.quiet_since < SETTLES_SECONDS
        pause = BUSY_SECONDS if busy or leaving or settling or self.unreleased else QUIET_SECONDS
        until = self._membership.next_expiry(self._life.id)
        if until is not None:
            pause = min(pause, until - now if until > now else BUSY_SECONDS)
        quiet_in = self._membership.quiet_since + self._rebalance_delay - now
        if quiet_in > 0:
            # voluntary moves are due then
            pause = min(pause, quiet_in)
        return pause
