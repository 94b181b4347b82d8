"""Which shards of a stream this daemon reads, and whether it may still begin work on them.

A daemon by itself reads all of them, always. A member of a fleet reads those that it has claimed: another member may
take one over once this daemon has released it, or could not prove for a while that it is alive.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Protocol

from poller.policy.progress import ShardProgress
from poller.ports.status import Reason
from poller.ports.store import Positions
from poller.runtime.stop import Stop


class Permit(Protocol):
    """The right to begin work on a shard that others may take over."""

    @property
    def shard_id(self) -> str: ...

    @property
    def fence(self) -> int:
        """The number under which this daemon has the shard. The next owner's is higher."""
        ...

    def valid(self) -> bool:
        """Whether work may begin now. Asked directly before it begins, with no await between."""
        ...

    async def renewed(self, stop: Stop) -> bool:
        """Wait until work may begin; False at a soft stop, which also comes when the shard is lost."""
        ...


class Hold(Protocol):
    """One shard that this daemon reads."""

    @property
    def shard_id(self) -> str: ...

    @property
    def progress(self) -> ShardProgress | None:
        """What was stored of the shard when it was claimed; None where the mapping's progress says."""
        ...

    @property
    def interval(self) -> float:
        """Seconds between two saves of progress that can wait; 0 where it is saved as it comes."""
        ...

    @property
    def permit(self) -> Permit | None:
        """None where work may always begin."""
        ...

    def connect(self, *, give: Callable[[], None], lose: Callable[[], None]) -> None:
        """Call `give` when the shard is to be left softly and released, and `lose` when another daemon may have it."""
        ...

    def enter(self) -> None:
        """The shard is worked on from now on, until `left`."""
        ...

    def left(self) -> None:
        """Nothing of the shard runs any more."""
        ...

    def save(self, progress: ShardProgress) -> Awaitable[None]:
        """Store progress, as `StateStore.save`; a finished one ends the hold. Raises StateError and LeaseLost."""
        ...

    def release(self, progress: ShardProgress) -> Awaitable[None]:
        """Store the last progress and let others have the shard, in one write. Raises StateError and LeaseLost."""
        ...


class Listed(Protocol):
    """A shard as it is listed."""

    @property
    def id(self) -> str: ...

    @property
    def parents(self) -> tuple[str, ...]: ...


class Holdings(Protocol):
    """The shards of one run of a mapping that this daemon reads. Every call but those of a `Hold` is synchronous."""

    @property
    def shared(self) -> bool:
        """Whether other daemons read shards of this stream."""
        ...

    @property
    def known(self) -> bool:
        """Whether it is known what other daemons do. Before that nothing of the stream may be opened."""
        ...

    def conflict(self) -> str | None:
        """Why the mapping must not run here, for a person: another daemon runs one of its uuid on another stream."""
        ...

    def waiting(self) -> Iterable[tuple[str, Reason]]:
        """Shards that are not read here, each with the reason: another daemon has it, or is to have it."""
        ...

    @property
    def elsewhere(self) -> Collection[str]:
        """Shards that other living daemons read."""
        ...

    def connect(self, changed: Callable[[], None]) -> None:
        """The mapping's stream is read from now on. Calls `changed` when any of the answers here is another."""
        ...

    def take(self, startable: Sequence[Listed]) -> Sequence[Hold]:
        """Shards to begin with, of those that may be read and that nobody reads. Each is returned once; more of them
        may be claimed later, and `changed` is called then.
        """
        ...

    def finished(self) -> Collection[str]:
        """Shards that other daemons read to their end, each returned once."""
        ...

    def listed(self, digest: str | None) -> None:
        """The stream was listed here, and what was found has this digest; None where that failed."""
        ...

    def listing(self) -> str | None:
        """The digest of what the daemon found that lists the stream for this one, too. None where there is none."""
        ...

    def reset(self) -> None:
        """Give up every hold: they were of a stream that was replaced, or nothing may be read."""
        ...

    def close(self) -> None:
        """The run of the mapping has ended. Holds that were not released are, where that is possible."""
        ...


class Resizable(Protocol):
    """Slots for invocations."""

    limit: int | None
    taken: int
    """Slots in use."""

    def resize(self, limit: int | None) -> None:
        """Change the limit. Invocations beyond a lower one end by themselves."""
        ...


class Rests(Protocol):
    """Polls a queue, and need not while another daemon takes all that it has."""

    def join(self, tell: Callable[[], None]) -> Callable[[], None]:
        """Several daemons poll the queue, until the returned function is called. `tell` has the others hear soon that
        this one attends it no longer.
        """
        ...

    def attends(self) -> bool:
        """Whether this daemon takes all that the queue has. The others are told the answer."""
        ...

    def rest(self, until: float, other: str) -> None:
        """Another daemon attends the queue, at least until that time of the loop; `other` says so to people."""
        ...


class Fleet(Protocol):
    """Where the positions of mappings are, and which of their shards are this daemon's."""

    @property
    def store(self) -> Positions: ...

    def holdings(self, uuid: str, event_source_arn: str) -> Holdings:
        """For one run of a mapping."""
        ...

    @property
    def shared(self) -> bool:
        """Whether other daemons run the same mappings."""
        ...

    def share(self, uuid: str, limit: int, slots: Resizable) -> Callable[[], None]:
        """Keep the slots of a mapping to this daemon's part of a limit that holds for all daemons together, until the
        returned function is called: no invocation of it may run then.
        """
        ...

    def attend(self, uuid: str, event_source_arn: str, rests: Rests) -> Callable[[], None]:
        """Let daemons rest while another one attends the queue of a mapping, until the returned function is called."""
        ...

    def runs_elsewhere(self, uuid: str) -> bool:
        """Whether another daemon is known to run the mapping."""
        ...
