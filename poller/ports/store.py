"""The store of positions, retry states, pauses, actions, and mappings made through Lambda's API."""

from collections.abc import Collection
from typing import Protocol

from poller.policy.actions import Action
from poller.policy.progress import Paused, ShardProgress, StreamProgress
from poller.values.kept import Kept
from poller.values.stored_mapping import StoredMapping


class MappingStore(Protocol):
    """Mappings beside those of the configuration's files. Raises StateError as `Positions` does."""

    async def mappings(self) -> dict[str, StoredMapping]:
        """All of them by uuid, those that are to go included."""
        ...

    async def mappings_version(self) -> str:
        """Another text after every `write_mapping` that changed something, by whichever daemon. Asked every few
        seconds, so it costs a row, however many mappings there are.
        """
        ...

    async def write_mapping(self, mapping: StoredMapping) -> bool:
        """Store a new mapping (revision 1), or the next revision of one. False, and nothing has changed, where neither
        the revision before nor this very mapping is stored.
        """
        ...

    async def remove_mapping(self, uuid: str) -> None:
        """Delete a mapping. Its position and its pause are not touched."""
        ...


class KeptStore(Protocol):
    """What is kept for people beside positions. Raises StateError as `Positions` does."""

    async def keep(self, kept: Kept) -> None:
        """Store it, also in the place of an older one with the same room and id."""
        ...

    async def kept(self, room: str) -> list[Kept]:
        """All of a room without their bodies, the latest first."""
        ...

    async def kept_one(self, room: str, key: str) -> Kept | None:
        """One of them with its body."""
        ...

    async def let_go(self, room: str, ids: Collection[str]) -> None:
        """Delete these of a room, as far as they are there."""
        ...


class Positions(MappingStore, KeptStore, Protocol):
    """What every store does, whether one daemon uses it or several. A call that raises StateError has changed nothing,
    or its answer was lost; each of these calls may be made again.
    """

    async def load(self, uuid: str) -> StreamProgress | None:
        """Load everything stored of a mapping; None for a new one."""
        ...

    async def open(
        self, uuid: str, first: StreamProgress, *, instead_of: StreamProgress | None = None, by: str | None = None
    ) -> StreamProgress:
        """Store `first` where nothing is stored of the mapping, and return what is stored afterwards. So the starting
        position is resolved once, however many daemons ask.

        `instead_of` gives up what is stored of another stream: everything stored of the mapping is replaced by `first`
        while the stored `event_source_arn` and `epoch` are still those of `instead_of`, and its `opening` where it has
        one. `by` is the member of a fleet that replaces it: of a dead one nothing is replaced.
        """
        ...

    async def drop(self, uuid: str, shard_ids: Collection[str]) -> None:
        """Forget shards that are finished and no longer listed."""
        ...

    async def stored(self) -> dict[str, tuple[str, str]]:
        """Name and event source ARN of every mapping in the store, by uuid."""
        ...

    async def forget(self, uuid: str) -> None:
        """Delete a mapping's position."""
        ...

    async def paused(self) -> dict[str, Paused]:
        """Paused mappings by uuid, those that are not configured included."""
        ...

    async def pause(self, uuid: str, paused: Paused) -> None:
        """Store that a mapping is paused, whether or not anything else is stored of it."""
        ...

    async def resume(self, uuid: str) -> None:
        """Store that a mapping is not paused."""
        ...

    async def note(self, action: Action) -> None:
        """Store an action of a person, or what became of it: the id tells one from another. The latest `MOST_ACTIONS`
        are kept.
        """
        ...

    async def actions(self) -> list[Action]:
        """The stored actions, the latest first."""
        ...

    def problem(self) -> str | None:
        """Why a restart of the daemon could help: the store hangs, or it was taken away. None while all is well."""
        ...

    async def look(self) -> None:
        """Look whether the store is still there, for `problem`."""
        ...


class StateStore(Positions, Protocol):
    """Stores positions beyond the process's life, by mapping, as one daemon sees it."""

    async def save(self, uuid: str, shard_id: str, progress: ShardProgress) -> None:
        """Store one shard. Returns when it is durable; calls made together are written together, and of several for
        one shard the last counts. Raises LeaseLost where another daemon may hold the shard by now: nothing was stored.
        """
        ...
