"""Keeps a small process that ends the workers of a daemon that was killed (see `guard`)."""

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from poller.support import telemetry

PROGRAM = Path(__file__).with_name("guard.py")
AGAIN_SECONDS = 1.0
"""Seconds until another guard is started after one has ended."""
END_SECONDS = 1.0
"""Seconds for the guard's own end. The event loop waits for it, only at the daemon's end."""


class Guard:
    """One guard for all workers of a daemon. It is started with the first worker, and again when it was killed."""

    def __init__(self) -> None:
        self.adopting = os.getpid() == 1
        """Whether processes whose parent has ended become the daemon's children."""
        self._workers: dict[int, str] = {}
        """The mark and the control group of each process group."""
        self._child: subprocess.Popen[bytes] | None = None
        self._handle: int | None = None
        self._again: asyncio.TimerHandle | None = None

    def add(self, group: int, mark: str, cgroup: str) -> None:
        """Tell the guard of a worker. `mark` is a variable of its environment, `NAME=VALUE`, that no other worker has;
        `cgroup` is the folder of its control group, or empty.
        """
        self._workers[group] = f"{mark} {cgroup}".rstrip()
        if self._child is None and self._again is None:
            self._start()
        else:
            self._tell(f"+ {group} {self._workers[group]}")

    def remove(self, group: int) -> None:
        """Tell the guard that all processes of the worker have ended."""
        self._workers.pop(group, None)
        self._tell(f"- {group}")

    def knows(self, pid: int) -> bool:
        """Whether the daemon itself waits for the end of this process."""
        return pid in self._workers or (self._child is not None and self._child.pid == pid)

    def _start(self) -> None:
        self._again = None
        self._child = subprocess.Popen(  # noqa: S603  (ourselves)
            [sys.executable, "-I", "-S", str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={},
            start_new_session=True,  # Ctrl-C is meant for the daemon
        )
        assert self._child.stdin is not None
        # a guard that was stopped reads nothing, and the daemon must not wait for it
        os.set_blocking(self._child.stdin.fileno(), False)
        with suppress(OSError, AttributeError):
            # without such handles, nothing notices that the guard was killed
            self._handle = os.pidfd_open(self._child.pid)
            asyncio.get_running_loop().add_reader(self._handle, self._ended)
        for group, known in self._workers.items():
            self._tell(f"+ {group} {known}")

    def _tell(self, line: str) -> None:
        if self._child is None:
            return
        assert self._child.stdin is not None
        try:
            os.write(self._child.stdin.fileno(), line.encode() + b"\n")
        except BlockingIOError:
            # stopped, with a full pipe: another guard is started once this one is dead
            self._child.kill()
        except OSError:
            # already dead, which is noticed soon
            return

    def _ended(self) -> None:
        """Wait for its end, which it never reaches by itself."""
        child = self._child
        self._let_go()
        telemetry.logger().warning("guard_ended", code=None if child is None else child.returncode)
        self._again = asyncio.get_running_loop().call_later(AGAIN_SECONDS, self._start)

    def _let_go(self) -> None:
        child, self._child = self._child, None
        handle, self._handle = self._handle, None
        if handle is not None:
            with suppress(RuntimeError):
                # the loop may be gone
                asyncio.get_running_loop().remove_reader(handle)
            os.close(handle)
        if child is not None:
            assert child.stdin is not None
            with suppress(OSError):
                child.stdin.close()
            try:
                child.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                # stopped from outside: the daemon ends the workers of its list itself
                child.kill()
                child.wait()
                for group in self._workers:
                    with suppress(OSError):
                        os.killpg(group, signal.SIGKILL)

    def close(self) -> None:
        """End the guard. It kills all workers whose end it was not told of."""
        if self._again is not None:
            self._again.cancel()
            self._again = None
        self._let_go()
