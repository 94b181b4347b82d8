"""One connection, one exchange at a time: bytes out, one answer in, and the verdict whether it may be used again.

A connection lives in one of three ways: busy (`future` is set), idle, or closed for good. Whatever arrives while it is
idle closes it: a second answer taken for the next request's would be the worst error this program could make.
"""

import asyncio
import select
import ssl
from typing import TYPE_CHECKING, Protocol, cast

import httptools

from poller.http.reply import Headers, Reply
from poller.http.reserved_bytes import ReservedBytes
from poller.values.errors import AnswerLost, CallError, NoRoom, NotSent

if TYPE_CHECKING:
    from collections.abc import Callable

PARSE_ERRORS = (httptools.HttpParserError, httptools.HttpParserUpgrade)
"""Errors for bytes that are not an HTTP/1.1 message, and for a change of the protocol."""

REFUSED_US = frozenset(
    {
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        "SSLV3_ALERT_CERTIFICATE_REVOKED",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        "SSLV3_ALERT_HANDSHAKE_FAILURE",
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        "TLSV13_ALERT_CERTIFICATE_REQUIRED",
        "TLSV1_ALERT_ACCESS_DENIED",
        "TLSV1_ALERT_UNKNOWN_CA",
    }
)
"""TLS alerts of a server that refuses our certificate after the handshake has ended for us. It does not read a request
that was sent by then."""
MAX_HEAD_BYTES = 64 * 1024
"""Maximum of bytes of an answer's headers and other framing. Servers commonly allow 8 to 16 KiB."""
MAX_FRAMING_PER_BYTE = 8
"""More framing than this per byte of the body is treated as abuse. A chunk of one byte has five bytes of framing."""
LARGE_REQUEST = 64 * 1024
"""Bytes. Only above this size may a request still be in our write buffer when an early answer arrives."""


class Owner(Protocol):
    """The part of the pool that a connection uses."""

    def opened(self, connection: "Connection") -> None:
        """The connection is connected, and its TLS handshake is done if it has one."""

    def released(self, connection: "Connection") -> None:
        """The exchange ended well and the connection may serve the next."""

    def closed(self, connection: "Connection") -> None:
        """The connection is not usable any more. Called once."""

    def gone(self, connection: "Connection") -> None:
        """The connection's transport is closed. Called once, last."""


class Connection(asyncio.Protocol):
    """One connection. `create_connection` makes it, and one pool owns it."""

    __deletable__ = ("_parser",)  # said to mypyc
    __slots__ = (
        "_body",
        "_complete",
        "_headers",
        "_headers_complete",
        "_keep_alive",
        "_large",
        "_limit",
        "_most",
        "_new_future",
        "_owner",
        "_parser",
        "_received",
        "_room",
        "_sink",
        "_status",
        "_tls",
        "_write",
        "_wrong",
        "deadline",
        "future",
        "idle_since",
        "on_body",
        "on_header",
        "transport",
        "usable",
    )

    def __init__(self, owner: Owner, loop: asyncio.AbstractEventLoop) -> None:
        self._owner = owner
        self.transport: asyncio.Transport | None = None
        self._new_future: Callable[[], asyncio.Future[Reply]] = loop.create_future
        self.usable = False
        self.future: asyncio.Future[Reply] | None = None
        self.deadline = float("inf")
        self.idle_since = 0.0
        # the parser calls these once per header and piece of body: straight into the containers, no frame of ours
        self._sink: dict[bytes, bytes] = {}
        self._body = bytearray()
        self.on_header = self._sink.__setitem__
        self.on_body = cast("Callable[[bytes], None]", self._body.extend)
        self._wrong: str | None = None
        self._headers_complete = False
        self._complete = False
        self._received = 0
        self._large = False
        self._most = self._limit = 0
        self._room: ReservedBytes | None = None
        self._parser = httptools.HttpResponseParser(self)

    # asyncio calls these

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._write = self.transport.write
        self._tls = transport.get_extra_info("sslcontext") is not None
        self.usable = True
        self._owner.opened(self)

    def data_received(self, data: bytes) -> None:
        if self.future is None:
            self.abort()
            return
        if not self._received and not data.startswith(b"HTTP/1.") and not b"HTTP/1.".startswith(data):
            self.fail("the answer is not HTTP/1.x")
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except PARSE_ERRORS as error:
            self.fail(f"the answer is not valid HTTP: {error}")
            return
        if self._wrong is not None:
            self.fail(self._wrong)
            return
        body = len(self._body)
        if body > self._most and not self._may_go_on(body):
            return
        if self._received - body > MAX_HEAD_BYTES + body * MAX_FRAMING_PER_BYTE:
            self.fail(f"the answer's headers are larger than {MAX_HEAD_BYTES} bytes")
        elif self._complete:
            self._finish()

    def _may_go_on(self, body: int) -> bool:
        """Ask for room for an answer that is larger than its room so far."""
        if self._room is None or body > self._limit:
            self.fail(f"the answer's body is larger than {self._limit} bytes")
            return False
        if self._complete:
            return True
        length = Headers(self._headers).get("content-length", "")
        size = max(body, min(int(length), self._limit)) if length.isdecimal() else 2 * body
        try:
            if not self._room.grow(size, self._go_on):
                assert self.transport is not None
                self.transport.pause_reading()
        except NoRoom as error:
            self.fail(error)
            return False
        self._most = min(size, self._limit)
        return True

    def _go_on(self) -> None:
        assert self.transport is not None
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def eof_received(self) -> None:
        """Returning nothing has asyncio close the transport."""
        if self.future is None:
            self._close()
        elif self._ends_with_stream():
            self._complete, self._keep_alive = True, False
            self._finish()
        else:
            self.fail("the server closed the connection before its answer was complete")

    def connection_lost(self, exc: Exception | None) -> None:
        if self.future is not None:
            handshake = isinstance(exc, ssl.SSLError) and exc.reason in REFUSED_US and not self._received
            why = f"the connection was lost: {exc or 'closed'}"
            self.fail(NotSent(why) if handshake else why)
        self._close()
        # breaks a reference cycle, which would wait for the garbage collector
        del self._parser
        self._owner.gone(self)

    # the parser calls these

    def on_message_begin(self) -> None:
        if self._complete:
            # bytes behind a complete answer in the same read make both suspect
            self._wrong = "more than one answer to one request"

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()
        if self._status < 100:
            self._wrong = f"the answer's status is {self._status}"
        self._headers = self._sink.copy()
        self._sink.clear()
        self._headers_complete = True

    def on_message_complete(self) -> None:
        if self._status < 200:
            self._headers_complete = False
            return
        self._complete = True
        self._keep_alive = self._parser.should_keep_alive()

    # the pool calls these

    def exchange(
        self, request: bytes, deadline: float, max_reply_bytes: int, room: ReservedBytes | None = None
    ) -> asyncio.Future[Reply]:
        """Write a request. The future ends with an answer of any status, with AnswerLost, or with `room`'s NoRoom."""
        self.deadline = deadline
        self._most = self._limit = max_reply_bytes
        self._room = room
        if room is not None:
            self._most = min(room.size, max_reply_bytes)
        self._large = len(request) > LARGE_REQUEST
        future = self.future = self._new_future()
        self._write(request)
        return future

    def stale(self) -> bool:
        """Whether bytes can be read without a request: the other side has closed, or is out of step."""
        probe = select.poll()
        assert self.transport is not None
        probe.register(self.transport.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(probe.poll(0))

    def fail(self, why: str | CallError) -> None:
        """End the exchange with an error, by default AnswerLost, and close the connection."""
        future, self.future = self.future, None
        self.abort()
        if future is not None and not future.done():
            future.set_exception(AnswerLost(why) if isinstance(why, str) else why)

    def abort(self) -> None:
        """Close the connection now, even during an exchange."""
        self.future = None
        self._close()
        assert self.transport is not None
        self.transport.abort()

    def _close(self) -> None:
        if self.usable:
            self.usable = False
            self._owner.closed(self)

    def _finish(self) -> None:
        future, self.future = self.future, None
        assert future is not None
        reply = Reply(self._status, Headers(self._headers), bytes(self._body))
        if self._keep_alive and not (self._large and self._unsent()):
            self._body.clear()
            self._sink.clear()
            self._headers_complete = self._complete = False
            self._received = 0
            self._owner.released(self)
        else:
            self.abort()
        if not future.done():
            future.set_result(reply)

    def _unsent(self) -> int:
        assert self.transport is not None
        return self.transport.get_write_buffer_size()

    def _ends_with_stream(self) -> bool:
        """Whether the end of the stream is the end of the answer. Not under TLS: asyncio does not tell a proper end
        from a cut, so anyone on the way could shorten the answer.
        """
        if not self._headers_complete or self._tls:
            return False
        headers = Headers(self._headers)
        return "content-length" not in headers and "transfer-encoding" not in headers
