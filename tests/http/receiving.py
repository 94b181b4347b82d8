"""A connection fed by hand, without a socket: what becomes of these bytes?"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from poller.http.connection import Connection
from poller.values.errors import AnswerLost

MOST = 10_000


@dataclass(frozen=True)
class Outcome:
    kind: str
    """`reply`, `lost`, or `open`: more bytes are waited for."""
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    reusable: bool = False


class _Far:
    """Transport and pool in one, as far as a connection needs them."""

    def __init__(self) -> None:
        self.aborted = False
        self.reusable = False

    def get_extra_info(self, name: str) -> None:
        return None

    def write(self, data: bytes) -> None:
        pass

    def abort(self) -> None:
        self.aborted = True

    def opened(self, connection: Connection) -> None:
        pass

    def released(self, connection: Connection) -> None:
        self.reusable = True

    def closed(self, connection: Connection) -> None:
        self.reusable = False

    def gone(self, connection: Connection) -> None:
        pass


class _Loop:
    """Never runs; a real one costs more than all the rest."""

    def get_debug(self) -> bool:
        return False

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=cast("Any", self))


def receive(pieces: Iterable[bytes], *, then: str = "nothing") -> Outcome:
    """The outcome of one exchange whose answer arrives in these pieces; `then`: `eof`, `reset` or nothing more."""
    far = _Far()
    connection = Connection(far, cast("Any", _Loop()))
    connection.connection_made(cast("Any", far))
    future = connection.exchange(b"request", 0.0, MOST)
    for piece in pieces:
        # a transport delivers nothing after it was told to stop
        if far.aborted:
            break
        connection.data_received(piece)
    if then == "eof" and not far.aborted:
        connection.eof_received()
    if then == "reset" and not future.done():
        connection.connection_lost(ConnectionResetError())
    if not future.done():
        return Outcome("open")
    error = future.exception()
    if error is not None:
        assert type(error) is AnswerLost
        assert far.aborted or then == "reset"
        return Outcome("lost")
    reply = future.result()
    assert len(reply.body) <= MOST
    return Outcome("reply", reply.status, tuple(sorted(reply.headers.items())), reply.body, far.reusable)
