"""Ends the workers of a daemon that was killed and could not end them itself.

A child process that holds one end of a pipe: each line names the process groups to end, and the end of the stream,
which comes however the daemon dies, says that it is time. Not Linux's signal at a parent's death, which reaches only
the process itself and not what it started.

This file is also what the child runs, so it imports nothing heavy.
"""

import os
import signal
import subprocess
import sys
from contextlib import suppress


class Guard:
    """One for all workers of a daemon; started with the first of them."""

    def __init__(self) -> None:
        self._groups: set[int] = set()
        self._child: subprocess.Popen[bytes] | None = None

    def add(self, group: int) -> None:
        """A process group was started."""
        self._groups.add(group)
        self._tell()

    def remove(self, group: int) -> None:
        """All of it has ended."""
        self._groups.discard(group)
        self._tell()

    def _tell(self) -> None:
        if self._child is None:
            self._child = subprocess.Popen(  # noqa: S603  (ourselves)
                [sys.executable, "-I", "-S", __file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                start_new_session=True,  # Ctrl-C is for the daemon
            )
        assert self._child.stdin is not None
        # a guard that somebody has killed is no reason to stop
        with suppress(OSError):
            self._child.stdin.write(" ".join(map(str, self._groups)).encode() + b"\n")
            self._child.stdin.flush()

    def close(self) -> None:
        """Let it go. What it was not told to have ended it ends now."""
        child, self._child = self._child, None
        if child is not None:
            assert child.stdin is not None
            with suppress(OSError):
                child.stdin.close()
            child.wait()


def _watch() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # a service manager may signal all of a service at once, and this one is needed to the end
        signal.signal(number, signal.SIG_IGN)
    groups = ""
    for line in sys.stdin:
        groups = line
    for group in groups.split():
        with suppress(OSError):
            os.killpg(int(group), signal.SIGKILL)


if __name__ == "__main__":
    _watch()
