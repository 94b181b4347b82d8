"""Opening the state file: checked, locked for the daemon's life, and called off the event loop with a deadline."""

import sqlite3
from collections.abc import Callable, Collection
from contextlib import closing, suppress
from pathlib import Path
from typing import Generic, TypeVar, TypeVarTuple

from poller.policy.actions import Action
from poller.policy.progress import Paused, StreamProgress
from poller.state.rows import NONSENSE
from poller.state.sqlite.database import Database
from poller.state.sqlite.lock import StateLock
from poller.support import telemetry
from poller.support.blocking import Blocking
from poller.values.errors import EnvironmentProblem, Overdue, StateError
from poller.values.kept import Kept
from poller.values.stored_mapping import StoredMapping

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")
AnyDatabase = TypeVar("AnyDatabase", bound=Database)

APPLICATION_ID = 0x706F6C6C
"""SQLite's application id of the file, to recognise it: "poll" in ASCII."""
SCHEMA_VERSION = 5
OPEN_SECONDS = 20.0
"""Deadline of opening the file: its whole contents are verified, and a fleet waits for another daemon that begins."""
CLOSE_SECONDS = 3.0
"""Seconds at the exit for running writes."""
NETWORK_FILE_SYSTEMS = frozenset(
    {"9p", "afs", "ceph", "cifs", "fuse.sshfs", "glusterfs", "lustre", "nfs", "nfs4", "smb3"}
)
"""File systems whose locks do not hold between machines, or which lose synchronised data."""
MOUNTS = Path("/proc/self/mounts")


class StateFile(Generic[AnyDatabase]):
    """An open file. Everything wrong with it at the start is an EnvironmentProblem that says what to do.

    One thread writes, so the event loop never waits for a disk. A disk that does not answer in time is a StateError,
    and so is a file that was taken away: what would be written to it then is not acknowledged.
    """

    def __init__(self, path: Path, seconds: float, opened: Callable[[], tuple[StateLock, AnyDatabase]]) -> None:
        """`seconds` is the deadline of one call to the disk."""
        self._calls = Blocking(f"the state file {path}", seconds)
        self._problem: str | None = None
        try:
            self.lock, self.database = self._calls.run_now(opened, seconds=OPEN_SECONDS)
        except (StateError, Overdue) as error:
            raise EnvironmentProblem(str(error)) from error

    def problem(self) -> str | None:
        """See `Positions.problem`."""
        return self._calls.problem() or self._problem

    async def look(self) -> None:
        """See `Positions.look`."""
        try:
            await self.run_read(self.lock.check)
        except StateError as error:
            if self._problem is None:
                telemetry.logger().error("state_not_usable", text=str(error))
            self._problem = str(error)
        else:
            self._problem = None

    async def run_write(self, call: Callable[[*Arguments], Result], *arguments: *Arguments) -> Result:
        """Run a call that writes. Raises StateError."""

        def checked() -> Result:
            self.lock.check()
            return call(*arguments)

        return await self.run_read(checked)

    async def run_read(self, call: Callable[[*Arguments], Result], *arguments: *Arguments) -> Result:
        """Run a call. Raises StateError."""
        try:
            return await self._calls.run(call, *arguments)
        except Overdue as error:
            raise StateError(f"{error}; its disk hangs. Whether this was stored shows once it answers") from error

    # what both stores do, see `Positions`

    async def load(self, uuid: str) -> StreamProgress | None:
        return await self.run_read(self.database.load, uuid)

    async def open(
        self, uuid: str, first: StreamProgress, *, instead_of: StreamProgress | None = None, by: str | None = None
    ) -> StreamProgress:
        return await self.run_write(self.database.open, uuid, first, instead_of, by)

    async def drop(self, uuid: str, shard_ids: Collection[str]) -> None:
        await self.run_write(self.database.drop, uuid, shard_ids)

    async def stored(self) -> dict[str, tuple[str, str]]:
        return await self.run_read(self.database.stored)

    async def forget(self, uuid: str) -> None:
        await self.run_write(self.database.forget, uuid)

    async def paused(self) -> dict[str, Paused]:
        return await self.run_read(self.database.paused)

    async def pause(self, uuid: str, paused: Paused) -> None:
        await self.run_write(self.database.pause, uuid, paused)

    async def resume(self, uuid: str) -> None:
        await self.run_write(self.database.resume, uuid)

    async def note(self, action: Action) -> None:
        await self.run_write(self.database.note, action)

    async def actions(self) -> list[Action]:
        return await self.run_read(self.database.actions)

    async def keep(self, kept: Kept) -> None:
        await self.run_write(self.database.keep, kept)

    async def kept(self, room: str) -> list[Kept]:
        return await self.run_read(self.database.kept, room)

    async def kept_one(self, room: str, key: str) -> Kept | None:
        return await self.run_read(self.database.kept_one, room, key)

    async def let_go(self, room: str, ids: Collection[str]) -> None:
        await self.run_write(self.database.let_go, room, ids)

    async def mappings(self) -> dict[str, StoredMapping]:
        return await self.run_read(self.database.mappings)

    async def mappings_version(self) -> str:
        return await self.run_read(self.database.mappings_version)

    async def write_mapping(self, mapping: StoredMapping) -> bool:
        return await self.run_write(self.database.write_mapping, mapping)

    async def remove_mapping(self, uuid: str) -> None:
        await self.run_write(self.database.remove_mapping, uuid)

    def close(self) -> None:
        """Write what was handed over, and let another daemon have the file. A disk that hangs is left to hang: the
        locks end with the process.
        """
        with suppress(Overdue):
            self._calls.run_now(self._close, seconds=CLOSE_SECONDS)

    def _close(self) -> None:
        self.database.close()
        self.lock.release()


def opened_by(
    path: Path, connect: Callable[[StateLock], AnyDatabase], *, shared: bool = False
) -> tuple[StateLock, AnyDatabase]:
    """Lock and check the file, and `connect` to it. Raises EnvironmentProblem and StateError."""
    lock = StateLock(path, shared=shared)
    try:
        _refuse_network(path.parent)
        check(path)
        database = connect(lock)
        lock.keep(path.with_name(path.name + "-wal"))
        if shared:
            lock.share()
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
