"""The shards of one mapping that this member of a fleet holds, and what it knows of those of others."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from poller.engine.fleet.hold import MemberHold
from poller.engine.fleet.owner import Owner
from poller.policy.shard_plan import plan
from poller.ports.fleet import Claimed, Lease
from poller.ports.fleet_status import Cause
from poller.ports.holdings import Hold, Listed
from poller.ports.status import Reason, ReasonCode

LEFT_SECONDS = 3.0
"""Seconds for which members leave an orphan to the one that the plan names: three readings of the rows. Then anybody
takes it.
"""
HEIR_SECONDS = 10.0
"""Likewise for a shard that was released to a living member. One with nothing to do reads the members every 3.5
seconds, and if the giver took the shard back before that, it would give it again, and again.
"""
OPENS_SECONDS = 5.0
"""Seconds in which a daemon opens a stream; after that the others do not give it shards that it cannot read."""


def _nothing() -> None:
    """Nobody has connected yet."""


@dataclass(frozen=True, slots=True)
class Due:
    """What a member does with the shards of a mapping now."""

    claim: Mapping[str, Lease]
    """In the order in which to claim, each as it was seen."""
    give: Mapping[str, str]
    waiting: bool
    """Whether a shard waits for a member that is to take it."""


class MemberShards:
    """The `Holdings` of a member for one run of a mapping."""

    shared = True

    def __init__(self, member: Owner, uuid: str, event_source_arn: str) -> None:
        self.uuid = uuid
        self.event_source_arn = event_source_arn
        self.life = member.life
        self.saving = member.saving
        self.interval = member.checkpoint_interval
        self.holds: dict[str, MemberHold] = {}
        self.stale = True
        """Whether the rows must be read again."""
        self.known = False
        self.elsewhere: frozenset[str] = frozenset()
        self._opens_since: float | None = None
        """By the member's clock, since when the stream is to be opened; None while nothing is tried, or it is open."""
        self._member = member
        self._changed: Callable[[], None] = _nothing
        self._startable: dict[str, tuple[str, ...]] = {}
        """Shards that the source may begin with, each with its parents."""
        self._finished: set[str] = set()
        self._told_finished: set[str] = set()
        self._ended_here: set[str] = set()
        """Shards that this member read to their end: it begins with their children at once."""
        self._leases: Mapping[str, Lease] = {}
        self._live: frozenset[str] = frozenset()
        """Members that may hold shards, as last seen."""
        self._unclaimed: dict[str, tuple[int, float]] = {}
        """Orphans: their fence, and since when they are."""
        self._now = float("-inf")
        self._heirs: Mapping[str, str] | None = None

    # see `Holdings`

    def connect(self, changed: Callable[[], None]) -> None:
        self._changed, self._opens_since = changed, self.life.now()
        self._member.opened(self)

    def take(self, startable: Sequence[Listed]) -> Sequence[Hold]:
        if not self.opens:
            # the others may reckon with this member again
            self.life.hurry()
        self._opens_since = None
        offered = {shard.id: shard.parents for shard in startable}
        new = [hold for hold in self.holds.values() if not hold.taken and hold.shard_id in offered]
        for hold in new:
            hold.taken = True
        if offered.keys() - self._startable.keys() - self.holds.keys():
            self.stale = True
            self._member.look()
        self._startable = offered
        return new

    def conflict(self) -> str | None:
        return self._member.conflict(self.uuid, self.event_source_arn)

    def listed(self, digest: str | None) -> None:
        self._member.listings.listed(self.uuid, self.event_source_arn, digest)

    def listing(self) -> str | None:
        return self._member.listings.other(self.uuid)

    def waiting(self) -> Iterator[tuple[str, Reason]]:
        for shard in sorted(self.elsewhere):
            owner = self._leases[shard].owner
            yield shard, Reason(ReasonCode.NOT_MINE, f"read by {self._named(owner)}")
        for shard in self._unclaimed:
            lease = self._leases.get(shard, Lease())
            if lease.next is not None:
                text = f"released to {self._named(lease.next)}, which is about to begin"
            elif lease.owner is not None:
                text = f"{self._named(lease.owner)} had it and is dead; another daemon is about to begin"
            else:
                text = "nobody reads it; a daemon is about to begin"
            yield shard, Reason(ReasonCode.WAITING_FOR_HANDOVER, text)

    def _named(self, member: str | None) -> str:
        return (member and self._member.name_of(member)) or "another daemon"

    def finished(self) -> Collection[str]:
        new = self._finished - self._told_finished
        self._told_finished |= new
        return new

    def reset(self) -> None:
        holds, self.holds, self._startable = self.holds, {}, {}
        self._member.release(holds.values())

    def close(self) -> None:
        self._changed = _nothing
        self.reset()
        self._member.closed(self)

    @property
    def opens(self) -> bool:
        """False where the stream could not be opened for a while, as where it is refused to this daemon alone."""
        return self._opens_since is None or self.life.now() - self._opens_since < OPENS_SECONDS

    # what the member does

    def listed_elsewhere(self) -> None:
        """Another member says that it has listed the stream."""
        self._changed()

    def note(self, leases: Mapping[str, Lease], live: frozenset[str], dead: Callable[[str], bool], now: float) -> None:
        """These are the rows `now`. `live` are the members that may hold shards of the mapping, `dead` says of an owner
        whether its life is over.
        """
        me, before = self.life.id, (self.known, self.elsewhere, self._finished, self._unclaimed.keys())
        self.known = True
        self._leases, self._live, self._heirs, self._now = leases, live, None, now
        for hold in [*self.holds.values()]:
            lease = leases.get(hold.shard_id)
            if lease is not None and lease.fence > hold.fence:
                hold.lose()
        # those that are forgotten in the store are forgotten here
        self._ended_here &= leases.keys()
        self._told_finished &= leases.keys()
        self._finished = self._ended_here | {shard for shard, lease in leases.items() if lease.finished}
        self.elsewhere = frozenset(
            shard
            for shard, lease in leases.items()
            if lease.owner is not None and lease.owner != me and not (lease.finished or dead(lease.owner))
        )
        self._count_unclaimed()
        if (True, self.elsewhere, self._finished, self._unclaimed.keys()) != before:
            self._changed()

    def _count_unclaimed(self) -> None:
        found = {}
        for shard in self._startable:
            lease = self._leases.get(shard, Lease())
            if shard not in self.holds and shard not in self.elsewhere:
                fence, since = self._unclaimed.get(shard, (lease.fence, self._now))
                found[shard] = (lease.fence, since if fence == lease.fence else self._now)
        self._unclaimed = found

    def due(self) -> Due:
        """By the rows last read."""
        me, owners = self.life.id, self._owners()
        planned = plan(me, self._live, owners, self.uuid)
        own = {shard for shard in self._unclaimed if self.is_mine(shard)}
        late = {shard for shard in self._unclaimed if self._is_late(shard)}
        if me not in self._live:
            own, late = set(), set()
        claim = [
            shard for shard in (*planned.claim, *sorted((own | late) - {*planned.claim})) if shard in self._unclaimed
        ]
        give = {
            shard: to for shard, to in planned.give.items() if shard in self.holds and self.holds[shard].giving is None
        }
        return Due({shard: self._leases.get(shard, Lease()) for shard in claim}, give, bool(self._unclaimed))

    def is_mine(self, shard: str) -> bool:
        """Whether this member takes an orphan before any plan: it was released to it, or nobody had it before and its
        parents ended here, or a claim of its own took effect without an answer.
        """
        lease = self._leases.get(shard, Lease())
        if self.life.id in (lease.owner, lease.next):
            return True
        return not (lease.fence or self._ended_here.isdisjoint(self._startable.get(shard, ())))

    def _is_late(self, shard: str) -> bool:
        heir = self._leases.get(shard, Lease()).next
        return self._now - self._unclaimed[shard][1] > (HEIR_SECONDS if heir in self._live else LEFT_SECONDS)

    def _owners(self) -> dict[str, str | None]:
        """The shards that may be read, each with the member that has it or is to have it."""
        owners: dict[str, str | None] = dict.fromkeys(self.holds, self.life.id)
        for shard in self.elsewhere:
            owners[shard] = self._leases[shard].owner
        for shard in self._unclaimed:
            if self.is_mine(shard):
                owners[shard] = self.life.id
            else:
                owners[shard] = None if self._is_late(shard) else self._leases.get(shard, Lease()).next
        for shard, lease in self._leases.items():
            # released, and the source here has not said yet that it may begin: left out, a further shard would be given
            if lease.next is not None and not lease.finished:
                owners.setdefault(shard, lease.next)
        return owners

    def claimed(self, shard_id: str, claimed: Claimed) -> None:
        """The claim took effect."""
        if claimed.progress.finished:
            return
        self.holds[shard_id] = MemberHold(self, shard_id, self.life.id, claimed)
        self._unclaimed.pop(shard_id, None)
        self._heirs = None
        self._changed()

    def heir(self, hold: MemberHold) -> str | None:
        """The member to release a shard to."""
        if hold.giving is not None:
            return hold.giving
        me = self.life.id
        if self._member.runs(self.uuid):
            return me
        if self._heirs is None:
            others = self._live - {me}
            self._heirs = plan(me, others, self._owners(), self.uuid).give
        return self._heirs.get(hold.shard_id)

    def owners(self) -> list[str]:
        """The owner of each shard that has one, as far as is known."""
        others = [self._leases[shard].owner or "" for shard in self.elsewhere]
        return [*others, *[self.life.id] * len(self.holds)]

    def lost(self, hold: MemberHold) -> None:
        """Another member may have the shard."""
        lease = self._leases.get(hold.shard_id, Lease())
        self._member.moved(self.uuid, hold.shard_id, Cause.LOST, lease.owner if lease.fence > hold.fence else None)
        self._forget(hold)

    def _forget(self, hold: MemberHold) -> None:
        if self.holds.get(hold.shard_id) is hold:
            del self.holds[hold.shard_id]
        self.stale = True
        self._member.look()

    def end(self, hold: MemberHold, *, finished: bool) -> None:
        """The hold was released, or its shard is finished: others should know."""
        if finished:
            self._finished.add(hold.shard_id)
            self._told_finished.add(hold.shard_id)
            self._ended_here.add(hold.shard_id)
        else:
            self._member.moved(self.uuid, hold.shard_id, Cause.GIVEN, hold.released_to)
        self._forget(hold)
        self.life.tell()

    def idle(self) -> Iterable[MemberHold]:
        """Holds that were to be left, and of which nothing runs that could release them."""
        return [hold for hold in self.holds.values() if hold.giving is not None and not hold.works]
