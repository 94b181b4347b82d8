"""Requests on a worker's connections that are not for it alone: what all workers answer together is the parent's.

A client whose connection was given to this worker may ask anything on it, as it may ask a daemon by itself.
"""

import asyncio
import http.client
import io
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from multidict import CIMultiDict

from poller.daemon.api.server import Admit
from poller.workers.answers import Request
from poller.workers.channel import Channel
from poller.workers.head import END
from poller.workers.routing import merged

AT_ONCE = 8
"""Requests to the parent, each of which costs it a thread."""
BETWEEN_NEIGHBOURS = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "content-length", "upgrade", "te", "expect", "accept-encoding"}
)
"""Headers of one connection only."""


class NoAnswer(Exception):
    """The other process has gone, or ends."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What another process answers."""

    status: int
    headers: CIMultiDict[str]
    body: bytes


class Relay:
    """Asks the parent and other workers over the channel."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._to_parent = asyncio.Semaphore(AT_ONCE)

    def middleware(self, admit: Admit) -> Middleware:
        """What answers such requests, and leaves all others to the worker."""

        async def relayed(request: web.Request) -> web.StreamResponse:
            return await self._relayed(request)

        @web.middleware
        async def relay(request: web.Request, handler: Handler) -> web.StreamResponse:
            asked = Request(request.method, request.raw_path, request.raw_path.partition("?")[0], request.headers)
            if _of_client(request) and merged(asked) is not None:
                return await admit(request, relayed)
            return await handler(request)

        return relay

    async def _relayed(self, request: web.Request) -> web.StreamResponse:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in BETWEEN_NEIGHBOURS}
        body = await request.read()
        try:
            async with self._to_parent:
                reply = await self.ask(request.method, request.raw_path, headers, body)
        except NoAnswer as error:
            return web.json_response({"error": str(error)}, status=HTTPStatus.SERVICE_UNAVAILABLE)
        return _response(reply)

    async def ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> Reply:
        """The answer of the parent, within the time of the caller. Raises NoAnswer."""
        ours, theirs = socket.socketpair()
        try:
            ours.setblocking(False)
            sent = self._channel.send({}, theirs)
            theirs.close()
            if not sent:
                raise NoAnswer("the daemon ends")
            return await _exchanged(ours, _request(method, target, headers, body), method)
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError, http.client.HTTPException) as error:
            raise NoAnswer("the process that was asked has ended; try again") from error
        finally:
            theirs.close()
            ours.close()


def _of_client(request: web.Request) -> bool:
    """Whether the client itself is at the other end. A pair of sockets, by which processes of the daemon ask, has no
    name.
    """
    transport = request.transport
    return transport is not None and bool(transport.get_extra_info("sockname"))


def _request(method: str, target: str, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + body


async def _exchanged(connection: socket.socket, sent: bytes, method: str) -> Reply:
    reader, writer = await asyncio.open_connection(sock=connection)
    try:
        writer.write(sent)
        await writer.drain()
        line, _, fields = (await reader.readuntil(END)).partition(b"\r\n")
        status = int(line.split(b" ")[1])
        found = http.client.parse_headers(io.BytesIO(fields))
        length = 0 if method == "HEAD" else int(found.get("Content-Length", 0))
        headers = CIMultiDict((name, value) for name, value in found.items() if name.lower() not in BETWEEN_NEIGHBOURS)
        return Reply(status, headers, await reader.readexactly(length))
    finally:
        writer.close()


def _response(reply: Reply) -> web.Response:
    response = web.Response(status=reply.status, body=reply.body)
    response.headers.popall("Content-Type", None)
    response.headers.extend(reply.headers)
    return response
