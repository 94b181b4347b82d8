"""As process 1 of a container: the kernel drops signals that process 1 does not handle, so each has to be handled; and
it inherits every process whose parent has ended.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.deploy.tools import ROOT
from tests.live.daemon import Daemon, configuration, until
from tests.live.test_exits import TERMINATED_WHILE_IT_IMPORTS, start_hook

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(sys.platform != "linux", reason="process namespaces are Linux's: run it there"),
]


def unshare(*options: str) -> list[str]:
    """A command that runs what follows as process 1 of a namespace of its own."""
    command = shutil.which("unshare")
    if command is None:
        pytest.skip("unshare is not installed: apt-get install util-linux")
    users = [] if os.geteuid() == 0 else ["--user", "--map-current-user"]
    own = [command, *users, "--pid", "--fork", "--kill-child", *options]
    if subprocess.run([*own, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine allows no process namespaces: run it as root, or allow user namespaces")
    return own


def process_one_of(outer: int) -> int:
    """The process that is 1 inside, by the number it has here."""
    children = Path(f"/proc/{outer}/task/{outer}/children")
    return int(until(lambda: children.read_text().strip(), "the namespace's first process"))


@contextmanager
def running(folder: Path, config: Path, environment: Mapping[str, str] | None = None):
    process = subprocess.Popen(
        [*unshare(), sys.executable, "-m", "poller", "run", "--allow-empty", "--config", str(config)],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT)} | dict(environment or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    daemon = Daemon(process)
    try:
        yield daemon
    finally:
        daemon.end()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_it_stops_softly_when_told(tmp_path, number):
    with running(tmp_path, configuration(tmp_path)) as daemon:
        daemon.wait_for_log("api_listening")
        inside = process_one_of(daemon.process.pid)
        assert Path(f"/proc/{inside}/status").read_text().split("NSpid:")[1].split("\n")[0].split()[-1] == "1"
        os.kill(inside, number)
        assert daemon.wait() == 0
        assert daemon.logged("stop_requested", by=number.name, kind="soft")


def test_it_is_told_to_stop_while_it_still_starts(tmp_path):
    """The kernel would keep the signal from a process 1 that does not handle it."""
    environment = start_hook(tmp_path, TERMINATED_WHILE_IT_IMPORTS.format(name="poller.daemon.run", signal="SIGTERM"))
    with running(tmp_path, configuration(tmp_path), environment) as daemon:
        assert daemon.wait() == 0
        assert daemon.lines == []


HEIRESS = """
import asyncio, os, sys
from poller.daemon import accelerators
from tests.functions.runtime.workers import PATIENCE, Log, function, invoked

async def main():
    assert os.getpid() == 1
    async with function(Log()) as running, asyncio.timeout(PATIENCE):
        orphan = await invoked(running, "orphan", seconds=0)
        try:
            while True:
                await invoked(running, "echo")
                os.kill(orphan, 0)
        except ProcessLookupError:
            print("buried while its worker goes on", flush=True)
        await invoked(running, "orphan", seconds=600)
    try:
        print(os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT))
    except ChildProcessError:
        print("no children are left")

{"asyncio": asyncio.run, "uvloop": accelerators.run}[sys.argv[1]](main())
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_no_zombies_gather_of_what_workers_leave_behind(loop):
    told = subprocess.run(
        [*unshare(), sys.executable, "-c", HEIRESS, loop],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.stdout.splitlines() == ["buried while its worker goes on", "no children are left"], told.stderr
