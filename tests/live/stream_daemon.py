"""`poller run` as a process, started and killed as often as a test likes, against streams of a fake account."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.fakes.recording import RecordingTransport

CHECKOUT = Path(__file__).parents[2]
PATIENCE = 60.0
"""Seconds for what takes two or three on an idle machine."""


class Daemon:
    """`poller run`, as often as it is started, on one configuration and one state."""

    def __init__(self, folder, url, *mappings, access_key="KEY", name="", **settings):
        """`name` tells several on one state apart."""
        self._access_key = access_key
        self.log = folder / f"log{name}"
        self._config = folder / f"poller{name}.json"
        self._config.write_text(
            json.dumps(
                {
                    "aws": {"region": "eu-west-1", "endpoint_url": url},
                    "state": f"sqlite:///{folder}/state.db",
                    "api": {"listen": "127.0.0.1:0"},
                    "shutdown_grace_seconds": 5,
                    "event_source_mappings": mappings,
                }
                | settings
            )
        )

    @contextlib.asynccontextmanager
    async def running(self, *arguments):
        """Ends it softly, and sees that it ends well."""
        environment = {name: os.environ[name] for name in ("PATH", "HOME")}
        environment |= {"AWS_ACCESS_KEY_ID": self._access_key, "AWS_SECRET_ACCESS_KEY": "secret"}
        command = [sys.executable, "-m", "poller", "run", "--config", str(self._config), *arguments]
        with self.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *command, cwd=CHECKOUT, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        try:
            yield process
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
                assert await asyncio.wait_for(process.wait(), PATIENCE) == 0, self.log.read_text()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    def logged(self, event):
        """The lines of an event."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    async def kill(self, process):
        process.kill()
        await process.wait()


class Watched(RecordingTransport):
    """The account as the daemon sees it; every call may have brought about what is waited for."""

    def __init__(self, aws):
        super().__init__(aws)
        self._called = asyncio.Event()
        self.after_call = self._called.set

    async def until(self, condition, daemon):
        try:
            async with asyncio.timeout(PATIENCE):
                while not condition():
                    self._called.clear()
                    await self._called.wait()
        except TimeoutError:
            pytest.fail(f"not within {PATIENCE:g} s:\n{daemon.log.read_text()[-3000:]}")


def mapping(name, arn, **parameters):
    return {
        "name": name,
        "event_source_arn": arn,
        "function_name": "fn",
        "starting_position": "TRIM_HORIZON",
        "poll_interval_seconds": 0.2,
    } | parameters


def put(stream, count, start=0):
    for number in range(start, start + count):
        stream.put(f"key {number % 13}", f"value {number}")
