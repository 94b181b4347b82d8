"""What an invocation through Lambda's API costs the daemon: a signed Invoke of the same Python handler."""

import asyncio
import base64
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from poller.configuration import load
from poller.daemon.api.lambda_api.invoke import InvokeOperation
from poller.daemon.api.server import serve
from poller.engine.app import Poller
from poller.state.memory.store import MemoryStore
from tests.benchmarks.calls import EVENT, HANDLER, Cost, cpu_of_this_process
from tests.benchmarks.processes import cpu_seconds
from tests.daemon.samples import Reloading

PATH = "/2015-03-31/functions/f/invocations"
KEY, SECRET = "AKIDEXAMPLE", "a secret of the benchmark"
CLIENT = """
import base64, socket, sys
host, port = sys.argv[1], int(sys.argv[2])
request = base64.b64decode(sys.stdin.readline())
client = socket.create_connection((host, port))
client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
lines = client.makefile("rb")
for line in sys.stdin:
    for _ in range(int(line)):
        client.sendall(request)
        status, length = lines.readline(), 0
        assert b" 200 " in status, status
        while (header := lines.readline()) != b"\\r\\n":
            name, _, value = header.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        lines.read(length)
    print("done", flush=True)
"""


@asynccontextmanager
async def _invoked(directory: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A client that invokes as often as it is told to, one call after the other."""
    (directory / "app.py").write_text(HANDLER)
    function = {"type": "runtime", "handler": "app.handler", "code": "."}
    (directory / "poller.json").write_text(json.dumps({"functions": {"f": function}, "state": "memory:"}))
    api = {"listen": "127.0.0.1:0", "credentials": [{"access_key_id": KEY, "secret_access_key": SECRET}]}
    configuration = load([directory / "poller.json"], environ={}, overrides={"api": api})
    async with Poller(configuration, store=MemoryStore()) as running:
        operations = [InvokeOperation(running.invoker).operation()]
        async with serve(
            running.status, configuration.settings.api, running.steering, Reloading(), operations=operations
        ) as url:
            host, _, port = url.removeprefix("http://").rpartition(":")
            client = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", CLIENT, host, port),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            assert client.stdin is not None
            client.stdin.write(base64.b64encode(_signed(url)) + b"\n")
            try:
                yield client
            finally:
                client.stdin.close()
                await client.wait()


def _signed(url: str) -> bytes:
    """One request as botocore signs it, valid for five minutes."""
    request = AWSRequest("POST", url + PATH, {"Content-Type": "application/json"}, EVENT)
    SigV4Auth(Credentials(KEY, SECRET), "lambda", "eu-west-1").add_auth(request)
    headers = {"Host": url.removeprefix("http://"), "Content-Length": str(len(EVENT)), **dict(request.headers.items())}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {PATH} HTTP/1.1\r\n{lines}\r\n".encode() + EVENT


async def front_door(invocations: int) -> Cost:
    """Of one, when it is warm. The client's own CPU is not counted."""
    with tempfile.TemporaryDirectory() as name:
        async with _invoked(Path(name)) as client:
            await _loop(client, max(1, invocations // 10))
            workers, cpu, begun = _workers(client.pid), cpu_of_this_process(), perf_counter()
            await _loop(client, invocations)
            seconds, own = perf_counter() - begun, cpu_of_this_process() - cpu
            each = 1e6 / invocations
            return Cost(own * each, seconds * each, (_workers(client.pid) - workers) * each)


def _workers(client: int) -> float:
    """CPU seconds of the processes that were started, the client apart."""
    return cpu_seconds(os.getpid()) - cpu_of_this_process() - cpu_seconds(client)


async def _loop(client: asyncio.subprocess.Process, times: int) -> None:
    assert client.stdin is not None
    assert client.stdout is not None
    client.stdin.write(f"{times}\n".encode())
    assert await asyncio.wait_for(client.stdout.readline(), 120) == b"done\n"
