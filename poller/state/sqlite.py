"""The state file: checked, opened and locked for the daemon's life. An SQS mapping keeps nothing in it yet."""

import sqlite3
from contextlib import closing
from pathlib import Path

from poller.errors import EnvironmentProblem
from poller.state.lock import StateLock

APPLICATION_ID = 0x706F6C6C
"""Marks the file as ours for whoever looks at it: "poll" in ASCII."""
SCHEMA_VERSION = 1
NETWORK_FILE_SYSTEMS = frozenset(
    {"9p", "afs", "ceph", "cifs", "fuse.sshfs", "glusterfs", "lustre", "nfs", "nfs4", "smb3"}
)
"""Whose locks do not hold between machines, or which lose what was synchronised."""
MOUNTS = Path("/proc/self/mounts")


class SqliteState:
    """An open state file. Everything wrong with it is an EnvironmentProblem that says what to do."""

    def __init__(self, path: Path) -> None:
        self._lock = StateLock(path)
        try:
            _refuse_network(path.parent)
            _check(path)
        except EnvironmentProblem:
            self._lock.release()
            raise

    def close(self) -> None:
        """Let another daemon have it."""
        self._lock.release()


def _check(path: Path) -> None:
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
            if version == 0 and owner == 0:
                database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            elif owner != APPLICATION_ID:
                raise EnvironmentProblem(f"{path} is an SQLite file of another program; give `state` another path")
    except sqlite3.Error as error:
        raise EnvironmentProblem(
            f"the state file {path} cannot be used: {error}; restore it, or move it away to start without positions"
        ) from error


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
