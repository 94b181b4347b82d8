"""What a function could read of the daemon that started it, as the same user."""

import os
import pwd
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from poller.policy.response import Failed, NotInvoked
from tests.functions.runtime.workers import BOOTSTRAP, Log, alive, event, function, invoked

CHECKOUT = Path(__file__).parents[3]
ATTACK = """
import ctypes, os
from poller.functions.runtime_api import kernel

if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
    # changing the user has hidden it already, which would prove nothing
    ctypes.CDLL(None).prctl(kernel.PR_SET_DUMPABLE, 1, 0, 0, 0)

def attack():
    daemon = os.getpid()
    if not os.fork():
        for name in ("environ", "mem", "maps"):
            try:
                with open(f"/proc/{daemon}/{name}", "rb") as file:
                    found = "open" if name != "environ" else b"SECRET=canary" in file.read()
            except PermissionError:
                found = "denied"
            print(name, found, flush=True)
        os._exit(0)
    os.wait()

attack()
kernel.prepare()
attack()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_function_of_the_same_user_reads_neither_the_daemons_environment_nor_its_memory():
    found = subprocess.run(
        [sys.executable, "-c", ATTACK],
        cwd=CHECKOUT,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT), "SECRET": "canary"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    before, after = found.stdout.splitlines()[:3], found.stdout.splitlines()[3:]
    assert before[0] == "environ True"
    assert after == ["environ denied", "mem denied", "maps denied"]


SYSTEM_PYTHON = Path("/usr/bin/python3")
AS_ANOTHER = pytest.mark.skipif(
    os.geteuid() != 0 or not SYSTEM_PYTHON.exists(), reason="needs root, and an interpreter that everybody may run"
)


@pytest.fixture
def everybodys():
    """A program in a folder that other users can reach, unlike those of pytest; and the command that runs it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        program = Path(folder) / "bootstrap.py"
        program.write_text(BOOTSTRAP.read_text())
        yield {"command": (str(SYSTEM_PYTHON), "-I", "-S", str(program)), "code": Path(folder)}


def status_of(pid):
    return Path(f"/proc/{pid}/status").read_text()


@AS_ANOTHER
@pytest.mark.real_time
async def test_workers_run_as_the_user_that_is_asked_for_and_are_ended_all_the_same(everybodys):
    log, user = Log(), pwd.getpwnam("nobody")
    async with function(log, timeout=3, user="nobody", **everybodys) as running:
        found = await invoked(running, "environment")
        pid = await invoked(running, "pid")
        status = status_of(pid)
        assert re.search(rf"^Uid:\t{user.pw_uid}\t{user.pw_uid}\t{user.pw_uid}", status, re.MULTILINE)
        assert re.search(rf"^Gid:\t{user.pw_gid}\t{user.pw_gid}\t", status, re.MULTILINE)
        assert re.search(rf"^Groups:\t{user.pw_gid} $", status, re.MULTILINE), "none of the daemon's"
        assert isinstance(await running.invoke(event("hang")), Failed)
        assert not alive(pid)
    assert found["HOME"] == user.pw_dir


@pytest.mark.real_time
@pytest.mark.skipif(os.geteuid() == 0, reason="root may")
async def test_a_daemon_that_may_not_change_users_says_what_it_needs():
    async with function(Log(), user="nobody") as running:
        outcome = await running.invoke(event("echo"))
    assert isinstance(outcome, NotInvoked)
    assert "it has to be root, or to have CAP_SETUID" in outcome.detail


@pytest.mark.real_time
async def test_a_user_that_is_gone_is_what_keeps_a_worker_from_its_start():
    async with function(Log(), user="nobody-of-this-name") as running:
        outcome = await running.invoke(event("echo"))
    assert isinstance(outcome, NotInvoked)
    assert outcome.detail == "there is no user nobody-of-this-name on this machine"
