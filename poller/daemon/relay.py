"""Requests on a worker's connections that are not for it alone: what all workers answer together is the parent's, and
a function of which this worker has no part is invoked by one that has.

A client whose connection was given to this worker may ask anything on it, as it may ask a daemon by itself.
"""

import asyncio
import http.client
import io
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import unquote

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from multidict import CIMultiDict

from poller.configuration.model.settings import ApiSettings
from poller.daemon.api.access import tokens_of
from poller.daemon.api.connections import allow_seconds
from poller.daemon.api.lambda_api.invoke import LONGEST_SECONDS, PAYLOAD
from poller.daemon.api.lambda_api.named import find
from poller.daemon.api.page.served import Ask, Json, NotShown
from poller.daemon.api.server import Admit
from poller.support import codec
from poller.workers.answers import Request
from poller.workers.channel import Channel, Packet
from poller.workers.head import END
from poller.workers.routing import merged

if TYPE_CHECKING:
    from poller.ports.invoker import Invoker

LOOK_SECONDS = 20.0
"""For what a screen shows."""
AT_ONCE = 8
"""Requests to the parent, each of which costs it a thread."""
BODY_SECONDS = 20.0
"""For the body to arrive."""
MOST_BODY_BYTES = 64 * 1024 * 1024
"""Of all requests that are passed on."""
BETWEEN_NEIGHBOURS = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "content-length", "upgrade", "te", "expect"}
)
"""Headers of one connection only."""
CLIENT = "X-Poller-Client"
"""Between workers, the client's address."""
INVOKE = re.compile(r"/\d{4}-\d{2}-\d{2}/functions/([^/]+)/invocations/?")
Headers = Iterable[tuple[str, str]]


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
        self._held = 0
        self.invoker: Invoker | None = None
        """Knows which worker invokes a function."""

    def middleware(self, admit: Admit) -> Middleware:
        """What answers such requests, and leaves all others to the worker."""

        async def to_parent(request: web.Request) -> web.StreamResponse:
            async with self._to_parent:
                return await self._relayed(request, {}, [])

        @web.middleware
        async def relay(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not _of_client(request):
                return await handler(_as_of_its_client(request))
            path = request.raw_path.partition("?")[0]
            if merged(Request(request.method, request.raw_path, path, request.headers)) is not None:
                return await admit(request, to_parent)
            if (number := self._invoked_by(path)) is None:
                return await handler(request)

            async def to_worker(request: web.Request) -> web.StreamResponse:
                allow_seconds(request, LONGEST_SECONDS)
                return await self._relayed(request, {"to": number}, [(CLIENT, request.remote or "127.0.0.1")])

            return await admit(request, to_worker)

        return relay

    def _invoked_by(self, path: str) -> int | None:
        """The other worker that invokes the function of this path."""
        if self.invoker is None:
            return None
        named = INVOKE.fullmatch(path)
        hosted = self.invoker.face(path) if named is None else find(self.invoker, unquote(named[1]))
        return None if hosted is None else hosted.worker

    def asking(self, api: ApiSettings) -> Ask:
        """What gives the page the parts that all workers have. It asks as somebody who may look."""

        async def document(path: str) -> Json:
            headers = {"Host": "localhost", "Accept": "application/json"}
            try:
                if (tokens := tokens_of(api)) and "token" in tokens:
                    headers["Authorization"] = f"Bearer {tokens['token'][0]}"
                async with asyncio.timeout(LOOK_SECONDS), self._to_parent:
                    reply = await self.ask("GET", path, headers.items())
            except TimeoutError as error:
                raise NotShown(HTTPStatus.SERVICE_UNAVAILABLE, "the workers do not answer in time") from error
            except NoAnswer as error:
                raise NotShown(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from error
            if reply.status != HTTPStatus.OK:
                raise NotShown(HTTPStatus.SERVICE_UNAVAILABLE, f"the workers answer {reply.status}; try again soon")
            return dict(codec.loads(reply.body))

        return document

    async def _relayed(self, request: web.Request, to: Packet, more: Headers) -> web.StreamResponse:
        passed = [(name, value) for name, value in request.headers.items() if name.lower() not in BETWEEN_NEIGHBOURS]
        headers = [*((name, value) for name, value in passed if name.lower() != CLIENT.lower()), *more]
        body = bytearray()
        try:
            if not await self._read(request, body):
                return _refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too large, or too many come at once")
            return _response(await self.ask(request.method, request.raw_path, headers, bytes(body), to))
        except TimeoutError:
            return _refused(HTTPStatus.REQUEST_TIMEOUT, "the body was not there in time")
        except NoAnswer as error:
            return _refused(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        finally:
            self._held -= len(body)

    async def _read(self, request: web.Request, body: bytearray) -> bool:
        """The body into `body`, which counts as held with every byte; False if it is larger than any may be."""
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.content.iter_any():
                body += chunk
                self._held += len(chunk)
                if len(body) > PAYLOAD or self._held > MOST_BODY_BYTES:
                    return False
        return True

    async def ask(
        self, method: str, target: str, headers: Headers, body: bytes = b"", to: Packet | None = None
    ) -> Reply:
        """The answer of the parent, or of the worker `to` names, within the time of the caller. Raises NoAnswer."""
        ours, theirs = socket.socketpair()
        try:
            ours.setblocking(False)
            sent = self._channel.send(to or {}, theirs)
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


def _as_of_its_client(request: web.Request) -> web.Request:
    """As the worker got it that passed it on."""
    client = request.headers.get(CLIENT)
    if client is None:
        return request
    kept = [(name, value) for name, value in request.headers.items() if name.lower() != CLIENT.lower()]
    headers = CIMultiDict((name, value.encode("utf-8", "replace").decode()) for name, value in kept)
    return request.clone(remote=client, headers=headers)


def _request(method: str, target: str, headers: Headers, body: bytes) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
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


def _refused(status: HTTPStatus, text: str) -> web.Response:
    """For people, and for the SDKs of Lambda's API."""
    body = {"error": text, "Type": "Service", "Message": text}
    return web.json_response(body, status=status, headers={"x-amzn-ErrorType": "ServiceException"})
