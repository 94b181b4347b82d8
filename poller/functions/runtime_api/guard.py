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

LINE_END = b" .\n"
END_SECONDS = 1.0
"""For the guard's own end. The event loop waits for it, at the daemon's end only."""


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
                bufsize=0,
                start_new_session=True,  # Ctrl-C is for the daemon
            )
            assert self._child.stdin is not None
            # one that somebody has stopped reads nothing, and must not keep the daemon waiting
            os.set_blocking(self._child.stdin.fileno(), False)
        assert self._child.stdin is not None
        # a guard that somebody has killed is no reason to stop
        with suppress(OSError):
            # the line end before it ends a line that did not fit into the pipe, which the guard passes over
            self._child.stdin.write(b"\n" + " ".join(map(str, self._groups)).encode() + LINE_END)

    def close(self) -> None:
        """Let it go. What it was not told to have ended it ends now."""
        child, self._child = self._child, None
        if child is not None:
            assert child.stdin is not None
            with suppress(OSError):
                child.stdin.close()
            try:
                child.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                # stopped by somebody: what it was to end is ended here
                child.kill()
                child.wait()
                for group in self._groups:
                    with suppress(OSError):
                        os.killpg(group, signal.SIGKILL)


def _watch() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # a service manager may signal all of a service at once, and this one is needed to the end
        signal.signal(number, signal.SIG_IGN)
    groups = ""
    for line in sys.stdin.buffer:
        if line.endswith(LINE_END):
            groups = line.removesuffix(LINE_END).decode()
    for group in groups.split():
        with suppress(OSError):
            os.killpg(int(group), signal.SIGKILL)


if __name__ == "__main__":
    _watch()
