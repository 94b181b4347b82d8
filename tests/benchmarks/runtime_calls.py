"""`python -m tests.benchmarks.runtime_calls`: what an invocation by the Runtime API costs the daemon, beside a bare POST.

One invocation after the other, with an event of ten small messages: the daemon's CPU and the time until the outcome. The
bare POST is aiohttp's, as people write it, to a server of a few lines; so is the first worker.
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

from poller import fast
from poller.functions.runtime_api.process import interpreter_command
from poller.policy.response import Succeeded
from tests.functions.runtime.workers import BOOTSTRAP, Log, function

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

Call = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Cost:
    """Microseconds per invocation."""

    cpu: float
    latency: float


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

        yield call
    await server.wait()


@asynccontextmanager
async def runtime(*command: str, code: Path | None = None) -> AsyncIterator[Call]:
    """A function with one worker."""
    async with function(Log(), command=command, code=code) as running:

        async def call() -> None:
            outcome = await running.invoke(EVENT)
            assert isinstance(outcome, Succeeded), outcome

        yield call


async def cost(call: Call, invocations: int) -> Cost:
    """Of one, when it is warm."""
    for _ in range(max(1, invocations // 10)):
        await call()
    cpu, begun = _cpu(), perf_counter()
    for _ in range(invocations):
        await call()
    seconds = perf_counter() - begun
    return Cost((_cpu() - cpu) / invocations * 1e6, seconds / invocations * 1e6)


def _cpu() -> float:
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime


async def costs(invocations: int) -> dict[str, Cost]:
    """By what is measured."""
    with tempfile.TemporaryDirectory() as name:
        code = Path(name)
        (code / "app.py").write_text(HANDLER)
        measured = {
            "a bare aiohttp POST": bare_post(),
            "runtime, a worker of a few lines": runtime(sys.executable, "-I", "-S", str(BOOTSTRAP)),
            "runtime, a Python handler": runtime(*interpreter_command("app.handler"), code=code),
        }
        found = {}
        for what, opened in measured.items():
            async with opened as call:
                found[what] = await cost(call, invocations)
        return found


if __name__ == "__main__":
    for what, found in fast.run(costs(3_000)).items():
        sys.stdout.write(f"{what:35} {found.cpu:6.0f} us CPU {found.latency:6.0f} us until the outcome\n")
