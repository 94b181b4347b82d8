"""A fleet: daemons that run the same mappings on one store, each shard on one daemon at a time.

`FleetStore` is what a shared store offers; it decides nothing and knows no time. The daemons decide from its rows.
Liveness is by daemon: one row with a counter, the beat. Safety is by shard: each row has an owner and a fence.

The promises every store keeps, by one conditional write for each:

    join      the row of the member is absent. A daemon takes a new id (uuid4) in each life
    beat n    the row is there, is not dead, and its beat is lower than n
    bury      the beat is the one last seen. Dead is final: no write makes a row alive again
    claim     (owner, fence) are as seen, and the shard is not finished. The fence rises by one, the version begins at 0
    save, finish, release
              the owner is this member, the fence is its fence, and the stored version is lower

Every write may be sent again after a lost answer, by the caller or inside the store, and the second sending changes
nothing and tells what the first would have told. A write that was delayed on its way fails by its beat, fence or
version. Since dead is final, a bury and the claims after it need no transaction. Reads are consistent: they show every
write that was acknowledged before they were sent.

A store object is one fleet's: the fleet's name is given when it is made, and rows of other fleets are not seen. Raises
StateError where the store could not be reached, refused, or did not answer in time; whether a write took effect is not
known then. Every call has a deadline of its own, shorter than half of the lease.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from poller.policy.progress import ShardProgress
from poller.ports.store import Positions


class MemberState(StrEnum):
    """What a member says of itself, or what was decided about it."""

    ACTIVE = "active"
    LEAVING = "leaving"
    """It stops: it takes no more shards, and releases those it has."""
    DEAD = "dead"
    """It left, or was buried. Final."""


@dataclass(frozen=True, slots=True)
class MemberRow:
    """One life of a daemon in the fleet."""

    id: str
    """A uuid4, new in each life."""
    beat: int
    """Rises with every beat, from 0. Observers only see whether it changes."""
    state: MemberState
    news: int
    """Rises when the member changed rows that others should read: it released or finished a shard, or paused a
    mapping."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """JSON object of what others need to know: name, version, mappings."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Who may work on a shard, as its row says. A shard without a row has the default one."""

    owner: str | None = None
    """The member's id; None when nobody holds it."""
    fence: int = 0
    """Rises with every claim. What is stored and started by a lower one is too late."""
    version: int = 0
    """Rises with every save by one owner."""
    next: str | None = None
    """The member that the last owner released it to. Others leave it to that one for a while."""
    finished: bool = False
    """Whether the shard was read to its end and all of it is settled."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A shard that the member holds from now on."""

    fence: int
    progress: ShardProgress
    """Positions, retry state and windows as stored: the work goes on where it was left. A shard that was never claimed
    has what `open` stored of it, else nothing."""


@dataclass(frozen=True, slots=True)
class Write:
    """One conditional write of a shard's progress, by the member that holds it."""

    uuid: str
    shard_id: str
    fence: int
    version: int
    """Higher than that of every write before under the same fence."""
    progress: ShardProgress | None
    """The new progress; None leaves the stored one as it is, for a release only. A finished one also ends the
    ownership: owner and `next` are nobody."""
    release: bool = False
    """Whether nobody owns the shard after this write."""
    to: str | None = None
    """For a release: the member that should have the shard next."""


class FleetStore(Positions, Protocol):
    """The shared store of one fleet.

    Of `Positions`: `open` is one conditional write. What it replaces by `instead_of` keeps the row of each shard, with
    the fence raised by one, version 0 and no owner, so that a delayed write for the old stream fails. `drop` deletes
    rows of finished shards only. `forget` deletes the mapping's rows, and what its holders save then is lost.
    """

    async def join(self, member: str, facts: Mapping[str, Any]) -> bool:
        """Add the member's row: active, beat 0, news 0. Returns False where a row of that id is dead."""
        ...

    async def beat(
        self, member: str, beat: int, state: MemberState, news: int, facts: Mapping[str, Any] | None = None
    ) -> bool:
        """Store a beat, and everything with it; facts of None stay as they are. Returns False where the member is dead
        or has no row: its life is over.

        A row whose beat is already as high or higher is not changed, and the answer is whether it is alive. The caller
        never sends one number twice, and counts its lease from before the call: a store may send again inside a call.
        """
        ...

    async def bury(self, member: str, seen: int | None) -> bool:
        """Declare a member dead if its beat is still `seen`; None for a member that owns a shard and has no row, which
        then gets a dead one. Returns whether it is dead now, also where another had buried it.
        """
        ...

    async def leave(self, member: str) -> None:
        """The member's own end: its row is dead, whatever its beat. Shards that it still owns are orphans at once."""
        ...

    async def members(self) -> list[MemberRow]:
        """Every row, dead ones included."""
        ...

    async def sweep(self, members: Collection[str]) -> None:
        """Delete the rows of these members as far as they are dead. The caller has seen that they own nothing."""
        ...

    async def leases(self, uuid: str) -> dict[str, Lease]:
        """The leases of all shards of a mapping that have a row, without their progress, because
        this is read often and there may be thousands.
        """
        ...

    async def claim(self, uuid: str, shard_id: str, member: str, seen: Lease) -> Claimed | None:
        """Take a shard whose owner and fence are still as in `seen`, and which is not finished. The caller has seen
        that its owner is nobody, dead, or the member itself, which does not work on it. Clears `next`.

        Returns None where the row has changed since. A claim that is sent again finds (member, seen.fence + 1, version
        0) stored, and returns what the first would have.
        """
        ...

    async def write(self, member: str, writes: Sequence[Write]) -> set[tuple[str, str]]:
        """Do all these writes, each by its own condition, in as few statements as possible. Returns uuid and shard id
        of those that are lost: another member has the shard, or the row is gone.

        One that was stored before (same fence, and a version as high) is not lost. For a release, and a finished shard,
        neither is one whose row has the same fence and no owner.
        """
        ...

    def listen(self, wake: Callable[[], None], told: Callable[[], None]) -> None:
        """Call `wake` on the event loop when the rows may have changed, and `told` when a member's facts have, where
        the store can tell. Only hastens: a store may never call them. Called once, before the first write.
        """
        ...
