"""One request that the parent answers: taken from its connection, and the answer written."""

import socket
from collections.abc import Callable
from http import HTTPStatus

from poller.workers.answers import Answer, Request, refusal
from poller.workers.head import request_of, taken

MOST_BODY = 65_536
"""Bytes of an order."""
NOT_PASSED = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "content-length", "accept-encoding", "upgrade", "te", "expect"}
)
"""Headers between two neighbours only."""


def answered(connection: socket.socket, head: bytes, answer: Callable[[Request], Answer]) -> bool:
    """Answer the request that begins with this head; whether another one may follow. Raises OSError and EOFError."""
    request = request_of(head)
    assert request is not None, "its head was read before"
    taken(connection, len(head))
    if (length := _length(request)) is None:
        text = "the body is too large, or of unknown length"
        connection.sendall(written(refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, text), closes=True))
        return False
    if request.header("expect").lower() == "100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    whole = request.passed_on(NOT_PASSED, taken(connection, length))
    connection.sendall(written(_found(answer, whole), closes=request.closes))
    return not request.closes


def _found(answer: Callable[[Request], Answer], request: Request) -> Answer:
    try:
        return answer(request)
    except Exception as error:  # noqa: BLE001  (a bug in one answer must not keep the client waiting)
        text = f"a bug of ours kept this from being answered ({type(error).__name__}: {error})"
        return refusal(HTTPStatus.INTERNAL_SERVER_ERROR, text)


def _length(request: Request) -> int | None:
    """Of the body; None for one that is not taken."""
    length = request.header("content-length") or "0"
    known = length.isascii() and length.isdecimal() and not request.header("transfer-encoding")
    return int(length) if known and int(length) <= MOST_BODY else None


def written(answer: Answer, *, closes: bool) -> bytes:
    """As it is sent."""
    status = HTTPStatus(answer.status)
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", *(f"{name}: {one}" for name, one in answer.headers.items())]
    lines += [f"Content-Length: {len(answer.body)}", f"Connection: {'close' if closes else 'keep-alive'}", "", ""]
    return "\r\n".join(lines).encode("latin-1") + answer.body
