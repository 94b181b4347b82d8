"""The account in memory behind a socket, for programs that are processes of their own and for transports.

Speaks what AWS speaks: AWS JSON by target, Lambda's Invoke by path. A fault without an answer resets the connection.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.utils import formatdate
from http.client import responses

from poller.aws.port import AWS_JSON_1_0, Operation, Reply, Transport
from poller.values.errors import CallError, ServiceError
from tests.fakes.aws import FakeAws
from tests.fakes.streams import framing

SERVICES = {"AmazonSQS": "sqs", "Kinesis_20131202": "kinesis", "DynamoDBStreams_20120810": "dynamodbstreams"}
LONGEST_BODY = 16 * 2**20


def real_time_aws(**settings: object) -> FakeAws:
    """An account whose clock is the machine's."""
    return FakeAws(clock=time.time, **settings)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Request:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def operation(self) -> Operation:
        target = self.headers.get("x-amz-target")
        if target is None:
            return Operation("lambda", "Invoke", None, "application/json", self.path, 900.0, resend=False)
        prefix, _, name = target.rpartition(".")
        return Operation(SERVICES[prefix], name, target, self.headers.get("content-type", AWS_JSON_1_0))


@contextlib.asynccontextmanager
async def serving(aws: Transport) -> AsyncIterator[str]:
    """The URL of it, on a free port of this machine, until the block ends. A queue whose URL a program makes up from
    this one needs it as its own."""
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(_converse(aws, reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=2**20)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


async def _converse(aws: Transport, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            request = await _read(reader)
            if request.operation.name == "SubscribeToShard":
                if await _push(aws, request, writer):
                    continue
                return
            try:
                reply = await aws.call(request.operation, request.body)
            except ServiceError as error:
                reply = _refusal(request.operation, error)
            except CallError:
                writer.transport.abort()
                return
            writer.write(_head(reply) + reply.body)
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        return
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _push(aws: Transport, request: Request, writer: asyncio.StreamWriter) -> bool:
    """Events in chunks, until the stream ends. Whether another request may follow."""
    try:
        events = await aws.subscribe(request.operation, request.body)
    except ServiceError as error:
        reply = _refusal(request.operation, error)
        writer.write(_head(reply) + reply.body)
        return True
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {framing.CONTENT_TYPE}\r\ntransfer-encoding: chunked\r\n"
    writer.write(f"{head}date: {formatdate(events.date, usegmt=True)}\r\n\r\n".encode())
    _chunk(writer, framing.event(b"{}", "initial-response"))
    try:
        while (payload := await events.event()) is not None:
            _chunk(writer, framing.event(payload))
            await writer.drain()
    except ServiceError as error:
        _chunk(writer, framing.exception(error.code, error.body))
    except CallError:
        writer.transport.abort()
        return False
    finally:
        await events.close()
    writer.write(b"0\r\n\r\n")
    return True


def _chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(b"%x\r\n%b\r\n" % (len(data), data))


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    lines = [line.partition(":") for line in head[1:] if line]
    headers = {name.lower(): value.strip() for name, _, value in lines}
    length = int(headers.get("content-length", "0"))
    assert length <= LONGEST_BODY
    return Request(head[0].split(" ")[1], headers, await reader.readexactly(length))


def _refusal(operation: Operation, error: ServiceError) -> Reply:
    headers = {"content-type": operation.content_type}
    name = error.code.rpartition(".")[2]
    body = error.body or json.dumps({"__type": name, "message": error.message}).encode()
    if operation.service == "sqs":
        headers["x-amzn-query-error"] = f"{error.code};{'Sender' if error.status < 500 else 'Receiver'}"
    elif operation.service == "lambda":
        headers["x-amzn-errortype"] = error.code
    if error.retry_after is not None:
        headers["retry-after"] = f"{error.retry_after:g}"
    return Reply(error.status, headers, body)


def _head(reply: Reply) -> bytes:
    lines = [f"HTTP/1.1 {reply.status} {responses.get(reply.status, '')}"]
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    return "\r\n".join([*lines, f"content-length: {len(reply.body)}", "", ""]).encode("latin-1")
