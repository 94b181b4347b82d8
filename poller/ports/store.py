"""The store of positions, retry states and pauses."""

from collections.abc import Collection
from typing import Protocol

from poller.policy.progress import Paused, ShardProgress, StreamProgress


class StateStore(Protocol):
    """Stores positions beyond the process's life, by mapping. A call that raises StateError has changed nothing."""

    async def load(self, uuid: str) -> StreamProgress | None:
        """Load everything stored of a mapping; None for a new one."""
        ...

    async def begin(self, uuid: str, progress: StreamProgress) -> None:
        """Replace everything that was stored of the mapping."""
        ...

    async def save(self, uuid: str, shard_id: str, progress: ShardProgress) -> None:
        """Store one shard. Returns when it is durable; calls made together are written together, and of several for
        one shard the last counts.
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

    def problem(self) -> str | None:
        """Why a restart of the daemon could help: the store hangs, or it was taken away. None while all is well."""
        ...

    async def look(self) -> None:
        """Look whether the store is still there, for `problem`."""
        ...
