"""What single invocations are compared with and by: a bare POST, functions with one worker, and what a call costs.

The bare POST is aiohttp's, as people write it, to a server of a few lines.
"""

import asyncio
import json
import resource
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import aiohttp

from poller.functions.runtime_api.process import interpreter_command
from poller.policy.response import Succeeded
from tests.benchmarks.processes import cpu_seconds
from tests.functions.runtime.workers import Log, function

EVENT = json.dumps({"do": "none", "Records": [{"messageId": str(at), "body": "x" * 200} for at in range(10)]}).encode()
HANDLER = "def handler(event, context):\n    return {'batchItemFailures': []}\n"
SERVER = """
import socket
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
client, _ = listening.accept()
client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
lines = client.makefile("rb")
while True:
    length = 0
    while (line := lines.readline()) != b"\\r\\n":
        if not line:
            raise SystemExit
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    lines.read(length)
    client.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: 4\\r\\n\\r\\nnull")
"""


@dataclass(frozen=True)
class Call:
    """One invocation after the other."""

    once: Callable[[], Awaitable[None]]
    workers: Callable[[], float] = float
    """CPU seconds so far of what is no part of the daemon, and comes with it all the same."""


@dataclass(frozen=True)
class Cost:
    """Microseconds per invocation."""

    cpu: float
    latency: float
    workers: float


@asynccontextmanager
async def bare_post() -> AsyncIterator[Call]:
    """What one would write without poller."""
    server = await asyncio.create_subprocess_exec(sys.executable, "-c", SERVER, stdout=asyncio.subprocess.PIPE)
    assert server.stdout is not None
    url = f"http://127.0.0.1:{int(await server.stdout.readline())}/"
    async with aiohttp.ClientSession() as session:

        async def call() -> None:
            async with session.post(url, data=EVENT, headers={"Content-Type": "application/json"}) as answer:
                assert answer.status == 200
                await answer.read()

        yield Call(call)
    await server.wait()


@asynccontextmanager
async def runtime(*command: str, code: Path | None = None) -> AsyncIterator[Call]:
    """A function with one worker."""
    log = Log()
    async with function(log, command=command, code=code) as running:

        async def call() -> None:
            outcome = await running.invoke(EVENT)
            assert isinstance(outcome, Succeeded), outcome

        yield Call(call, lambda: sum(cpu_seconds(line["pid"]) for line in log.of("worker_started")))


@asynccontextmanager
async def python_handler() -> AsyncIterator[Call]:
    """The same, run by Lambda's own client of the Runtime API."""
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "app.py").write_text(HANDLER)
        async with runtime(*interpreter_command("app.handler"), code=Path(name)) as call:
            yield call


async def cost(call: Call, invocations: int) -> Cost:
    """Of one, when it is warm."""
    for _ in range(max(1, invocations // 10)):
        await call.once()
    workers, cpu, begun = call.workers(), cpu_of_this_process(), perf_counter()
    for _ in range(invocations):
        await call.once()
    seconds, own = perf_counter() - begun, cpu_of_this_process() - cpu
    each = 1e6 / invocations
    return Cost(own * each, seconds * each, (call.workers() - workers) * each)


def cpu_of_this_process() -> float:
    """CPU seconds so far."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime
