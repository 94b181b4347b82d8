"""One daemon on a shared store, without a fleet around it.

Each shard is claimed before its first save in this life, whoever held it, so that a daemon which was believed dead and
is not stores nothing over what its successor stored. It is told so, and its batches wait.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from uuid import uuid4

from poller.policy.actions import Action
from poller.policy.progress import Paused, ShardProgress, StreamProgress
from poller.ports.fleet import FleetStore, Lease, Write
from poller.state.presence import Presence, present
from poller.values.errors import StateError
from poller.values.kept import Kept
from poller.values.stored_mapping import StoredMapping

CLAIMS_AT_ONCE = 20


def new_member() -> str:
    """An id for one life."""
    return str(uuid4())


@asynccontextmanager
async def alone(store: FleetStore, where: str) -> AsyncIterator["Sole"]:
    """The rows for a daemon that is in no fleet. Raises EnvironmentProblem where another daemon uses them."""
    member = new_member()
    async with present(store, member, where) as presence:
        yield Sole(store, member, presence)


class Sole:
    """A `StateStore` over the store of a fleet. A shard that another daemon took is a StateError at each save."""

    def __init__(self, store: FleetStore, member: str, presence: Presence | None = None) -> None:
        """`member` is new in each life. Without a presence no other daemon sees that this one is there."""
        self._presence = presence
        self._store = store
        self._member = member
        self._fences: dict[tuple[str, str], int] = {}
        self._version = 0
        self._waiting: dict[tuple[str, str], ShardProgress] = {}
        self._committed: asyncio.Task[dict[tuple[str, str], str]] | None = None
        self._order = asyncio.Lock()
        """Saves, and what takes away the rows that they are for, one after the other."""

    async def load(self, uuid: str) -> StreamProgress | None:
        return await self._store.load(uuid)

    async def open(
        self,
        uuid: str,
        first: StreamProgress,
        *,
        instead_of: StreamProgress | None = None,
        by: str | None = None,  # noqa: ARG002 - nobody else is there to declare it dead
    ) -> StreamProgress:
        async with self._order:
            self._let_go(uuid)
            return await self._store.open(uuid, first, instead_of=instead_of)

    async def save(self, uuid: str, shard_id: str, progress: ShardProgress) -> None:
        self._waiting[uuid, shard_id] = progress
        if self._committed is None:
            self._committed = asyncio.ensure_future(self._commit())
        # the cancellation of one caller must not cancel the commit of the others
        refused = await asyncio.shield(self._committed)
        if (uuid, shard_id) in refused:
            raise StateError(refused[uuid, shard_id])

    async def _commit(self) -> dict[tuple[str, str], str]:
        """Store everything handed over in this turn of the loop, and during the commit before, together. Returns why
        shards were refused.
        """
        await asyncio.sleep(0)
        async with self._order:
            # taken now, so that what is handed over from now on has a commit of its own
            changes, self._waiting, self._committed = self._waiting, {}, None
            refused = await self._claim([key for key in changes if key not in self._fences])
            self._version += 1
            writes = [
                Write(uuid, shard, self._fences[uuid, shard], self._version, progress)
                for (uuid, shard), progress in changes.items()
                if (uuid, shard) in self._fences
            ]
            for uuid, shard in await self._store.write(self._member, writes):
                refused[uuid, shard] = _taken(shard)
            for key, progress in changes.items():
                if progress.finished:
                    self._fences.pop(key, None)
            return refused

    async def _claim(self, keys: list[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Take shards, whoever has them. Returns why some could not be taken."""
        seen = {uuid: await self._store.leases(uuid) for uuid in {uuid for uuid, _ in keys}}
        some = asyncio.Semaphore(CLAIMS_AT_ONCE)
        refused: dict[tuple[str, str], str] = {}

        async def claim(uuid: str, shard: str) -> None:
            lease = seen[uuid].get(shard, Lease())
            async with some:
                claimed = await self._store.claim(uuid, shard, self._member, lease)
            if claimed is None:
                refused[uuid, shard] = _finished(shard) if lease.finished else _taken(shard)
            else:
                self._fences[uuid, shard] = claimed.fence

        for failed in await asyncio.gather(*(claim(*key) for key in keys), return_exceptions=True):
            if failed is not None:
                raise failed
        return refused

    def _let_go(self, uuid: str) -> None:
        """What waits to be stored, and every claim, is for rows that are taken away."""
        self._waiting = {key: progress for key, progress in self._waiting.items() if key[0] != uuid}
        self._fences = {key: fence for key, fence in self._fences.items() if key[0] != uuid}

    async def drop(self, uuid: str, shard_ids: Collection[str]) -> None:
        await self._store.drop(uuid, shard_ids)

    async def stored(self) -> dict[str, tuple[str, str]]:
        return await self._store.stored()

    async def forget(self, uuid: str) -> None:
        async with self._order:
            self._let_go(uuid)
            await self._store.forget(uuid)

    async def paused(self) -> dict[str, Paused]:
        return await self._store.paused()

    async def pause(self, uuid: str, paused: Paused) -> None:
        await self._store.pause(uuid, paused)

    async def resume(self, uuid: str) -> None:
        await self._store.resume(uuid)

    async def note(self, action: Action) -> None:
        await self._store.note(action)

    async def actions(self) -> list[Action]:
        return await self._store.actions()

    async def keep(self, kept: Kept) -> None:
        await self._store.keep(kept)

    async def kept(self, room: str) -> list[Kept]:
        return await self._store.kept(room)

    async def kept_one(self, room: str, key: str) -> Kept | None:
        return await self._store.kept_one(room, key)

    async def let_go(self, room: str, ids: Collection[str]) -> None:
        await self._store.let_go(room, ids)

    async def mappings(self) -> dict[str, StoredMapping]:
        return await self._store.mappings()

    async def mappings_version(self) -> str:
        return await self._store.mappings_version()

    async def write_mapping(self, mapping: StoredMapping) -> bool:
        return await self._store.write_mapping(mapping)

    async def remove_mapping(self, uuid: str) -> None:
        await self._store.remove_mapping(uuid)

    def problem(self) -> str | None:
        return self._store.problem() or (None if self._presence is None else self._presence.problem)

    async def look(self) -> None:
        await self._store.look()


def _taken(shard: str) -> str:
    return (
        f"another daemon works on the shard {shard} by now, or its position was deleted: nothing that this one does "
        "with it is stored any more. Stop one of the two; this one goes on after a restart"
    )


def _finished(shard: str) -> str:
    return f"another daemon has finished the shard {shard}; restart this one, which then knows it"
