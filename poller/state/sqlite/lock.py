"""One daemon per state file, or the daemons of one fleet: operating system locks held for the process's life.

Two files are locked: `PATH.lock`, which also names the holder, and the state file itself, so that a second daemon is
refused even where somebody has removed the first. Both are only trusted while they lie where they lay: a file that was
removed or replaced under a running daemon keeps what is written to it to itself.
"""

import errno
import fcntl
import os
import stat
import time
from pathlib import Path

from poller.values.errors import EnvironmentProblem, StateError

OWNER_ONLY = 0o600
"""Mode of the files: only their owner may read them, because positions contain message ids and answers of functions."""


SHARE_SECONDS = 8.0
"""Seconds to wait while another daemon of the fleet begins: until it has shared the locks, it holds them alone."""
SHARE_LOOK_SECONDS = 0.02


class StateLock:
    """The locks of one state file, which end with the process, however it ends."""

    def __init__(self, path: Path, *, shared: bool = False) -> None:
        """Take the locks; with `shared`, beside others that share them, or alone until `share` where there are none.
        Raises EnvironmentProblem if another daemon holds them, or if they cannot be created.
        """
        self.alone = True
        """Whether no other process has the locks."""
        self._path = path
        self._shared = shared
        self._open: dict[Path, int] = {}
        self._are: dict[Path, tuple[int, int]] = {}
        """Device and inode of the open files."""
        holder = path.with_name(path.name + ".lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock(holder, holder)
            self._lock(path, holder)
            os.ftruncate(self._open[holder], 0)
            os.pwrite(self._open[holder], f"{os.getpid()}\n".encode("ascii"), 0)
        except OSError as error:
            self.release()
            place = f": {error.filename}" if error.filename else ""
            raise EnvironmentProblem(
                f"the state file {path} cannot be used: {error.strerror}{place}; "
                "make its directory writable for this user, or set `state`"
            ) from error
        except EnvironmentProblem:
            self.release()
            raise

    def _lock(self, path: Path, holder: Path) -> None:
        # SQLite gives its own files the mode of the state file
        self._open[path] = file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, OWNER_ONLY)
        found = os.fstat(file)
        self._are[path] = found.st_dev, found.st_ino
        if not stat.S_ISREG(found.st_mode):
            raise EnvironmentProblem(f"{path} is no regular file; move it away, or set `state`")
        if not _taken(file, fcntl.LOCK_EX):
            self.alone = False
            if not (self._shared and self._taken_beside_others(file)):
                raise EnvironmentProblem(
                    f"the state file {self._path} is in use by another poller (process {_named_in(holder)}); "
                    "stop that one, or give this one another `state`"
                )
        if found.st_mode & 0o077 and found.st_uid == os.geteuid():
            os.fchmod(file, OWNER_ONLY)

    def _taken_beside_others(self, file: int) -> bool:
        end = time.monotonic() + SHARE_SECONDS
        while not (taken := _taken(file, fcntl.LOCK_SH)) and time.monotonic() < end:
            time.sleep(SHARE_LOOK_SECONDS)
        return taken

    def share(self) -> None:
        """Let other daemons of the fleet have the locks as well. Raises OSError."""
        for file in self._open.values():
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)

    def keep(self, path: Path) -> None:
        """Watch one more file, which exists by now."""
        self._open[path] = file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        found = os.fstat(file)
        self._are[path] = found.st_dev, found.st_ino

    def check(self) -> None:
        """Raise StateError once one of the files was removed or replaced."""
        for path, is_open in self._are.items():
            try:
                # called before each write: pathlib would cost more than the comparison
                found = os.stat(path)  # noqa: PTH116
            except FileNotFoundError:
                found = None
            except OSError as error:
                raise StateError(f"the state file {self._path} cannot be looked at: {error}") from error
            if found is None or (found.st_dev, found.st_ino) != is_open:
                raise StateError(
                    f"{path} was removed or replaced while the daemon runs: nothing can be stored any more; put the "
                    "file back and restart the daemon, or restart it to begin without positions"
                )

    def release(self) -> None:
        """Release the locks. Only after SQLite has closed its files: closing ours ends SQLite's own locks on them."""
        while self._open:
            os.close(self._open.popitem()[1])


def _taken(file: int, how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno != errno.EWOULDBLOCK:
            raise
        return False
    return True


def _named_in(holder: Path) -> str:
    try:
        return holder.read_text("ascii", "replace").strip() or "unknown"
    except OSError:
        return "unknown"
