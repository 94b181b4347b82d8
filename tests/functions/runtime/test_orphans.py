"""A daemon that is killed leaves no worker behind, whatever it was at."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

from tests.functions.runtime.workers import PATIENCE, alive

CHECKOUT = Path(__file__).parents[3]
DAEMON = """
import asyncio, sys
from tests.functions.runtime.workers import Log, event, function

class Telling(Log):
    def info(self, name, **fields):
        if fields.get("text", "").startswith("child"):
            print("child", fields["text"].split()[1], flush=True)

    def debug(self, name, **fields):
        if name == "worker_started":
            print("worker", fields["pid"], flush=True)

async def main():
    async with function(Telling()) as running:
        print("guard 0", flush=True)
        await running.invoke(event("hang", child=True, stubborn=True))

asyncio.run(main())
"""


def ended(pid):
    """Wait until a process has ended."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        readable, _, _ = select.select([handle], [], [], PATIENCE)
        assert readable, f"{pid} still runs"
    finally:
        os.close(handle)


def test_a_killed_daemon_leaves_neither_its_workers_nor_what_they_started():
    with subprocess.Popen(
        [sys.executable, "-c", DAEMON],
        cwd=CHECKOUT,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as daemon:
        pids = {}
        while len(pids) < 3:
            name, pid = daemon.stdout.readline().split()
            pids[name] = int(pid)
        assert alive(pids["worker"])
        assert alive(pids["child"])
        # stopped first, so that nothing but its end can be what ends them
        daemon.send_signal(signal.SIGSTOP)
        daemon.kill()
        daemon.wait()
    ended(pids["worker"])
    ended(pids["child"])
