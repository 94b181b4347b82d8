"""A function with real workers that run `bootstrap.py`, and what it logged."""

import asyncio
import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from poller.configuration.reading.secrets import Secret
from poller.functions.runtime_api.guarding import Guard
from poller.functions.runtime_api.options import RuntimeOptions
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

    def debug(self, event, **fields):
        self._keep(event, **fields)

    info = warning = debug

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
    """Of options and of what every type has, told apart by their names."""
    environment = {
        name: value if isinstance(value, Secret) else Secret.text(value)
        for name, value in changed.pop("environment", {}).items()
    }
    known: dict[str, Any] = {
        "name": "f",
        "function_arn": ARN,
        "region": "eu-west-1",
        "timeout": PATIENCE,
        "payload_limit": 6_291_456,
        "concurrency": 1,
        "command": (sys.executable, "-I", "-S", str(BOOTSTRAP)),
    }
    of_options: dict[str, Any] = {"init_timeout_seconds": PATIENCE, "minimum_workers": 0, "environment": environment}
    for name, value in changed.items():
        (known if name in known else of_options)[name] = value
    return RuntimeSettings(options=RuntimeOptions(**of_options), **known)


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
