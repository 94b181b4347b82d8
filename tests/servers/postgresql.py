"""A PostgreSQL of the tests' own: a cluster in a temporary folder, run by a user who is not root."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.servers.process import free_port

PLACES = (*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), Path("/usr/local/bin"), Path("/usr/bin"))
QUICK = ("-c", "fsync=off", "-c", "full_page_writes=off")
"""Settings of a server that no test kills."""
COMMAND_SECONDS = 60
USER = "postgres"


def _program(name: str) -> str:
    found = shutil.which(name, path=":".join(map(str, PLACES))) or shutil.which(name)
    if found is None:
        pytest.skip(
            f"{name} is not installed: install a PostgreSQL server for these tests (apt-get install postgresql)"
        )
    return found


def _user() -> str | None:
    """Who runs it: the server refuses root."""
    if os.geteuid() != 0:
        return None
    for name in (USER, "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    pytest.skip("PostgreSQL runs as no root, and this machine has no other user: run the tests as one")


class Server:
    """A cluster; `start` and what ends it may be called again and again."""

    def __init__(self, folder: Path, *settings: str) -> None:
        self.folder = folder
        self.port = free_port()
        self._settings = settings
        self._user = _user()
        self._process: subprocess.Popen[bytes] | None = None
        if self._user is not None:
            shutil.chown(folder, self._user)
        data = folder / "data"
        self._run("initdb", "-D", str(data), "-A", "trust", "-U", USER, "--no-sync", "-E", "UTF8", "--locale=C")

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [_program(program), *arguments],
            user=self._user,
            cwd=self.folder,
            check=True,
            capture_output=True,
            timeout=COMMAND_SECONDS,
        )

    @property
    def url(self) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Returns once it takes connections."""
        with (self.folder / "log").open("ab") as log:
            place = ["-D", "data", "-h", "127.0.0.1", "-p", str(self.port), "-k", str(self.folder)]
            # the server would outlive a worker of the tests that is killed
            ended_with_us = ["setpriv", "--pdeathsig", "QUIT"] if shutil.which("setpriv") else []
            self._process = subprocess.Popen(
                [*ended_with_us, _program("postgres"), *place, "-c", "max_connections=200", *self._settings],
                user=self._user,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        command = [_program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(command, timeout=COMMAND_SECONDS, check=False).returncode != 0:
            try:
                status = self._process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            raise RuntimeError(f"postgres ended with {status}:\n{(self.folder / 'log').read_text()}")

    def end(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT is the fast stop, SIGQUIT the immediate one; SIGKILL reaches every process of it."""
        if self._process is None:
            return
        self.signal(how)
        self._process.wait(COMMAND_SECONDS)
        self._process = None

    def signal(self, number: signal.Signals) -> None:
        """To all its processes where it cannot pass it on itself."""
        assert self._process is not None
        if number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT):
            for process in (*self._backends(), self._process.pid):
                with suppress(ProcessLookupError):
                    os.kill(process, number)
        else:
            self._process.send_signal(number)

    def _backends(self) -> list[int]:
        """They have sessions of their own."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return [int(each) for each in children.read_text().split()]


@contextmanager
def postgresql(*settings: str) -> Iterator[Server]:
    """A running server, which ends with the block."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        server = Server(folder, *settings)
        try:
            server.start()
            yield server
        finally:
            server.end(signal.SIGKILL)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """One server for the session. A test takes a schema of its own."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'poller[postgresql]'")
    with postgresql(*QUICK) as server:
        yield server.url


def in_schema(url: str, name: str) -> str:
    """The same database by a schema of its own, which is made, and empty."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE SCHEMA "{name}"'.encode())
    return f"{url}?options=-csearch_path%3D{name}"
