"""The state file of one daemon."""

import asyncio
from pathlib import Path
from typing import Self

from poller.policy.progress import ShardProgress, StreamProgress
from poller.state.sqlite.database import Database
from poller.state.sqlite.file import StateFile, opened_by
from poller.support.blocking import Blocking

ANSWER_SECONDS = 10.0
"""Deadline of one call to the disk, in seconds: above SQLite's own wait for another process (`BUSY_SECONDS`), and far
above the time of a healthy disk."""


class SqliteState(StateFile[Database]):
    """An open state file, as a `StateStore`. Raises EnvironmentProblem, see `StateFile`.

    Everything handed over while a transaction is written goes into the next one.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, ANSWER_SECONDS, lambda: opened_by(path, lambda _: Database(path)))
        self._waiting: dict[tuple[str, str], ShardProgress] = {}
        self._committed: asyncio.Future[None] | None = None

    @classmethod
    async def opened(cls, path: Path) -> Self:
        """Open the file off the event loop, which handles signals meanwhile. Raises EnvironmentProblem."""
        # the constructor has a deadline of its own
        return await Blocking(f"opening the state file {path}", 2 * ANSWER_SECONDS).run(cls, path)

    async def open(
        self, uuid: str, first: StreamProgress, *, instead_of: StreamProgress | None = None, by: str | None = None
    ) -> StreamProgress:
        # pending writes are of the progress before
        self._waiting = {key: shard for key, shard in self._waiting.items() if key[0] != uuid}
        return await super().open(uuid, first, instead_of=instead_of, by=by)

    async def save(self, uuid: str, shard_id: str, progress: ShardProgress) -> None:
        self._waiting[uuid, shard_id] = progress
        if self._committed is None:
            self._committed = asyncio.ensure_future(self._commit())
        # the cancellation of one caller must not cancel the commit of the others
        await asyncio.shield(self._committed)

    async def _commit(self) -> None:
        """Commit everything handed over in this turn of the loop, and during the previous transaction, together."""
        await asyncio.sleep(0)
        try:
            await self.run_read(lambda: None)
        finally:
            # also if the disk hangs: the callers get the error and hand over their progress again
            changes = [(uuid, shard_id, progress) for (uuid, shard_id), progress in self._waiting.items()]
            self._waiting, self._committed = {}, None
        await self.run_write(self.database.save, changes)
