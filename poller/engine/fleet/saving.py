"""Writes what the holds of all mappings want to store: all of one turn of the loop in one call of the store."""

import asyncio
from dataclasses import dataclass, field

from poller.ports.fleet import FleetStore, Write


@dataclass(slots=True)
class _Round:
    """The writes of one call, by member, and what becomes of them."""

    writes: dict[str, dict[tuple[str, str, int], Write]] = field(default_factory=dict)
    lost: "asyncio.Task[set[tuple[str, str, int]]] | None" = None


class Saving:
    """One call at a time: what comes during a call goes into the next one."""

    def __init__(self, store: FleetStore) -> None:
        self._store = store
        self._next = _Round()
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[set[tuple[str, str, int]]]] = set()

    async def save(self, member: str, write: Write) -> bool:
        """Returns whether it is stored; False where another member has the shard. Raises StateError."""
        gathering, key = self._next, (write.uuid, write.shard_id, write.fence)
        # of several for one shard the last counts
        gathering.writes.setdefault(member, {})[key] = write
        if gathering.lost is None:
            gathering.lost = asyncio.get_running_loop().create_task(self._write(gathering))
            self._tasks.add(gathering.lost)
            gathering.lost.add_done_callback(self._written)
        # the cancellation of one caller must not cancel the writes of the others
        return key not in await asyncio.shield(gathering.lost)

    async def _write(self, gathering: _Round) -> set[tuple[str, str, int]]:
        await asyncio.sleep(0)
        async with self._turn:
            self._next = _Round()
            lost = set()
            for member, writes in gathering.writes.items():
                keys = await self._store.write(member, [*writes.values()])
                lost |= {key for key in writes if key[:2] in keys}
            return lost

    def _written(self, task: "asyncio.Task[set[tuple[str, str, int]]]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            # nobody may be waiting any more for what it raised
            task.exception()

    def close(self) -> None:
        """Nobody waits any more."""
        for task in self._tasks:
            task.cancel()
