"""Whatever hangs around the daemon, it says so, goes on with the rest, and ends when it is told to."""

import http.client
import os
import resource
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.live.daemon import CHECKOUT, command, configuration, running, until

pytestmark = [pytest.mark.live, pytest.mark.heavy]

STOP_SECONDS = 30.0
"""Far above what a stop takes here (some seconds), and far below for ever."""
MAPPING = {
    "name": "q",
    "event_source_arn": "arn:aws:sqs:eu-west-1:123456789012:q",
    "function_name": "f",
    "enabled": False,
}


def told_by(daemon, path, **more):
    """Status and body of a POST."""
    address = daemon.wait_for_log("api_listening")["address"].removeprefix("http://")
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.request("POST", path, **more, headers={"Content-Type": "application/json"})
    answer = connection.getresponse()
    found = answer.status, answer.read().decode()
    connection.close()
    return found


def start_hook(folder, source):
    """The environment of a process that runs this first, as a machine with other files and disks would have it."""
    (folder / "hook").mkdir()
    (folder / "hook" / "sitecustomize.py").write_text(source)
    return {"PYTHONPATH": f"{folder / 'hook'}{os.pathsep}{CHECKOUT}"}


TERMINATED_WHILE_IT_IMPORTS = """
import os, signal, sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "{name}":
            sys.meta_path.remove(self)
            for number in (signal.SIGHUP, signal.{signal}, signal.SIGTERM):
                os.kill(os.getpid(), number)

sys.meta_path.insert(0, Watch())
"""


@pytest.mark.parametrize(
    ("name", "number"),
    [("poller.cli.main", "SIGINT"), ("pydantic", "SIGTERM"), ("poller.engine.app", "SIGINT"), ("uvloop", "SIGTERM")],
)
def test_a_signal_in_the_first_tenths_of_a_second_ends_quietly_with_0(tmp_path, name, number):
    environment = start_hook(tmp_path, TERMINATED_WHILE_IT_IMPORTS.format(name=name, signal=number))
    process = command(tmp_path, environment, "run", "--config", configuration(tmp_path))
    out, err = process.communicate(timeout=STOP_SECONDS)
    assert (process.returncode, out, err) == (0, "", "")


def test_a_storm_of_signals_ends_with_0_as_one_does(tmp_path):
    with running(configuration(tmp_path), {}) as daemon:
        daemon.wait_for_log("daemon_started")
        while daemon.process.poll() is None:
            for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
                daemon.signal(number)
        assert daemon.wait(STOP_SECONDS) == 0
        assert daemon.logged("stopped")


@pytest.mark.heavy
def test_a_log_that_nobody_reads_delays_neither_the_daemon_nor_its_end(tmp_path):
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writing, True)
    place = tmp_path / "api.sock"
    config = configuration(tmp_path, MAPPING, api={"listen": f"unix:{place}"}, log={"level": "debug"})
    process = subprocess.Popen(
        [sys.executable, "-m", "poller", "run", "--config", str(config)],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(CHECKOUT)},
        stderr=writing,
    )
    os.close(writing)
    try:
        until(place.exists, "the API to listen")
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(STOP_SECONDS)
            asking.connect(str(place))
            asking.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            assert asking.recv(100).startswith(b"HTTP/1.0 200")
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_SECONDS) == 0
    finally:
        process.kill()
        process.wait()
        os.close(reading)


def test_state_that_was_taken_away_acknowledges_no_pause_and_is_unhealthy(tmp_path):
    place = tmp_path / "state.db"
    with running(configuration(tmp_path, MAPPING, state=f"sqlite:///{place}"), {}) as daemon:
        daemon.wait_for_log("ready")
        assert daemon.healthy()
        for file in tmp_path.glob("state.db*"):
            file.unlink()
        code, said = told_by(daemon, "/mappings/q/pause")
        assert code == 503
        assert "removed or replaced" in said
        daemon.wait_for_log("state_not_usable")
        assert not daemon.healthy()
        daemon.stop()


HUNG_DISK = """
import os, sqlite3, time

class HungDisk(sqlite3.Connection):
    def execute(self, statement, *rest):
        while statement == "COMMIT" and os.path.exists("{hang}"):
            time.sleep(0.05)
        return super().execute(statement, *rest)

connect = sqlite3.connect
sqlite3.connect = lambda *given, **named: connect(*given, **named, factory=HungDisk)
"""


@pytest.mark.slow
@pytest.mark.parametrize("comes_back", [True, False])
def test_a_disk_that_hangs_is_told_and_keeps_neither_pause_nor_the_end_waiting(tmp_path, comes_back):
    hang = tmp_path / "hang"
    environment = start_hook(tmp_path, HUNG_DISK.format(hang=hang))
    config = configuration(tmp_path, MAPPING, state=f"sqlite:///{tmp_path / 'state.db'}")
    with running(config, environment) as daemon:
        daemon.wait_for_log("ready")
        hang.touch()
        code, said = told_by(daemon, "/mappings/q/pause")
        assert code == 503
        assert "no answer within 10 s" in said
        until(lambda: not daemon.healthy(), "the hung step to show")
        assert "no answer for" in daemon.wait_for_log("unhealthy")["problems"][0]
        if comes_back:
            hang.unlink()
            until(daemon.healthy, "the disk to be back")
            assert told_by(daemon, "/mappings/q/pause")[0] == 200
        daemon.stop()


def test_a_full_disk_refuses_a_pause_and_ends_nothing(tmp_path):
    config = configuration(tmp_path, MAPPING, state=f"sqlite:///{tmp_path / 'state.db'}")
    with running(config, {}) as daemon:
        daemon.wait_for_log("ready")
        size = (tmp_path / "state.db-wal").stat().st_size
        resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        code, said = told_by(daemon, "/mappings/q/pause")
        assert code == 503
        assert "No position has moved" in said
        assert daemon.healthy()
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, unlimited)
        assert told_by(daemon, "/mappings/q/pause")[0] == 200
        daemon.stop()


def test_a_pipe_among_the_configuration_is_refused_and_reloads_go_on(tmp_path):
    folder = tmp_path / "conf.d"
    folder.mkdir()
    configuration(folder)
    with running(folder, {}) as daemon:
        daemon.wait_for_log("ready")
        os.mkfifo(folder / "pipe.yaml")
        daemon.signal(signal.SIGHUP)
        assert "is no regular file" in daemon.wait_for_log("reload_refused")["problems"][0]
        assert daemon.healthy()
        (folder / "pipe.yaml").unlink()
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_log("reloaded")
        daemon.stop()


@contextmanager
def a_stopped_guard(daemon):
    """The child that ends workers which outlive the daemon."""

    def guard():
        for child in _children(daemon.process.pid):
            if b"guard.py" in Path(f"/proc/{child}/cmdline").read_bytes():
                return child
        return None

    pid = until(guard, "the guard to run", 20)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_guard_that_somebody_stopped_keeps_no_stop_waiting(tmp_path):
    function = {
        "type": "runtime",
        "command": ["sleep", "1000"],
        "minimum_workers": 1,
        "init_timeout_seconds": 600,
        "code": str(tmp_path),
    }
    config = configuration(tmp_path, MAPPING | {"enabled": True}, functions={"f": function})
    account = {"AWS_ACCESS_KEY_ID": "1", "AWS_SECRET_ACCESS_KEY": "2", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    with running(config, account) as daemon, a_stopped_guard(daemon):
        daemon.signal(signal.SIGTERM)
        assert daemon.wait(STOP_SECONDS) == 0


@pytest.mark.slow
def test_a_daemon_that_was_stopped_and_goes_on_ends_as_any_other(tmp_path):
    """SIGSTOP and SIGCONT in turns, as a debugger or a frozen container does it, with a SIGTERM in between."""
    with running(configuration(tmp_path, MAPPING, state=f"sqlite:///{tmp_path / 'state.db'}"), {}) as daemon:
        daemon.wait_for_log("ready")
        for _ in range(50):
            daemon.signal(signal.SIGSTOP)
            daemon.signal(signal.SIGCONT)
        daemon.signal(signal.SIGSTOP)
        daemon.signal(signal.SIGTERM)
        daemon.signal(signal.SIGCONT)
        assert daemon.wait(STOP_SECONDS) == 0
