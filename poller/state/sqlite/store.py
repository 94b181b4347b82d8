"""The state file: checked, opened and locked for the daemon's life, and written off the event loop."""

import asyncio
import sqlite3
from collections.abc import Callable, Collection
from contextlib import closing, suppress
from pathlib import Path
from typing import Self, TypeVar, TypeVarTuple

from poller.policy.actions import Action
from poller.policy.progress import Paused, ShardProgress, StreamProgress
from poller.state.rows import NONSENSE
from poller.state.sqlite.database import Database
from poller.state.sqlite.lock import StateLock
from poller.support import telemetry
from poller.support.blocking import Blocking
from poller.values.errors import EnvironmentProblem, Overdue, StateError
from poller.values.stored_mapping import StoredMapping

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")

APPLICATION_ID = 0x706F6C6C
"""SQLite's application id of the file, to recognise it: "poll" in ASCII."""
SCHEMA_VERSION = 5
ANSWER_SECONDS = 10.0
"""Deadline of one call to the disk, in seconds: above SQLite's own wait for another process (`BUSY_SECONDS`), and far
above the time of a healthy disk."""
CLOSE_SECONDS = 3.0
"""Seconds at the exit for running writes."""
NETWORK_FILE_SYSTEMS = frozenset(
    {"9p", "afs", "ceph", "cifs", "fuse.sshfs", "glusterfs", "lustre", "nfs", "nfs4", "smb3"}
)
"""File systems whose locks do not hold between machines, or which lose synchronised data."""
MOUNTS = Path("/proc/self/mounts")


class SqliteState:
    """An open state file, as a `StateStore`. Everything wrong with it at the start is an EnvironmentProblem that says
    what to do.

    One thread writes, so the event loop never waits for a disk; everything handed over while it writes goes into its
    next transaction. A disk that does not answer in time is a StateError, and so is a file that was taken away: what
    would be written to it then is not acknowledged.
    """

    def __init__(self, path: Path) -> None:
        self._calls = Blocking(f"the state file {path}", ANSWER_SECONDS)
        self._problem: str | None = None
        self._waiting: dict[tuple[str, str], ShardProgress] = {}
        self._committed: asyncio.Future[None] | None = None
        try:
            self._lock, self._database = self._calls.run_now(_opened, path)
        except (StateError, Overdue) as error:
            raise EnvironmentProblem(str(error)) from error

    @classmethod
    async def opened(cls, path: Path) -> Self:
        """Open the file off the event loop, which handles signals meanwhile. Raises EnvironmentProblem."""
        # the constructor has a deadline of its own
        return await Blocking(f"opening the state file {path}", 2 * ANSWER_SECONDS).run(cls, path)

    async def load(self, uuid: str) -> StreamProgress | None:
        return await self._run(self._database.load, uuid)

    async def open(
        self, uuid: str, first: StreamProgress, *, instead_of: StreamProgress | None = None
    ) -> StreamProgress:
        # pending writes are of the progress before
        self._waiting = {key: shard for key, shard in self._waiting.items() if key[0] != uuid}
        return await self._write(self._database.open, uuid, first, instead_of)

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
            await self._run(lambda: None)
        finally:
            # also if the disk hangs: the callers get the error and hand over their progress again
            changes = [(uuid, shard_id, progress) for (uuid, shard_id), progress in self._waiting.items()]
            self._waiting, self._committed = {}, None
        await self._write(self._database.save, changes)

    async def drop(self, uuid: str, shard_ids: Collection[str]) -> None:
        await self._write(self._database.drop, uuid, shard_ids)

    async def stored(self) -> dict[str, tuple[str, str]]:
        return await self._run(self._database.stored)

    async def forget(self, uuid: str) -> None:
        await self._write(self._database.forget, uuid)

    async def paused(self) -> dict[str, Paused]:
        return await self._run(self._database.paused)

    async def pause(self, uuid: str, paused: Paused) -> None:
        await self._write(self._database.pause, uuid, paused)

    async def resume(self, uuid: str) -> None:
        await self._write(self._database.resume, uuid)

    async def note(self, action: Action) -> None:
        await self._write(self._database.note, action)

    async def actions(self) -> list[Action]:
        return await self._run(self._database.actions)

    async def mappings(self) -> dict[str, StoredMapping]:
        return await self._run(self._database.mappings)

    async def write_mapping(self, mapping: StoredMapping) -> bool:
        return await self._write(self._database.write_mapping, mapping)

    async def remove_mapping(self, uuid: str) -> None:
        await self._write(self._database.remove_mapping, uuid)

    def problem(self) -> str | None:
        return self._calls.problem() or self._problem

    async def look(self) -> None:
        try:
            await self._run(self._lock.check)
        except StateError as error:
            if self._problem is None:
                telemetry.logger().error("state_not_usable", text=str(error))
            self._problem = str(error)
        else:
            self._problem = None

    async def _write(self, call: Callable[[*Arguments], Result], *arguments: *Arguments) -> Result:
        def checked() -> Result:
            self._lock.check()
            return call(*arguments)

        return await self._run(checked)

    async def _run(self, call: Callable[[*Arguments], Result], *arguments: *Arguments) -> Result:
        try:
            return await self._calls.run(call, *arguments)
        except Overdue as error:
            raise StateError(f"{error}; its disk hangs. Whether this was stored shows once it answers") from error

    def close(self) -> None:
        """Write what was handed over, and let another daemon have the file. A disk that hangs is left to hang: the
        locks end with the process.
        """
        with suppress(Overdue):
            self._calls.run_now(self._close, seconds=CLOSE_SECONDS)

    def _close(self) -> None:
        self._database.close()
        self._lock.release()


def _opened(path: Path) -> tuple[StateLock, Database]:
    """Raises EnvironmentProblem and StateError."""
    lock = StateLock(path)
    try:
        _refuse_network(path.parent)
        check(path)
        database = Database(path)
        lock.keep(path.with_name(path.name + "-wal"))
    except (EnvironmentProblem, StateError):
        lock.release()
        raise
    except OSError as error:
        lock.release()
        raise EnvironmentProblem(f"the state file {path} cannot be used: {error}") from error
    return lock, database


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
    except (sqlite3.Error, *NONSENSE) as error:
        # NONSENSE: the report of a damaged file may hold bytes that are no text
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
