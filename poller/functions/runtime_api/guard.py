"""The guard's own program: ends the workers of a daemon that was killed and could not end them itself.

Each line of its standard input names a worker that was started (`+ GROUP MARK [CGROUP]`) or has ended (`- GROUP`). The
end of the stream, which comes however the daemon dies, says that it is time: every process group and control group
named is killed, and every process with one of the marks in its environment, which is how a child is found that has
left the group. Not Linux's signal at a parent's death, which reaches only the process itself and not what it started.

It runs by itself, and imports nothing of poller.
"""

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

SECONDS = 2.0
"""Seconds for killed processes to be gone, and for those that they started meanwhile to be found."""


def marked(marks: set[bytes]) -> list[int]:
    found: list[int] = []
    if not os.path.exists("/proc/self") or os.readlink("/proc/self") != str(os.getpid()):  # noqa: PTH110, PTH115
        # none, or one of another namespace, whose numbers mean other processes
        return found
    for process in Path("/proc").glob("[1-9]*"):
        with suppress(OSError):
            if marks.intersection((process / "environ").read_bytes().split(b"\0")):
                found.append(int(process.name))
    return found


def removed(cgroup: Path) -> bool:
    try:
        cgroup.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        time.sleep(0.01)
        return False
    return True


def end(workers: dict[int, list[bytes]]) -> None:
    cgroups = [Path(os.fsdecode(rest[0])) for _, *rest in workers.values() if rest]
    for cgroup in cgroups:
        with suppress(OSError):
            (cgroup / "cgroup.kill").write_text("1")
    for group in workers:
        with suppress(OSError):
            os.killpg(group, signal.SIGKILL)
    marks, until = {mark for mark, *_ in workers.values()}, time.monotonic() + SECONDS
    while marks and (left := marked(marks)) and time.monotonic() < until:
        for pid in left:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
    while cgroups and time.monotonic() < until:
        # refused while a process is in it
        cgroups = [cgroup for cgroup in cgroups if not removed(cgroup)]


def main() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # a service manager may signal all processes of a service, and this one is needed to the end
        signal.signal(number, signal.SIG_IGN)
    workers: dict[int, list[bytes]] = {}
    for line in sys.stdin.buffer:
        sign, group, *known = line.split(maxsplit=3)
        if sign == b"+":
            workers[int(group)] = [word.rstrip(b"\n") for word in known]
        else:
            workers.pop(int(group), None)
    end(workers)


if __name__ == "__main__":
    main()
