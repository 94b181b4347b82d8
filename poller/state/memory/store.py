"""Keeps positions only as long as the process lives: `state: memory:`, and tests."""

from collections.abc import Collection
from copy import deepcopy

from poller.policy.actions import MOST_ACTIONS, Action
from poller.policy.progress import Paused, ShardProgress, StreamProgress, replaces
from poller.state.memory.kept import KeptInMemory
from poller.values.stored_mapping import StoredMapping, follows, versions_of


class MemoryStore(KeptInMemory):
    """A `StateStore` that forgets everything at exit."""

    def __init__(self) -> None:
        self._mappings: dict[str, StreamProgress] = {}
        self._made: dict[str, StoredMapping] = {}
        self._paused: dict[str, Paused] = {}
        self._actions: dict[str, Action] = {}
        self._kept = {}

    async def load(self, uuid: str) -> StreamProgress | None:
        progress = self._mappings.get(uuid)
        return None if progress is None else progress.copied()

    async def open(
        self,
        uuid: str,
        first: StreamProgress,
        *,
        instead_of: StreamProgress | None = None,
        by: str | None = None,  # noqa: ARG002 - nobody else is there to declare it dead
    ) -> StreamProgress:
        stands = self._mappings.get(uuid)
        if stands is None or replaces(instead_of, stands):
            stands = self._mappings[uuid] = first.copied()
        return stands.copied()

    async def save(self, uuid: str, shard_id: str, progress: ShardProgress) -> None:
        if uuid in self._mappings:
            self._mappings[uuid].shards[shard_id] = progress

    async def drop(self, uuid: str, shard_ids: Collection[str]) -> None:
        for shard_id in shard_ids:
            self._mappings[uuid].shards.pop(shard_id, None)

    async def stored(self) -> dict[str, tuple[str, str]]:
        return {uuid: (progress.name, progress.event_source_arn) for uuid, progress in self._mappings.items()}

    async def forget(self, uuid: str) -> None:
        self._mappings.pop(uuid, None)

    async def paused(self) -> dict[str, Paused]:
        return dict(self._paused)

    async def pause(self, uuid: str, paused: Paused) -> None:
        self._paused[uuid] = paused

    async def resume(self, uuid: str) -> None:
        self._paused.pop(uuid, None)

    async def note(self, action: Action) -> None:
        self._actions[action.id] = action
        for surplus in list(self._actions)[:-MOST_ACTIONS]:
            del self._actions[surplus]

    async def actions(self) -> list[Action]:
        return [*reversed(self._actions.values())]

    async def mappings(self) -> dict[str, StoredMapping]:
        return deepcopy(self._made)

    async def mappings_version(self) -> str:
        return versions_of(self._made.values())

    async def write_mapping(self, mapping: StoredMapping) -> bool:
        if not follows(mapping, self._made.get(mapping.uuid)):
            return False
        self._made[mapping.uuid] = deepcopy(mapping)
        return True

    async def remove_mapping(self, uuid: str) -> None:
        self._made.pop(uuid, None)

    def problem(self) -> str | None:
        return None

    async def look(self) -> None:
        """Memory is never taken away."""
