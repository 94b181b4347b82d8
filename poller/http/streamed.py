"""One exchange with a streamed answer: over HTTP/2 if the server offers it in the TLS handshake, else HTTP/1.1.

Nothing is read from the connection but what is asked for, so that a server which sends more than its client takes has
to wait: by HTTP/2's windows, which are opened only for what was taken, and by TCP's. A connection serves one exchange
and is closed with it. Knows nothing of AWS, nor of what the bytes mean.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from typing import Protocol

import httptools

from poller.http.connection import MAX_HEAD_BYTES, PARSE_ERRORS
from poller.http.dial import dial
from poller.http.reply import Headers, Origin
from poller.values.errors import AnswerLost, NotSent

READ_BYTES = 64 * 1024
"""Bytes per read; the other side has to wait once twice as many are buffered."""


class Exchange(Protocol):
    """The exchange of one answer, in either protocol. Malformed bytes raise AnswerLost."""

    status: int
    headers: Headers
    complete: bool
    """Whether the head has arrived and no more body will follow."""

    def begin(self, request: bytes) -> bytes:
        """The bytes to write first."""
        ...

    def feed(self, data: bytes) -> bytes:
        """Feed received bytes. Returns the bytes to write in reply."""
        ...

    def take(self) -> tuple[bytes, bytes]:
        """Take the received body. Returns it with the bytes to write in reply."""
        ...


class Http1Exchange:
    """An exchange over HTTP/1.1, chunked or by length. A body that only the connection's end ends counts as
    truncated.
    """

    on_header: Callable[[bytes, bytes], None]
    on_body: Callable[[bytes], None]

    def __init__(self) -> None:
        self.status = 0
        self.headers = Headers({})
        self.complete = False
        self._raw: dict[bytes, bytes] = {}
        self._head_bytes = 0
        self._body: deque[bytes] = deque()
        self.on_header = self._note_header
        self.on_body = self._body.append
        self._parser = httptools.HttpResponseParser(self)

    def begin(self, request: bytes) -> bytes:
        """As it is."""
        return request

    def feed(self, data: bytes) -> bytes:
        try:
            self._parser.feed_data(data)
        except PARSE_ERRORS as error:
            raise AnswerLost(f"the answer is not HTTP: {error}") from error
        return b""

    def take(self) -> tuple[bytes, bytes]:
        taken = b"".join(self._body)
        self._body.clear()
        return taken, b""

    # callbacks of the parser

    def on_message_begin(self) -> None:
        """A message begins."""

    def _note_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > MAX_HEAD_BYTES:
            raise AnswerLost(f"the head of the answer is over {MAX_HEAD_BYTES} bytes")
        self._raw[name] = value

    def on_headers_complete(self) -> None:
        """The headers are complete, and the status is known."""
        self.status, self.headers = self._parser.get_status_code(), Headers(self._raw)

    def on_message_complete(self) -> None:
        """The message is complete."""
        self.complete = True


class Streamed:
    """A streamed answer."""

    def __init__(self, exchange: Exchange, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.http2 = not isinstance(exchange, Http1Exchange)
        self._exchange = exchange
        self._reader = reader
        self._writer = writer

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._exchange.status

    @property
    def headers(self) -> Headers:
        """Headers with lower-case names."""
        return self._exchange.headers

    async def send(self, request: bytes) -> None:
        """Write the request and wait for the head of the answer. Raises AnswerLost."""
        self._writer.write(self._exchange.begin(request))
        while not self._exchange.status:
            await self._receive()

    async def chunk(self) -> bytes:
        """The next bytes of the body; empty at its end. Raises AnswerLost where it ends before that."""
        while True:
            taken, reply = self._exchange.take()
            if reply:
                self._writer.write(reply)
            if taken or self._exchange.complete:
                return taken
            await self._receive()

    async def body(self, most: int) -> bytes:
        """Read the rest of the body, up to `most` bytes."""
        found = b""
        while len(found) < most and (chunk := await self.chunk()):
            found += chunk
        return found[:most]

    async def _receive(self) -> None:
        try:
            await self._writer.drain()
            data = await self._reader.read(READ_BYTES)
            if not data:
                raise AnswerLost("the connection ended within the answer")
            reply = self._exchange.feed(data)
            if reply:
                self._writer.write(reply)
        except OSError as error:
            raise AnswerLost(f"the connection broke within the answer: {error}") from error

    def close(self) -> None:
        """Close at once, and drop the rest of the answer."""
        self._writer.transport.abort()


async def connect(origin: Origin, tls: ssl.SSLContext | None, connect_timeout: float) -> Streamed:
    """Connect, without sending anything yet. Raises NotSent.

    `tls` is for this connection alone: which protocols it offers is set here.
    """
    if tls is not None:
        tls.set_alpn_protocols(["h2", "http/1.1"])
    try:
        async with asyncio.timeout(connect_timeout):
            connected = await dial(origin)
            reader, writer = await asyncio.open_connection(
                sock=connected, ssl=tls, server_hostname=origin.host if tls else None, limit=READ_BYTES
            )
    except (OSError, UnicodeError) as error:
        why: object = f"not within {connect_timeout:g} s" if isinstance(error, TimeoutError) else error
        raise NotSent(f"no connection to {origin}: {why}") from error
    secured = writer.get_extra_info("ssl_object")
    if secured is not None and secured.selected_alpn_protocol() == "h2":
        # imported here, because only enhanced fan-out needs it
        from poller.http.http2 import Http2Exchange  # noqa: PLC0415

        return Streamed(Http2Exchange(origin), reader, writer)
    return Streamed(Http1Exchange(), reader, writer)
