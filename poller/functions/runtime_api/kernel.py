"""What the daemon asks of Linux for the functions it runs. On other systems nothing of it is there."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36


@cache
def prepare() -> bool:
    """Once, before the first worker of the process. Returns whether it is a subreaper now.

    Not dumpable: then the daemon's environment, memory and open files in /proc belong to root, and a function that runs
    as the same user cannot read the credentials in them. There is no core dump either, and debuggers need root.

    Subreaper: what a worker started and left behind becomes the daemon's child, and not that of process 1, so it can be
    found.
    """
    _prctl(PR_SET_DUMPABLE, 0)
    return _prctl(PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> bool:
    # imported here, because it is memory that only daemons with such functions need
    import ctypes  # noqa: PLC0415

    return sys.platform == "linux" and bool(ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0)


def proc_is_ours() -> bool:
    """Whether /proc shows the processes that this one sees. In a PID namespace without a /proc of its own, the numbers
    there mean other processes.
    """
    with suppress(OSError):
        return Path("/proc/self").readlink().name == str(os.getpid())
    return False


def children_of(pid: int) -> list[int]:
    """The direct children. None where the kernel does not list them."""
    found: list[int] = []
    # it may end meanwhile
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (thread / "children").read_bytes().split())
    return found


def below(pid: int, without: Callable[[int], bool]) -> set[int]:
    """All running descendants, except the trees that begin at a process for which `without` holds."""
    found: set[int] = set()
    new = [pid] if proc_is_ours() else []
    while new:
        new = [child for parent in new for child in children_of(parent) if not without(child)]
        found.update(new)
    return found


def is_marked(pid: int, mark: bytes) -> bool | None:
    """Whether a process was started with `mark` in its environment. None where its environment is empty, as in the
    moment in which it becomes another program.
    """
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    return mark in environment.split(b"\0") if environment else None


def session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None
