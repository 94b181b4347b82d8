"""What a function could read of the daemon that started it, as the same user."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
