"""Positions for the life of the process only: `state: memory:`, and tests."""

from collections.abc import Collection
from copy import deepcopy

from poller.policy.progress import Paused, ShardProgress, StreamProgress


class MemoryStore:
    """A `StateStore` that forgets everything at exit."""

    def __init__(self) -> None:
        self._mappings: dict[str, StreamProgress] = {}
        self._paused: dict[str, Paused] = {}

    async def load(self, uuid: str) -> StreamProgress | None:
        """See `StateStore`."""
        return deepcopy(self._mappings.get(uuid))

    async def begin(self, uuid: str, progress: StreamProgress) -> None:
        """See `StateStore`."""
        self._mappings[uuid] = deepcopy(progress)

    async def save(self, uuid: str, shard_id: str, progress: ShardProgress) -> None:
        """See `StateStore`."""
        if uuid in self._mappings:
            self._mappings[uuid].shards[shard_id] = progress

    async def drop(self, uuid: str, shard_ids: Collection[str]) -> None:
        """See `StateStore`."""
        for shard_id in shard_ids:
            self._mappings[uuid].shards.pop(shard_id, None)

    async def stored(self) -> dict[str, tuple[str, str]]:
        """See `StateStore`."""
        return {uuid: (progress.name, progress.event_source_arn) for uuid, progress in self._mappings.items()}

    async def forget(self, uuid: str) -> None:
        """See `StateStore`."""
        self._mappings.pop(uuid, None)

    async def paused(self) -> dict[str, Paused]:
        """See `StateStore`."""
        return dict(self._paused)

    async def pause(self, uuid: str, paused: Paused) -> None:
        """See `StateStore`."""
        self._paused[uuid] = paused

    async def resume(self, uuid: str) -> None:
        """See `StateStore`."""
        self._paused.pop(uuid, None)

    def trouble(self) -> str | None:
        """See `StateStore`."""
        return None

    async def look(self) -> None:
        """See `StateStore`."""
