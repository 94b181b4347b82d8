"""The real daemon as a child process: its configuration, signals, log, HTTP and memory, as a person would see them."""

import functools
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

CHECKOUT = Path(__file__).parents[2]
WAIT_SECONDS = 60.0
"""Long enough for a loaded machine; a start takes a second."""
PAUSE_SECONDS = 0.05


def until(condition: Callable[[], Any], what: str, seconds: float = WAIT_SECONDS) -> Any:
    """Return the first true answer of `condition`, which asks another process. AssertionError names `what`."""
    end = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < end, f"waited {seconds:g} s for {what}"
        time.sleep(PAUSE_SECONDS)
    return answer


def command(folder: Path, environment: Mapping[str, str], *arguments: object) -> "subprocess.Popen[str]":
    """Start `poller` in an environment of its own."""
    own = {"PATH": os.environ.get("PATH", ""), "HOME": str(folder), "PYTHONPATH": str(CHECKOUT)}
    return subprocess.Popen(
        [sys.executable, "-m", "poller", *map(str, arguments)],
        cwd=folder,
        env=own | {"AWS_EC2_METADATA_DISABLED": "true"} | dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def configuration(folder: Path, *mappings: Mapping[str, Any], **settings: Any) -> Path:
    """Write a configuration file with a free port and no state unless `settings` say otherwise."""
    whole = {"api": {"listen": "127.0.0.1:0"}, "state": "memory:"} | settings
    path = folder / "poller.json"
    path.write_text(json.dumps(whole | {"event_source_mappings": mappings}))
    return path


class Daemon:
    """A running `poller run`. Every look at its status checks that its account balances."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.log: list[dict[str, Any]] = []
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._changed:
                self.lines.append(line)
                if line.startswith("{"):
                    self.log.append(json.loads(line))
                self._changed.notify_all()

    def logged(self, event: str, **fields: Any) -> dict[str, Any] | None:
        """The first line of that event with these fields."""
        wanted = fields | {"event": event}
        return next((line for line in self.log if wanted.items() <= line.items()), None)

    def wait_for_log(self, event: str, seconds: float = WAIT_SECONDS, **fields: Any) -> dict[str, Any]:
        """Wait until it has logged that."""
        with self._changed:
            self._changed.wait_for(lambda: self.logged(event, **fields) is not None, seconds)
            line = self.logged(event, **fields)
        assert line is not None, f"{event} {fields} was not logged:\n{''.join(self.lines[-30:])}"
        return line

    @functools.cached_property
    def address(self) -> str:
        """Where its API listens, once it does."""
        found: str = self.wait_for_log("api_listening")["address"]
        return found

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
        place = urlsplit(self.address)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=20)
        try:
            connection.request("GET", path, headers=dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def status(self) -> dict[str, dict[str, Any]]:
        """Mappings by name."""
        code, body = self.get("/status")
        mappings = {mapping["name"]: mapping for mapping in json.loads(body)["mappings"]}
        assert code == 200
        assert not [name for name, mapping in mappings.items() if mapping["unaccounted"]], body
        return mappings

    def healthy(self) -> bool:
        return self.get("/healthz")[0] == 200

    def wait_for_reason(self, name: str, code: str) -> dict[str, Any]:
        """Wait until a mapping's status gives that reason."""

        def reason() -> Any:
            found = self.status()[name]["reason"]
            return found if found and found["code"] == code else None

        found: dict[str, Any] = until(reason, f"{name} to say {code}")
        return found

    def wait_until_running(self, name: str) -> None:
        until(lambda: self.status()[name]["state"] == "running", f"{name} to run")

    def memory(self, kind: str = "VmRSS") -> float:
        """MiB; `VmHWM` for the peak."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(rf"^{kind}:\s+(\d+) kB$", text, re.MULTILINE)
        assert found is not None
        return int(found[1]) / 1024

    def descriptors(self) -> int:
        """Open files and sockets."""
        return sum(1 for _ in Path(f"/proc/{self.process.pid}/fd").iterdir())

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = WAIT_SECONDS) -> int:
        """The exit code."""
        code = self.process.wait(seconds)
        self._reader.join()
        return code

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait()

    def terminate(self) -> None:
        """Ask for the soft stop, and return once it is under way."""
        self.signal(signal.SIGTERM)
        self.wait_for_log("stop_requested", kind="soft")

    def stop(self, *, hard: bool = False) -> dict[str, Any]:
        """End by SIGTERM, twice when `hard`, and return the accounts it ends with, which balance."""
        self.terminate()
        if hard:
            self.signal(signal.SIGTERM)
        assert self.wait() == 0, "".join(self.lines[-30:])
        accounts: dict[str, Any] = self.wait_for_log("stopped")["mappings"]
        assert not [name for name, account in accounts.items() if account["unaccounted"] or account["in_flight"]]
        return accounts

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


@contextmanager
def running(config: Path, environment: Mapping[str, str]) -> Iterator[Daemon]:
    """Run `poller run` until the block ends; it is killed there unless it has ended by itself."""
    daemon = Daemon(command(config.parent, environment, "run", "--allow-empty", "--config", config))
    try:
        yield daemon
    finally:
        daemon.end()
    assert not [line for line in daemon.lines if "Traceback" in line], "".join(daemon.lines[-60:])
