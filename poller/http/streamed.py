"""One exchange whose answer keeps coming: over HTTP/2 where the server offers it in the TLS handshake, else HTTP/1.1.

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
"""Asked of the connection at a time; twice as much is held before the other side is made to wait."""


class Exchange(Protocol):
    """Bytes of one answer, in either protocol. What is malformed raises AnswerLost."""

    status: int
    headers: Headers
    complete: bool
    """Whether the head is here, and no body will follow what was taken."""

    def begin(self, request: bytes) -> bytes:
        """What to write first."""
        ...

    def feed(self, data: bytes) -> bytes:
        """Received; what to write in reply."""
        ...

    def take(self) -> tuple[bytes, bytes]:
        """Body received and not taken yet, and what to write for having taken it."""
        ...


class Http1Exchange:
    """Chunked or by length. A body that only the end of the connection ends is taken for one that broke off."""

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
        """See `Exchange.feed`."""
        try:
            self._parser.feed_data(data)
        except PARSE_ERRORS as error:
            raise AnswerLost(f"the answer is not HTTP: {error}") from error
        return b""

    def take(self) -> tuple[bytes, bytes]:
        """See `Exchange.take`."""
        taken = b"".join(self._body)
        self._body.clear()
        return taken, b""

    # what the parser tells

    def on_message_begin(self) -> None:
        """Nothing is known yet."""

    def _note_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > MAX_HEAD_BYTES:
            raise AnswerLost(f"the head of the answer is over {MAX_HEAD_BYTES} bytes")
        self._raw[name] = value

    def on_headers_complete(self) -> None:
        """The status is known from here on."""
        self.status, self.headers = self._parser.get_status_code(), Headers(self._raw)

    def on_message_complete(self) -> None:
        """Nothing follows."""
        self.complete = True


class Streamed:
    """An answer that is being received."""

    def __init__(self, exchange: Exchange, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.http2 = not isinstance(exchange, Http1Exchange)
        self._exchange = exchange
        self._reader = reader
        self._writer = writer

    @property
    def status(self) -> int:
        """Of HTTP."""
        return self._exchange.status

    @property
    def headers(self) -> Headers:
        """Names in lower case."""
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
        """All that is left, at most so many bytes."""
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
        """At once: what was not received is nobody's."""
        self._writer.transport.abort()


async def connect(origin: Origin, tls: ssl.SSLContext | None, connect_timeout: float) -> Streamed:
    """Connected, nothing sent yet. Raises NotSent.

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
        # imported here: only who is pushed records needs it
        from poller.http.http2 import Http2Exchange  # noqa: PLC0415

        return Streamed(Http2Exchange(origin), reader, writer)
    return Streamed(Http1Exchange(), reader, writer)
