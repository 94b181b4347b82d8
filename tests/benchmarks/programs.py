"""The programs of one measurement: the stub, and the client under it, each a process of its own.

Decides: command lines, environments, how they end. Refuses to know: what is measured.
"""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .cases import Case, configuration

_PACKAGE = __package__ or "benchmarks"
_FOLDER = Path(__file__).resolve().parent
ROOT = _FOLDER.parents[len(_PACKAGE.split(".")) - 1]
"""The folder this package is imported from, under whichever name."""
_NOT_INHERITED = ("AWS_", "POLLER_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "PYTHON")


_START_LOOKS = 300


class MeasurementError(Exception):
    """A measurement that says nothing: a program did not start, died, or got stuck. The text says which and why."""


def certificate(folder: Path) -> tuple[Path, Path]:
    """Makes a certificate for 127.0.0.1 and its key. Raises MeasurementError when the openssl command is not there."""
    files = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-out", str(files[0]), "-keyout", str(files[1])]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        raise MeasurementError("the cases with TLS need the openssl command") from None
    except subprocess.CalledProcessError as error:
        raise MeasurementError(
            f"openssl made no certificate: {error.stderr.decode(errors='replace').strip()}"
        ) from None
    return files


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Stub:
    """A running stub endpoint."""

    def __init__(self, pid: int, url: str, context: ssl.SSLContext | None) -> None:
        self.pid = pid
        self.url = url
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )

    def control(self, path: str) -> dict[str, Any]:
        with self._opener.open(self.url + path, timeout=30) as answer:
            return dict(json.load(answer))


@contextmanager
def stub(folder: Path, *, tls: bool = False) -> Iterator[Stub]:
    """Starts one on a free port; ends it on leaving. With `tls`, `folder` gets the certificate."""
    command = [sys.executable, "-m", f"{_PACKAGE}.stub"]
    context = None
    if tls:
        pem, key = certificate(folder)
        command += ["--certificate", str(pem), "--key", str(key)]
        context = ssl.create_default_context(cafile=str(pem))
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            url = process.stdout.readline().decode().strip()
            if not url:
                raise MeasurementError("the stub did not start; its error is above")
            yield Stub(process.pid, url, context)
        finally:
            process.terminate()


class Client:
    """A running client."""

    def __init__(self, process: "subprocess.Popen[bytes]", api: str, errors: Path) -> None:
        self.pid = process.pid
        self.api = api
        """The daemon's own HTTP interface."""
        self._process = process
        self._errors = errors

    def check(self) -> None:
        """Raises MeasurementError when it has ended."""
        if self._process.poll() is not None:
            raise MeasurementError(f"it ended by itself with {self._process.returncode}: {self.last_words()}")

    def wait_until_ready(self) -> None:
        """Returns once the daemon says that it is."""
        for _ in range(_START_LOOKS):
            time.sleep(0.1)
            self.check()
            with suppress(OSError):
                self.read("/readyz")
                return
        raise MeasurementError(f"it was not ready: {self.last_words()}")

    def last_words(self) -> str:
        lines = self._errors.read_text(errors="replace").strip().splitlines()
        return "\n".join(line[-500:] for line in lines[-4:]) or "(it wrote nothing)"

    def read(self, path: str) -> bytes:
        """GET on the daemon's interface."""
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(self.api + path, timeout=10) as answer:
            return bytes(answer.read())


@contextmanager
def client(case: Case, url: str, folder: Path) -> Iterator[Client]:
    """Starts the case's program against the endpoint; ends it on leaving."""
    listen = f"127.0.0.1:{free_port()}"
    if case.transport is None:
        program = "bare" if case.source == "sqs" else "bare_streams"
        command = [f"{_PACKAGE}.{program}", url, case.source]
    else:
        file = folder / "poller.json"
        file.write_text(json.dumps(configuration(case, url, listen, folder), indent=1))
        command = ["poller", "run", "--config", str(file)]
    with running(command, folder, f"http://{listen}", tls=case.tls, extras=case.extras) as started:
        yield started


@contextmanager
def running(
    command: Sequence[str], folder: Path, api: str, *, tls: bool = False, extras: bool = True
) -> Iterator[Client]:
    """Starts a module with its arguments; ends it on leaving."""
    errors = folder / "client.log"
    with errors.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env=_environment(folder, tls=tls, extras=extras),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    with process:
        try:
            yield Client(process, api, errors)
        finally:
            _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()


def _environment(folder: Path, *, tls: bool, extras: bool) -> dict[str, str]:
    """The caller's, without what would send a client elsewhere; credentials that mean nothing."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(_NOT_INHERITED)}
    kept |= {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(folder / "no-aws-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "no-aws-credentials"),
    }
    if tls:
        kept["AWS_CA_BUNDLE"] = str(folder / "certificate.pem")
    if not extras:
        kept["PYTHONPATH"] = str(_FOLDER / "without_extras")
    return kept
