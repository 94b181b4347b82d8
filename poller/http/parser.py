"""HTTP/1.1 messages from bytes, in the standard library's terms: stands in for httptools where that is missing.

Same interface and same strictness: what is ambiguous (two lengths, length and chunked together, folded headers, a bare
line feed) is an error, because a guess here is an answer taken for another. Bodies without a length run until the
caller says that the stream ended. Sizes are the caller's business.
"""

import re
from collections.abc import Callable
from typing import Protocol


class ParseError(Exception):
    """These bytes are not an HTTP/1.1 message."""


class ParserEvents(Protocol):
    """What a parser tells, in this order; more `on_header` may follow the body (trailers)."""

    on_header: Callable[[bytes, bytes], None]
    on_body: Callable[[bytes], None]

    def on_message_begin(self) -> None: ...
    def on_headers_complete(self) -> None: ...
    def on_message_complete(self) -> None: ...


class Parser(Protocol):
    """What httptools' and our own response parser have in common."""

    def feed_data(self, data: bytes) -> None: ...
    def get_status_code(self) -> int: ...
    def should_keep_alive(self) -> bool: ...


_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: [^\r\n\0]*)?")
_REQUEST_LINE = re.compile(rb"([A-Z]{1,20}) ([!-~]+) HTTP/1\.([01])")
_HEADER = re.compile(rb"(" + _TOKEN + rb"):[ \t]*([^\r\n\0-\x08\x0b\x0c\x0e-\x1f\x7f]*)")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;[^\r\n\0]*)?")
_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")
_LENGTH = re.compile(rb"[0-9]{1,18}")

_LONGEST_LINE = 64 * 1024
"""Of what has to be held together until its end is seen: a head or a chunk's size line."""


class _MessageParser:
    """One connection's messages, one after the other. After an error it is of no further use."""

    longest_line = _LONGEST_LINE

    def __init__(self, events: ParserEvents) -> None:
        self._events = events
        self._held = b""
        self._state = self._between
        self._left = 0
        self._keep_alive = False

    def _check_start(self, start: bytes) -> None:
        """Raise ParseError for first bytes that no message begins with, before its head is complete."""

    def _start_line(self, line: bytes) -> bool:
        """Take the first line; whether connections persist by default. Raises ParseError."""
        raise NotImplementedError

    def _without_body(self) -> bool:
        """Whether a message with this first line never has a body, whatever its headers say."""
        return False

    def _without_length(self) -> None:
        """Enter the state for a message whose headers do not say how long its body is."""
        raise NotImplementedError

    def should_keep_alive(self) -> bool:
        """Valid inside `on_message_complete`."""
        return self._keep_alive

    def feed_data(self, data: bytes) -> None:
        """Raise ParseError for what no message can contain."""
        if self._held:
            data = self._held + data
            self._held = b""
        at, end = 0, len(data)
        while at < end:
            after = self._state(data, at)
            if after < 0:
                self._held = data[at:]
                if len(self._held) > self.longest_line:
                    raise ParseError("a line or head without end")
                return
            at = after

    # Each state takes what it can from `at` on and returns the position after it, or -1: not enough yet.

    def _between(self, data: bytes, at: int) -> int:
        if data[at] in b"\r\n":
            return at + 1
        self._events.on_message_begin()
        self._state = self._head
        return at

    def _head(self, data: bytes, at: int) -> int:
        self._check_start(data[at : at + 7])
        end = data.find(b"\r\n\r\n", at)
        if end < 0:
            if _BARE_LINE_FEED.search(data, at):
                raise ParseError("a line feed without carriage return")
            return -1
        lines = data[at:end].split(b"\r\n")
        persistent = self._start_line(lines[0])
        self._frame(self._headers(lines[1:]), persistent=persistent)
        return end + 4

    def _headers(self, lines: list[bytes]) -> dict[bytes, bytes]:
        """The ones that say how the message is framed; all are told."""
        framing: dict[bytes, bytes] = {}
        for line in lines:
            header = _HEADER.fullmatch(line)
            if header is None:
                raise ParseError(f"not a header: {line[:80]!r}")
            name, value = header[1], header[2].rstrip(b" \t")
            self._events.on_header(name, value)
            lower = name.lower()
            if lower in {b"content-length", b"transfer-encoding"}:
                if lower in framing:
                    raise ParseError(f"more than one {name.decode()}")
                framing[lower] = value
            elif lower == b"connection":
                framing[lower] = framing.get(lower, b"") + b"," + value
        return framing

    def _frame(self, framing: dict[bytes, bytes], *, persistent: bool) -> None:
        length, encoding = framing.get(b"content-length"), framing.get(b"transfer-encoding")
        tokens = {token.strip() for token in framing.get(b"connection", b"").lower().split(b",")}
        self._keep_alive = b"close" not in tokens and (persistent or b"keep-alive" in tokens)
        if length is not None and encoding is not None:
            raise ParseError("Content-Length and Transfer-Encoding together")
        if length is not None and _LENGTH.fullmatch(length) is None:
            raise ParseError(f"not a Content-Length: {length[:80]!r}")
        if encoding is not None and encoding.lower().rpartition(b",")[2].strip() != b"chunked":
            raise ParseError(f"cannot undo Transfer-Encoding {encoding[:80]!r}")
        without_body = self._without_body()
        self._events.on_headers_complete()
        if without_body:
            self._complete()
        elif encoding is not None:
            self._state = self._chunk_size
        elif length is not None:
            self._left = int(length)
            if self._left:
                self._state = self._fixed
            else:
                self._complete()
        else:
            self._without_length()

    def _complete(self) -> None:
        self._events.on_message_complete()
        self._state = self._between if self._keep_alive else self._nothing

    def _fixed(self, data: bytes, at: int) -> int:
        piece = data[at : at + self._left]
        self._left -= len(piece)
        self._events.on_body(piece)
        if not self._left:
            self._complete()
        return at + len(piece)

    def _until_end(self, data: bytes, at: int) -> int:
        self._events.on_body(data[at:])
        return len(data)

    def _nothing(self, data: bytes, at: int) -> int:
        if data[at:].strip(b"\r\n"):
            raise ParseError("data after the last message")
        return len(data)

    def _chunk_size(self, data: bytes, at: int) -> int:
        end = data.find(b"\r\n", at)
        if end < 0:
            return -1
        size = _CHUNK_SIZE.fullmatch(data, at, end)
        if size is None:
            raise ParseError(f"not a chunk size: {data[at : min(end, at + 80)]!r}")
        self._left = int(size[1], 16)
        self._state = self._chunk if self._left else self._trailer
        return end + 2

    def _chunk(self, data: bytes, at: int) -> int:
        piece = data[at : at + self._left]
        self._left -= len(piece)
        self._events.on_body(piece)
        if not self._left:
            self._state = self._chunk_end
        return at + len(piece)

    def _chunk_end(self, data: bytes, at: int) -> int:
        if len(data) - at < 2:
            return -1
        if data[at : at + 2] != b"\r\n":
            raise ParseError("a chunk longer than its size")
        self._state = self._chunk_size
        return at + 2

    def _trailer(self, data: bytes, at: int) -> int:
        end = data.find(b"\r\n", at)
        if end < 0:
            return -1
        if end == at:
            self._complete()
        else:
            self._headers([data[at:end]])
        return end + 2


class ResponseParser(_MessageParser):
    """Answers of a server."""

    def __init__(self, events: ParserEvents) -> None:
        super().__init__(events)
        self._status = 0

    def get_status_code(self) -> int:
        return self._status

    def _check_start(self, start: bytes) -> None:
        if not b"HTTP/1.".startswith(start):
            raise ParseError("the answer does not start with HTTP/1.")

    def _start_line(self, line: bytes) -> bool:
        status_line = _STATUS_LINE.fullmatch(line)
        if status_line is None:
            raise ParseError(f"not a status line: {line[:80]!r}")
        self._status = int(status_line[2])
        return status_line[1] == b"1"

    def _without_body(self) -> bool:
        if self._status == 101:
            raise ParseError("the server changed the protocol")
        return self._status < 200 or self._status in {204, 304}

    def _without_length(self) -> None:
        self._keep_alive = False
        self._state = self._until_end


class RequestEvents(ParserEvents, Protocol):
    """What a parser of requests tells besides."""

    def on_url(self, url: bytes) -> None: ...


class RequestParser(_MessageParser):
    """Requests of a client."""

    longest_line = 2 * 1024 * 1024
    """Runtimes of Lambda put the cause of an error into a header of up to 1 MiB."""

    def __init__(self, events: RequestEvents) -> None:
        super().__init__(events)
        self._requests = events
        self._method = b""

    def get_method(self) -> bytes:
        return self._method

    def _start_line(self, line: bytes) -> bool:
        request_line = _REQUEST_LINE.fullmatch(line)
        if request_line is None:
            raise ParseError(f"not a request line: {line[:80]!r}")
        self._method = request_line[1]
        self._requests.on_url(request_line[2])
        return request_line[3] == b"1"

    def _without_length(self) -> None:
        self._complete()
