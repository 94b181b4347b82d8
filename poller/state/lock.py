"""One daemon per state file: an operating system lock held for the process's life."""

import fcntl
import os
from pathlib import Path

from poller.errors import EnvironmentProblem


class StateLock:
    """Locks `PATH.lock`, which also names the holder. The lock ends with the process, however it ends."""

    def __init__(self, path: Path) -> None:
        """Raises EnvironmentProblem when another daemon holds it, or when it cannot be made."""
        self._path = path.with_name(path.name + ".lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise EnvironmentProblem(
                f"the state file {path} cannot be used: {error.strerror}: {error.filename}; "
                "make its directory writable for this user, or set `state`"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._file, 64, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._file)
            raise EnvironmentProblem(
                f"the state file {path} is in use by another poller (process {holder}); "
                "stop that one, or give this one another `state`"
            ) from error
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode("ascii"), 0)

    def release(self) -> None:
        """Give the lock back."""
        os.close(self._file)
