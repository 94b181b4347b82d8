"""A small HTTP/1.1 server: one request at a time on a connection, and an answer at any later time.

aiohttp's low-level server cannot stand in for it: it drops trailers, in which a runtime says that a streamed response
broke off, and such a response would count as a success. The two requests of an invocation also cost 24 us of CPU here
and 136 us there. It serves programs we know, mostly on the machine itself. It decides how bytes are
framed; it knows nothing of paths. A client may wait for its answer without end: who answers decides how long that
takes. But once it has begun to say something, it has to come to the end of it.
"""

import asyncio
import select
from collections.abc import Callable
from http import HTTPStatus
from typing import cast

import httptools

from poller.http.connection import PARSE_ERRORS
from poller.http.reply import Headers

MAX_HEAD_BYTES = 2 * 1024 * 1024
"""Maximum of bytes outside the body. Lambda runtimes send the cause of an error in a header of up to 1 MiB."""
MAX_FRAMING_PER_BYTE = 8
"""A chunk of one byte is framed by five."""
MAX_CONNECTIONS = 1024
"""Maximum of open connections, so that a client that leaks them cannot use up the process's file descriptors."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_REASONS = {status.value: status.phrase for status in HTTPStatus}


class Request:
    """One request, and its answer."""

    __slots__ = ("_connection", "body", "complete", "headers", "method", "on_lost", "oversized", "target")

    def __init__(self, connection: "ServerConnection", method: str, target: str, headers: Headers, body: bytes) -> None:
        self._connection: ServerConnection | None = connection
        self.method = method
        self.target = target
        """Path and query as received."""
        self.headers = headers
        """Headers, including trailers."""
        self.body = body
        self.oversized = False
        """Whether the body was larger than the limit, and was dropped."""
        self.complete = True
        """False if the connection ended within the body; then there is no client to answer."""
        self.on_lost: Callable[[], None] | None = None
        """Called when the client has disconnected before its answer."""

    @property
    def gone(self) -> bool:
        """Whether the client has disconnected. Checks the socket, because the loop may not know yet."""
        return self._connection is None or self._connection.stale()

    def answer(self, status: int, body: bytes = b"", headers: str = "") -> None:
        """Answer, once. `headers` are whole lines. An answer to a disconnected client is dropped."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.answer(status, body, headers)

    def lost(self) -> None:
        """Called by the connection: the client has disconnected."""
        self._connection = None
        if self.on_lost is not None:
            self.on_lost()


Handler = Callable[[Request], None]
"""Handles a request, now or later; also called for a request with a truncated body."""


class ServerConnection(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, server: "HttpServer") -> None:
        self._server = server
        self._sink: dict[bytes, bytes] = {}
        self._body = bytearray()
        self._request: Request | None = None
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._reset()
        self.on_header = self._sink.__setitem__
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)

    def _reset(self) -> None:
        self._target = b""
        self._started = self._oversized = self._wrong = False
        self._received = self._size = 0
        self._cancel_timer()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # asyncio calls these

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._server.opened(self)

    def data_received(self, data: bytes) -> None:
        assert self._parser is not None
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except PARSE_ERRORS:
            self._refuse()
            return
        if self._wrong or self._received - self._size > MAX_HEAD_BYTES + self._size * MAX_FRAMING_PER_BYTE:
            self._refuse()
        elif self._received and self._timer is None:
            # most requests arrive in one piece and need no timer
            self._timer = asyncio.get_running_loop().call_later(self._server.patience, self.abort)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._transport = None
        self._cancel_timer()
        self._server.closed(self)
        request, self._request = self._request, None
        if request is not None:
            request.lost()
        elif self._started:
            cut = self._take()
            cut.complete = False
            cut.lost()
            self._server.handler(cut)
        # breaks a reference cycle, which would wait for the garbage collector
        self._parser = None

    # the parser calls these

    def on_message_begin(self) -> None:
        # a second request before the first answer: no supported client does that
        self._wrong = self._wrong or self._request is not None
        self._started = False

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_headers_complete(self) -> None:
        self._started = True
        if self._sink.get(b"Expect", self._sink.get(b"expect", b"")).lower() == b"100-continue":
            assert self._transport is not None
            self._transport.write(CONTINUE)

    def on_body(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._server.max_body:
            # still read to its end: a client that is cut off while it sends never receives the reason
            self._oversized = True
            self._body.clear()
        else:
            self._body += piece

    def on_message_complete(self) -> None:
        if self._wrong:
            return
        assert self._parser is not None
        self._keep_alive = self._parser.should_keep_alive()
        request = self._request = self._take()
        self._server.handler(request)

    def _take(self) -> Request:
        method = self._parser.get_method().decode("latin-1") if self._parser else ""
        target = self._target.decode("latin-1")
        request = Request(self, method, target, Headers(self._sink.copy()), bytes(self._body))
        request.oversized = self._oversized
        self._sink.clear()
        self._body.clear()
        self._reset()
        return request

    # a request and the server call these

    def answer(self, status: int, body: bytes, headers: str) -> None:
        self._request = None
        if self._transport is None:
            return
        closing = "" if self._keep_alive else "connection: close\r\n"
        head = f"HTTP/1.1 {status} {_REASONS[status]}\r\ncontent-length: {len(body)}\r\n{closing}{headers}\r\n"
        self._transport.write(head.encode("latin-1") + body)
        if not self._keep_alive:
            self._transport.close()

    def stale(self) -> bool:
        """Whether bytes can be read before the answer: the other side has closed, or is out of step."""
        if self._transport is None:
            return True
        probe = select.poll()
        probe.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(probe.poll(0))

    def abort(self) -> None:
        """Close the connection now."""
        if self._transport is not None:
            self._transport.abort()

    def _refuse(self) -> None:
        assert self._transport is not None
        self._started = False
        self._transport.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        self._transport.close()


class HttpServer:
    """A server that listens on one address."""

    def __init__(self, handler: Handler, max_body: int, patience: float) -> None:
        """`max_body`: most bytes of a request's body that are kept. `patience`: most seconds from a request's first
        byte to its last.
        """
        self.handler = handler
        self.max_body = max_body
        self.patience = patience
        self._connections: set[ServerConnection] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        """The address it listens on."""

    async def listen(self, host: str, port: int) -> None:
        """Start to listen. Raises OSError. Port 0 takes any free port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: ServerConnection(self), host, port)
        self.port = self._server.sockets[0].getsockname()[1]

    def opened(self, connection: ServerConnection) -> None:
        self._connections.add(connection)
        if len(self._connections) > MAX_CONNECTIONS:
            connection.abort()

    def closed(self, connection: ServerConnection) -> None:
        self._connections.discard(connection)

    async def close(self) -> None:
        """Stop listening, and close all connections."""
        server, self._server = self._server, None
        for connection in list(self._connections):
            connection.abort()
        if server is not None:
            server.close()
            await server.wait_closed()
