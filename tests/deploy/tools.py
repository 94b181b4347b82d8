"""Programs that are not Python's: found, or the test says which package brings them."""

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SCRIPTS = sysconfig.get_path("scripts")


def program(name: str, install: str) -> str:
    """The path of a program, also of one installed beside this Python; without it the test is skipped."""
    found = shutil.which(name, path=os.pathsep.join([SCRIPTS, os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]))
    if found is None:
        pytest.skip(f"{name} is not installed: {install}")
    return found


def as_root() -> None:
    """Skip the test unless it may mount and change users."""
    if os.geteuid() != 0:
        pytest.skip("mounts and changes users: run it as root")


def run(*command: object, timeout: float = 60, **options) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end; its output is the caller's to judge."""
    return subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        stdin=subprocess.DEVNULL,
        **options,
    )
