"""The head of a connection's next request, read without taking it: whoever serves the connection finds it there."""

import http.client
import io
import socket

from poller.workers.answers import Request

MOST_HEAD = 65_536
"""Bytes of a head. A worker refuses a larger one, as a daemon by itself does."""
END = b"\r\n\r\n"


def peeked(connection: socket.socket) -> bytes | None:
    """The head as far as it is there: all of it, or as much as is allowed of a larger one, else None. Raises EOFError
    where no more comes, and OSError.
    """
    try:
        seen = connection.recv(MOST_HEAD, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return None
    if not seen:
        raise EOFError
    head, end, _ = seen.partition(END)
    return head + end if end or len(seen) == MOST_HEAD else None


def request_of(head: bytes) -> Request | None:
    """The request of a head, without its body; None for one that a worker has to refuse."""
    line, _, fields = head.partition(b"\r\n")
    words = line.decode("latin-1").split(" ")
    if not head.endswith(END) or len(words) != 3 or words[2] not in ("HTTP/1.0", "HTTP/1.1"):
        return None
    try:
        headers = dict(http.client.parse_headers(io.BytesIO(fields)).items())
    except http.client.HTTPException:
        return None
    method, target, version = words
    return Request(method, target, target.partition("?")[0], headers, closes=_closes(version, headers))


def _closes(version: str, headers: dict[str, str]) -> bool:
    given = next((value.lower() for name, value in headers.items() if name.lower() == "connection"), "")
    return given == "close" or (version == "HTTP/1.0" and given != "keep-alive")


def taken(connection: socket.socket, size: int) -> bytes:
    """So many bytes of a connection. Raises OSError, and EOFError at its end."""
    found = bytearray()
    while len(found) < size:
        more = connection.recv(size - len(found))
        if not more:
            raise EOFError
        found += more
    return bytes(found)
