"""A control group for each worker, where cgroup v2 is delegated to the daemon.

No process leaves its group by itself, so everything that a worker started is found and ended at once. Elsewhere there
are no groups, and `kernel` finds what it can.
"""

import os
from contextlib import suppress
from functools import cache
from pathlib import Path

from poller.functions.runtime_api import kernel

SYSTEMD = Path("/run/systemd/system")
"""Exists where systemd runs the machine. There only groups that it has delegated may be divided."""
DELEGATED = ("user.delegate", "trusted.delegate")


@cache
def own_group() -> Path | None:
    """The daemon's group, if it may make others in it."""
    try:
        mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
        mounted = [Path(mount[1]) for mount in mounts if mount[2] == "cgroup2"]
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        inner = [line.removeprefix("0::/") for line in lines if line.startswith("0::/")]
    except OSError:
        return None
    if not (mounted and inner and kernel.proc_is_ours()):
        return None
    group = mounted[0] / inner[0]
    return group if os.access(group, os.W_OK) and (_is_delegated(group) or not SYSTEMD.exists()) else None


def _is_delegated(group: Path) -> bool:
    for name in DELEGATED:
        with suppress(OSError):
            if os.getxattr(group, name) == b"1":
                return True
    return False


class Cgroup:
    """The control group of one worker."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def around(cls, pid: int) -> "Cgroup | None":
        """Move a process that was just started into a new group, with its children. None where that is not possible."""
        own = own_group()
        if own is None:
            return None
        made = cls(own / f"poller-{os.getpid()}-{pid}")
        try:
            made.folder.mkdir()
            made._take(pid)
            for child in kernel.below(pid, lambda _: False):
                with suppress(ProcessLookupError):
                    made._take(child)
        except ProcessLookupError:
            return made
        except OSError:
            made.remove()
            return None
        return made

    def _take(self, pid: int) -> None:
        (self.folder / "cgroup.procs").write_text(str(pid))

    def kill(self) -> None:
        """Kill every process in the group."""
        with suppress(OSError):
            (self.folder / "cgroup.kill").write_text("1")

    @property
    def empty(self) -> bool:
        try:
            return not (self.folder / "cgroup.procs").read_text()
        except OSError:
            return True

    def remove(self) -> None:
        """Remove the group once it is empty."""
        with suppress(OSError):
            self.folder.rmdir()
