"""The AWS endpoint of the benchmarks: `python -m tests.benchmarks.stub [--port N] [--certificate PEM --key PEM]`.

HTTP/1.1 with keep-alive on 127.0.0.1, one process, one thread; it prints its URL once it listens and ends with SIGTERM.
Requests are not authenticated and come with a Content-Length. Control, on the same port, by GET:

    /_load?messages=N&size=512&rate=0   new contents of the queue and a new ledger
    /_load?messages=N&source=kinesis&shards=4   as many more records in a stream (or `dynamodb`), and a new ledger
    /_ctl?NAME=VALUE&...                the fields of `services.Controls`
    /_progress   {"undone": N}          cheap enough to be polled
    /_ledger     the whole account, as JSON
    /_reset      forget everything

It uses uvloop and orjson when they are there: its own speed bounds the wall rate of the fastest clients.
"""

import argparse
import asyncio
import json
import signal
import ssl
import sys
import time
from collections.abc import Callable
from dataclasses import fields, replace
from email.utils import formatdate
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

from .services import AWS_JSON_1_0, Controls, Services

_SWEEP = 0.1
"""Seconds between looks at visibility timeouts."""
_LARGEST_HEAD = 64 * 1024
_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 411: "Length Required"}


class Connection(asyncio.Protocol):
    """One keep-alive connection; requests are answered one at a time, in order."""

    def __init__(self, services: Services, url: str) -> None:
        self.url = url
        self._services = services
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._busy = False
        self._answers = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._services.gone(self)

    def data_received(self, data: bytes) -> None:
        self._received = self._received + data if self._received else bytes(data)
        self._serve()

    def answer(self, body: bytes, content_type: str = AWS_JSON_1_0, *, status: int = 200, extra: str = "") -> None:
        if self._transport is None:
            return
        self._answers += 1
        head = (
            f"HTTP/1.1 {status} {_REASONS[status]}\r\n"
            f"x-amzn-RequestId: 1f3b7c2e-58c9-5d0f-9c1a-{self._answers & 0xFFFFFFFFFFFF:012x}\r\nDate: {http_date()}\r\n"
            f"Content-Type: {content_type}\r\n{extra}Content-Length: {len(body)}\r\n\r\n"
        )
        self._busy = False
        self._transport.write(head.encode() + body)
        if self._received:
            self._serve()

    def _serve(self) -> None:
        while not self._busy and self._received:
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                if len(self._received) > _LARGEST_HEAD:
                    self._refuse()
                return
            head = self._received[:end].decode("latin-1")
            lower = head.lower()
            length = header(head, lower, "content-length") or "0"
            if header(head, lower, "transfer-encoding") or not length.isdigit():
                self._refuse()
                return
            total = end + 4 + int(length)
            if len(self._received) < total:
                return
            body = self._received[end + 4 : total]
            self._received = self._received[total:]
            self._busy = True
            self._dispatch(head.split(" ", 2)[1], header(head, lower, "x-amz-target"), body)

    def _dispatch(self, path: str, target: str | None, body: bytes) -> None:
        services = self._services
        operation = services.operations.get(target or "")
        if operation is not None and target is not None:
            services.ledger.calls[target.rpartition(".")[2]] += 1
            operation(self, body)
        elif path.startswith("/2015-03-31/functions/"):
            services.invoke(self, body)
        elif path.startswith("/_"):
            self._control(path)
        else:
            services.ledger.calls["other"] += 1
            self.answer(b'{"__type":"com.amazon.coral.service#UnknownOperationException"}', status=404)

    def _control(self, path: str) -> None:
        url = urlsplit(path)
        try:
            result = control(self._services, url.path, dict(parse_qsl(url.query)))
        except ValueError as error:
            self.answer(json.dumps({"error": str(error)}).encode(), "application/json", status=400)
        else:
            self.answer(json.dumps(result).encode(), "application/json")

    def _refuse(self) -> None:
        self._received = b""
        self.answer(b"", status=411)
        if self._transport is not None:
            self._transport.close()


_LOAD: dict[str, Callable[[str], Any]] = {"messages": int, "size": int, "rate": float, "source": str, "shards": int}
_CONTROLS: dict[str, Callable[[str], Any]] = {field.name: type(field.default) for field in fields(Controls)}


def control(services: Services, path: str, values: dict[str, str]) -> object:
    """Raises ValueError saying what is wrong; then nothing was changed."""
    known = {"/_load": _LOAD, "/_ctl": _CONTROLS, "/_reset": {}, "/_progress": {}, "/_ledger": {}}.get(path)
    if known is None:
        raise ValueError(f"no such control: {path}")
    if unknown := values.keys() - known.keys():
        raise ValueError(f"unknown for {path}: {', '.join(sorted(unknown))}")
    given = {name: known[name](value) for name, value in values.items()}
    if path == "/_load":
        services.load(**given)
    elif path == "/_ctl":
        services.controls = replace(services.controls, **given)
    elif path == "/_reset":
        services.reset()
    elif path == "/_progress":
        return {"undone": services.ledger.undone}
    else:
        return services.ledger.report()
    return {}


def header(head: str, lower: str, name: str) -> str | None:
    """A header's value; `lower` is `head` in lower case, made once for all look-ups."""
    start = lower.find(f"\r\n{name}:")
    if start < 0:
        return None
    start += len(name) + 3
    end = head.find("\r\n", start)
    return head[start : end if end >= 0 else None].strip()


_date = (0, "")


def http_date() -> str:
    """Now, rendered once a second; clients correct their clocks by it."""
    global _date  # noqa: PLW0603 - a cache of one value
    second = int(time.time())
    if _date[0] != second:
        _date = (second, formatdate(second, usegmt=True))
    return _date[1]


async def serve(port: int, certificate: str | None, key: str | None) -> None:
    loop = asyncio.get_running_loop()
    services = Services()
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    url = ""
    server = await loop.create_server(lambda: Connection(services, url), "127.0.0.1", port, ssl=context, backlog=1024)
    url = f"http{'s' if context else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    sys.stdout.write(url + "\n")
    sys.stdout.flush()

    def sweep() -> None:
        services.sweep()
        loop.call_later(_SWEEP, sweep)

    sweep()
    await ended.wait()
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="A stub of SQS and Lambda on 127.0.0.1, with a ledger.")
    parser.add_argument("--port", type=int, default=0, help="any free one by default")
    parser.add_argument("--certificate", help="PEM file; serves HTTPS")
    parser.add_argument("--key", help="PEM file of the certificate's private key")
    arguments = parser.parse_args()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serve(arguments.port, arguments.certificate, arguments.key))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ModuleNotFoundError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


if __name__ == "__main__":
    main()
