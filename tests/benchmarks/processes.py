"""What a process and its descendants cost, read from /proc (Linux only)."""

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the command's name: state is 0, parent 1, user and system ticks 11 and 12,
    those of dead children 13 and 14. Empty when the process has gone.
    """
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def tree(root: int) -> list[int]:
    """`root` and all its descendants, root first."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit() and (fields := _stat(int(path.name))):
            children.setdefault(int(fields[1]), []).append(int(path.name))
    found = [root]
    for pid in found:
        found.extend(children.get(pid, []))
    return found


def cpu_seconds(root: int) -> float:
    """CPU seconds of the tree so far, dead children included.

    Scheduler accounting counts nanoseconds but forgets threads that ended; the ticks of `stat` (10 ms, rounded down)
    remember them, so whichever says more is right.
    """
    total = 0.0
    for pid in tree(root):
        if fields := _stat(pid):
            ticks = (int(fields[11]) + int(fields[12])) / _TICKS
            total += max(ticks, _scheduled_seconds(pid)) + (int(fields[13]) + int(fields[14])) / _TICKS
    return total


def _scheduled_seconds(pid: int) -> float:
    total = 0
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            total += int((thread / "schedstat").read_text().split()[0])
    except (OSError, IndexError):
        return 0.0
    return total / 1e9


def peak_memory_mib(root: int) -> float:
    """The highest resident set each process of the tree has had, summed."""
    return _memory_mib(root, "VmHWM")


def memory_mib(root: int) -> float:
    """The resident set of the tree now."""
    return _memory_mib(root, "VmRSS")


def _memory_mib(root: int, field: str) -> float:
    total = 0
    for pid in tree(root):
        try:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith(field))
    return total / 1024
