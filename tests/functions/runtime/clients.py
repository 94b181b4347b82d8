"""A runtime as a client in this process, spoken byte by byte, and the functions it asks: one that waits for runtimes,
and one whose workers only pass on what is said here.
"""

import asyncio
import contextlib
import json
import sys
from typing import Any

from poller.functions.runtime_api.shared import SharedRuntimeFunction
from tests.functions.runtime.workers import Log, function, settings

BASE = "/2018-06-01/runtime"
PASS_ON = """
import os, select, socket, sys
host, _, port = os.environ["AWS_LAMBDA_RUNTIME_API"].rpartition(":")
ends = socket.create_connection((host, int(port))), socket.create_connection(("127.0.0.1", int(os.environ["SPEAKER"])))
other = dict(zip(ends, reversed(ends)))
while True:
    for end in select.select(ends, [], [])[0]:
        if not (data := end.recv(1_000_000)):
            sys.exit()
        other[end].sendall(data)
"""
"""A worker: ends with either of its connections."""


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def error(self):
        return json.loads(self.body)["errorType"]


class Client:
    """One connection."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    async def send(self, method, path, body=b"", **headers):
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        head = f"{method} {path} HTTP/1.1\r\nHost: here\r\nContent-Length: {len(body)}\r\n{lines}\r\n"
        self.writer.write(head.encode() + body)
        await self.writer.drain()

    async def raw(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self):
        status = int((await self.reader.readuntil(b"\r\n")).split()[1])
        headers = {}
        while (line := await self.reader.readuntil(b"\r\n")) != b"\r\n":
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        return Answer(status, headers, await self.reader.readexactly(int(headers.get("content-length", 0))))

    async def request(self, method, path, body=b"", **headers):
        await self.send(method, path, body, **headers)
        return await self.answer()

    async def next(self):
        return await self.request("GET", f"{BASE}/invocation/next")

    async def respond(self, request_id, body=b"null", **headers):
        return await self.request("POST", f"{BASE}/invocation/{request_id}/response", body, **headers)

    async def post_error(self, request_id, body=b"", **headers):
        return await self.request("POST", f"{BASE}/invocation/{request_id}/error", body, **headers)

    async def ended(self):
        """Whether the other side has closed."""
        with contextlib.suppress(ConnectionResetError):
            return not await self.reader.read()
        return True

    async def close(self):
        self.writer.close()
        with contextlib.suppress(ConnectionResetError):
            await self.writer.wait_closed()


class Shared:
    """A function that waits for runtimes, with the clients that were opened to it."""

    def __init__(self, function, log, stack):
        self.function = function
        self.log = log
        self._stack = stack

    async def client(self):
        host, _, port = self.function.address.rpartition(":")
        client = Client(*await asyncio.open_connection(host, int(port)))
        self._stack.push_async_callback(client.close)
        return client

    async def asked(self, count):
        """So many clients wait for an invocation."""
        while len(self.function.runtimes) < count:  # noqa: ASYNC110 - it has nobody to tell
            await asyncio.sleep(0)

    def invoke(self, event=b"{}", trace=None):
        return asyncio.create_task(self.function.invoke(event, trace))

    async def invoked(self, event=b"{}"):
        """One invocation in the hands of one client: its outcome to come, the client, its request id."""
        outcome, client = self.invoke(event), await self.client()
        given = await client.next()
        return outcome, client, given.headers["lambda-runtime-aws-request-id"]


@contextlib.asynccontextmanager
async def shared(**changed):
    async with contextlib.AsyncExitStack() as stack:
        log: Any = Log()
        function = SharedRuntimeFunction(settings(command=(), **changed), log)
        await function.open("127.0.0.1", 0)
        stack.push_async_callback(function.close)
        yield Shared(function, log, stack)


@contextlib.asynccontextmanager
async def started(speak, log=None, **changed):
    """A function each of whose workers says what `speak` does with the client it is given, and then ends."""

    async def joined(reader, writer):
        client = Client(reader, writer)
        # it may be ended at any word
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await speak(client)
        await client.close()

    speaker = await asyncio.start_server(joined, "127.0.0.1", 0)
    environment = {"SPEAKER": str(speaker.sockets[0].getsockname()[1])}
    command = (sys.executable, "-I", "-S", "-c", PASS_ON)
    async with speaker, function(log or Log(), command=command, environment=environment, **changed) as running:
        yield running
