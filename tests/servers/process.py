"""Starts a local server as a child process and ends it for sure."""

import http.client
import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

START_SECONDS = 30.0
"""Long enough for a loaded machine; ready servers answer within a second."""
STOP_SECONDS = 10.0
PAUSE_SECONDS = 0.05


def free_port() -> int:
    """A port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def server(
    command: Sequence[str], port: int, ready_path: str, folder: Path, environment: Mapping[str, str]
) -> Iterator[str]:
    """Run `command` in `folder` until the block ends; gives its URL once `ready_path` answers 200.

    The environment is only what is given, PATH, and a home and temporary folder of its own.
    """
    log = folder / "log"
    own = {"PATH": os.environ.get("PATH", ""), "HOME": str(folder), "TMPDIR": str(folder)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=own | dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _wait_until_ready(process, port, ready_path, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        _end(process)


def _wait_until_ready(process: "subprocess.Popen[bytes]", port: int, path: str, log: Path) -> None:
    for _ in range(int(START_SECONDS / PAUSE_SECONDS)):
        if _answers(port, path):
            return
        try:
            status = process.wait(PAUSE_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        raise RuntimeError(f"{process.args!r} ended with {status}:\n{log.read_text()}")
    raise RuntimeError(f"{process.args!r} is not ready after {START_SECONDS:g} s:\n{log.read_text()}")


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what it started itself goes with it
        process.wait()
