"""Nothing a worker started outlives it: not its end, not its time limit, not a daemon that is killed."""

import os
import select
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from poller.functions.runtime_api import cgroups
from tests.functions.runtime.workers import PATIENCE, alive
from tests.present import present

pytestmark = pytest.mark.heavy

CHECKOUT = Path(__file__).parents[3]
DAEMON = """
import asyncio, json, sys
from poller.functions.runtime_api import kernel
from tests.functions.runtime.workers import Log, event, function

class Telling(Log):
    def info(self, name, **fields):
        if fields.get("text", "").startswith("child"):
            print("child", fields["text"].split()[1], flush=True)

    def debug(self, name, **fields):
        if name == "worker_started":
            print("worker", fields["pid"], flush=True)

async def replaced(guard):
    first = guard._child
    while guard._child is first or guard._child is None:
        await asyncio.sleep(0.01)
    print("another", guard._child.pid, flush=True)

async def main(timeout, do):
    async with function(Telling(), timeout=timeout) as running:
        running._guard.adopting = kernel.prepare()
        guard = running._guard
        asking = asyncio.create_task(running.invoke(event(**do)))
        while guard._child is None:
            await asyncio.sleep(0.01)
        print("guard", guard._child.pid, flush=True)
        replacing = asyncio.create_task(replaced(guard))
        outcome = await asking
        print("outcome", type(outcome).__name__, flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main(float(sys.argv[1]), json.loads(sys.argv[2])))
"""
HANG = '{"do": "hang", "child": true, "stubborn": true, "leaves": %s}'
LEAVE = '{"do": "leave", "code": 1, "child": true, "leaves": %s}'
LEAVING = ["null", '"its session"', '"without its environment"']
NEEDS_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only the process group is ended")


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


@contextmanager
def daemon(do, timeout=PATIENCE):
    """It, and the pids it tells of, until it has told of `expected`."""
    with subprocess.Popen(
        [sys.executable, "-c", DAEMON, str(timeout), do],
        cwd=CHECKOUT,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def told(process, *names):
    """What it says under these names."""
    found: dict[Any, Any] = {}
    while not found.keys() >= set(names):
        name, *words = process.stdout.readline().split()
        value = " ".join(words)
        found[name] = int(value) if value.isdecimal() else value
    return found


def kill(process):
    """Stopped first, so that nothing but its end can be what ends its workers."""
    process.send_signal(signal.SIGSTOP)
    process.kill()
    process.wait()


@pytest.mark.parametrize("leaves", LEAVING[:2])
def test_a_killed_daemon_leaves_neither_its_workers_nor_what_they_started(leaves):
    with daemon(HANG % leaves) as process:
        pids = told(process, "guard", "worker", "child")
        assert alive(pids["worker"])
        assert alive(pids["child"])
        kill(process)
    ended(pids["worker"])
    ended(pids["child"])


@NEEDS_LINUX
@pytest.mark.parametrize("leaves", LEAVING[1:])
def test_a_child_that_leaves_its_group_ends_with_the_workers_time(leaves):
    with daemon(HANG % leaves, timeout=3) as process:
        pids = told(process, "child", "outcome")
        assert pids["outcome"] == "Failed"
        assert not alive(pids["child"]), "its batch may be tried again"
        assert process.poll() is None


@NEEDS_LINUX
def test_a_child_that_leaves_its_group_ends_with_a_worker_that_ends_by_itself():
    with daemon(LEAVE % LEAVING[1]) as process:
        pids = told(process, "child", "outcome")
        assert not alive(pids["child"])
        assert process.poll() is None


@pytest.mark.skipif(cgroups.own_group() is None, reason="needs a delegated control group: cgroup v2 mounted writable")
@pytest.mark.parametrize("end", ["by itself", "by a kill"])
def test_in_a_control_group_of_its_own_a_worker_takes_everything_with_it(end):
    left = '"altogether"'
    with daemon((LEAVE if end == "by itself" else HANG) % left) as process:
        pids = told(process, "worker", "child", "guard", *(["outcome"] if end == "by itself" else []))
        if end == "by a kill":
            assert alive(pids["child"])
            assert b"POLLER_WORKER" not in Path(f"/proc/{pids['child']}/environ").read_bytes()
            kill(process)
    ended(pids["child"])
    ended(pids["guard"])
    assert not list(present(cgroups.own_group()).glob(f"poller-{process.pid}-*")), "none is left"


@NEEDS_LINUX
def test_a_guard_that_was_killed_is_replaced_and_does_what_it_is_for():
    with daemon(HANG % LEAVING[0]) as process:
        pids = told(process, "guard", "worker", "child")
        os.kill(pids["guard"], signal.SIGKILL)
        ended(pids["guard"])
        assert told(process, "another") != {"another": pids["guard"]}
        kill(process)
    ended(pids["worker"])
    ended(pids["child"])


@NEEDS_LINUX
def test_a_guard_that_stands_still_does_not_keep_the_daemon_from_its_end():
    with daemon('{"do": "echo"}') as process:
        pids = told(process, "guard", "outcome")
        os.kill(pids["guard"], signal.SIGSTOP)
        process.stdin.close()
        assert process.wait(PATIENCE) == 0
    ended(pids["guard"])
