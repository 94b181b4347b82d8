"""The state file: checked, opened and locked for the daemon's life, and written off the event loop."""

import asyncio
import sqlite3
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TypeVar, TypeVarTuple

from poller.errors import EnvironmentProblem, StateError
from poller.policy.progress import ShardProgress, StreamProgress
from poller.state.database import Database
from poller.state.lock import StateLock

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")

APPLICATION_ID = 0x706F6C6C
"""Marks the file as ours for whoever looks at it: "poll" in ASCII."""
SCHEMA_VERSION = 3
NETWORK_FILE_SYSTEMS = frozenset(
    {"9p", "afs", "ceph", "cifs", "fuse.sshfs", "glusterfs", "lustre", "nfs", "nfs4", "smb3"}
)
"""Whose locks do not hold between machines, or which lose what was synchronised."""
MOUNTS = Path("/proc/self/mounts")


class SqliteState:
    """An open state file, as a `StateStore`. Everything wrong with it at the start is an EnvironmentProblem that says
    what to do.

    One thread writes, so the event loop never waits for a disk; everything handed over while it writes goes into its
    next transaction.
    """

    def __init__(self, path: Path) -> None:
        self._lock = StateLock(path)
        try:
            _refuse_network(path.parent)
            check(path)
            self._database = Database(path)
        except EnvironmentProblem:
            self._lock.release()
            raise
        except StateError as error:
            self._lock.release()
            raise EnvironmentProblem(str(error)) from error
        self._writer = ThreadPoolExecutor(1, "state")
        self._waiting: dict[tuple[str, str], ShardProgress] = {}
        self._committed: asyncio.Future[None] | None = None

    async def load(self, uuid: str) -> StreamProgress | None:
        """See `StateStore`."""
        return await self._run(self._database.load, uuid)

    async def begin(self, uuid: str, progress: StreamProgress) -> None:
        """See `StateStore`."""
        # what still waits to be written is of before
        self._waiting = {key: shard for key, shard in self._waiting.items() if key[0] != uuid}
        await self._run(self._database.begin, uuid, progress)

    async def save(self, uuid: str, shard_id: str, progress: ShardProgress) -> None:
        """See `StateStore`."""
        self._waiting[uuid, shard_id] = progress
        if self._committed is None:
            self._committed = asyncio.ensure_future(self._commit())
        # a caller that is cancelled leaves the commit of all others alone
        await asyncio.shield(self._committed)

    async def _commit(self) -> None:
        """Let everything of this turn of the loop, and of the transaction before, come together."""
        await asyncio.sleep(0)
        await self._run(lambda: None)
        changes = [(uuid, shard_id, progress) for (uuid, shard_id), progress in self._waiting.items()]
        self._waiting, self._committed = {}, None
        await self._run(self._database.save, changes)

    async def drop(self, uuid: str, shard_ids: Collection[str]) -> None:
        """See `StateStore`."""
        await self._run(self._database.drop, uuid, shard_ids)

    async def stored(self) -> dict[str, tuple[str, str]]:
        """See `StateStore`."""
        return await self._run(self._database.stored)

    async def forget(self, uuid: str) -> None:
        """See `StateStore`."""
        await self._run(self._database.forget, uuid)

    async def paused(self) -> dict[str, float]:
        """See `StateStore`."""
        return await self._run(self._database.paused)

    async def pause(self, uuid: str, since: float) -> None:
        """See `StateStore`."""
        await self._run(self._database.pause, uuid, since)

    async def resume(self, uuid: str) -> None:
        """See `StateStore`."""
        await self._run(self._database.resume, uuid)

    def forget_now(self, uuid: str) -> None:
        """The same for a command, which has no event loop."""
        self._database.forget(uuid)

    async def _run(self, call: Callable[[*Arguments], Result], *arguments: *Arguments) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._writer, call, *arguments)

    def close(self) -> None:
        """Write what was handed over, and let another daemon have the file."""
        self._writer.shutdown()
        self._database.close()
        self._lock.release()


def check(path: Path, *, claim: bool = True) -> None:
    """See that a file is sound, ours and not newer than this program; `claim` marks it as ours. Raises
    EnvironmentProblem.
    """
    try:
        with closing(sqlite3.connect(path)) as database:
            (version,) = database.execute("PRAGMA user_version").fetchone()
            (owner,) = database.execute("PRAGMA application_id").fetchone()
            (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise EnvironmentProblem(f"the state file {path} is damaged ({verdict}); restore it, or move it away")
            if version > SCHEMA_VERSION:
                raise EnvironmentProblem(
                    f"the state file {path} was written by a newer poller (schema {version}, this one knows "
                    f"{SCHEMA_VERSION}); run that version, or give this one another `state`"
                )
            if owner != APPLICATION_ID and (version or owner or _has_tables(database)):
                raise EnvironmentProblem(f"{path} is an SQLite file of another program; give `state` another path")
            if claim:
                database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    except sqlite3.Error as error:
        raise EnvironmentProblem(
            f"the state file {path} cannot be used: {error}; restore it, or move it away to start without positions"
        ) from error


def _has_tables(database: sqlite3.Connection) -> bool:
    return database.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is not None


def _refuse_network(directory: Path) -> None:
    """Network file systems are refused where the machine tells which they are."""
    try:
        lines = MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    inside = directory.resolve()
    mounts = {fields[1]: fields[2] for line in lines if len(fields := line.split()) > 2}
    for place in (inside, *inside.parents):
        kind = mounts.get(str(place))
        if kind is not None:
            if kind in NETWORK_FILE_SYSTEMS:
                raise EnvironmentProblem(
                    f"the state file would be on a network file system ({kind} at {place}), where locks cannot be "
                    "trusted; set `state` to a local path"
                )
            return
