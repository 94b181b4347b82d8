"""Child processes of the demo: their environment has nothing of the user's, and none of them outlives it."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import poller

INHERITED = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL")
"""The variables of the user's environment that children get: no credentials, endpoints, profiles, proxies or
settings."""
LOG_TAIL = 5
"""Last lines of a child's output that an error message repeats."""


class Child:
    """A running program and what it wrote."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self._process = process
        self.log = log

    @property
    def exit_code(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.poll()

    def ask_to_stop(self) -> None:
        """Send SIGTERM, to the program alone."""
        self._process.terminate()

    def last_words(self) -> str:
        """Return the end of its output, indented for an error message."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_TAIL:]
        return "\n".join(f"    {line}" for line in lines) or "    (it wrote nothing)"


@contextmanager
def child(arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Iterator[Child]:
    """Run a program in `folder`, in a process group of its own that is killed at the end with all it started."""
    folder.mkdir()
    log = folder / "log"
    own = {name: os.environ[name] for name in INHERITED if name in os.environ}
    # our package is found from there too, where it runs from its checkout
    own |= {"HOME": str(folder), "TMPDIR": str(folder), "PYTHONPATH": str(Path(poller.__file__).parents[1])}
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  (our own command line)
            arguments,
            cwd=folder,
            env=own | dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # otherwise Ctrl-C would reach the child first
        )
    try:
        yield Child(process, log)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def forget_the_users_aws() -> None:
    """Keep the SDK of this process, too, away from the user's account and proxy."""
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


def free_port() -> int:
    """Return a port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
