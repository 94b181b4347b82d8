"""A function with real workers that run `bootstrap.py`, and what it logged."""

import asyncio
import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from poller.functions.runtime_api.guarding import Guard
from poller.functions.runtime_api.pool import RuntimeFunction
from poller.functions.runtime_api.settings import RuntimeSettings

BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
PATIENCE = 60.0
"""Seconds after which a test that waits has failed; a slow machine takes a few."""
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:f"


class Log:
    """Stands where a bound logger does, and keeps what is logged."""

    def __init__(self):
        self.events = []
        self._changed = asyncio.Event()

    def _keep(self, event, **fields):
        self.events.append((event, fields))
        self._changed.set()

    debug = info = warning = _keep

    def lines(self, **fields):
        return [one["text"] for name, one in self.events if name == "function_log" and fields.items() <= one.items()]

    def of(self, event):
        return [fields for name, fields in self.events if name == event]

    async def until(self, condition):
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


def settings(**changed):
    environment = changed.pop("environment", {})
    known: dict[str, Any] = {
        "name": "f",
        "function_arn": ARN,
        "region": "eu-west-1",
        "timeout": PATIENCE,
        "init_timeout": PATIENCE,
        "payload_limit": 6_291_456,
        "concurrency": 1,
        "minimum_workers": 0,
        "command": (sys.executable, "-I", "-S", str(BOOTSTRAP)),
        "environment": lambda: environment,
    }
    return RuntimeSettings(**known | changed)


@contextlib.asynccontextmanager
async def function(log, *, chance=lambda: 0.0, **changed):
    guard = Guard()
    running = RuntimeFunction(settings(**changed), guard, log, chance)
    try:
        yield running
    finally:
        await running.close()
        guard.close()


def event(do, **more):
    return json.dumps({"do": do} | more).encode()


async def invoked(running, do, **more):
    """The answer of an invocation that succeeds."""
    outcome = await running.invoke(event(do, **more))
    return json.loads(outcome.body)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with contextlib.suppress(FileNotFoundError):
        # one that has ended and that nobody has waited for is no longer running either
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
