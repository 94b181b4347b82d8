"""Connections to one database. Each statement is a transaction of its own, with a deadline.

Nothing is kept in a session, neither settings nor prepared statements: a pooler may give each statement another one.
"""

import asyncio
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, LiteralString

import psycopg

from poller.state.postgresql.errors import is_lost, one_line, state_error
from poller.state.postgresql.url import shown
from poller.values.errors import StateError

ANSWER_SECONDS = 5.0
"""Deadline of one call with its second try, in seconds, where no lease sets another."""
CUT_SECONDS = 1.0
"""Seconds in which the driver ends a statement whose connection was cut."""
MOST = 4
"""Connections for statements: one that waits for a lock in the database does not hold up the others."""
NAME = "poller"
"""What the server lists them as."""

Connection = psycopg.AsyncConnection[tuple[Any, ...]]
Rows = list[tuple[Any, ...]]


class Connections:
    """Opened as needed, and again after they broke."""

    def __init__(self, url: str, seconds: float = ANSWER_SECONDS) -> None:
        """`seconds` is the deadline of one call with its second try."""
        self.where = shown(url)
        """For people, without user and password."""
        self.seconds = seconds
        self._url = url
        self._idle: list[Connection] = []
        self._places = asyncio.Semaphore(MOST)

    async def rows(self, statement: LiteralString, parameters: Mapping[str, object] | None = None) -> Rows:
        """The rows that a statement returns. It may be sent again after its answer was lost. Raises StateError."""
        end = asyncio.get_running_loop().time() + self.seconds
        try:
            async with asyncio.timeout(self.seconds):
                await self._places.acquire()
        except TimeoutError as error:
            raise StateError(f"the store {self.where}: all connections wait for an answer") from error
        try:
            try:
                return await self._once(statement, parameters, end)
            except _Lost:
                return await self._once(statement, parameters, end)
        except _Lost as error:
            raise state_error(self.where, error.error) from error
        finally:
            self._places.release()

    async def _once(self, statement: LiteralString, parameters: Mapping[str, object] | None, end: float) -> Rows:
        connection = self._idle.pop() if self._idle else await self.connect(end)
        task = asyncio.ensure_future(_execute(connection, statement, parameters))
        try:
            await asyncio.wait({task}, timeout=_left(end))
            late = not task.done()
        finally:
            # also where the caller was cancelled
            if not task.done() or task.exception() is not None:
                await _end(connection, task)
        error = task.exception() if task.done() else None
        if late:
            raise StateError(f"the store {self.where}: no answer within {self.seconds:g} s")
        if error is None:
            self._idle.append(connection)
            return task.result()
        if not is_lost(error):
            raise state_error(self.where, error) from error
        # the others broke at the same moment, as when the server starts again
        await self.close()
        raise _Lost(error)

    async def connect(self, end: float | None = None) -> Connection:
        """Open one more connection until then, which the caller closes. Raises StateError."""
        try:
            async with asyncio.timeout(self.seconds if end is None else _left(end)):
                return await psycopg.AsyncConnection.connect(
                    self._url, autocommit=True, prepare_threshold=None, fallback_application_name=NAME
                )
        except TimeoutError as error:
            raise StateError(f"the store {self.where}: no connection within {self.seconds:g} s") from error
        except (psycopg.Error, OSError, UnicodeError) as error:
            raise StateError(f"the store {self.where} cannot be reached: {one_line(error)}") from error

    async def close(self) -> None:
        """Close those that are not in use."""
        idle, self._idle = self._idle, []
        for connection in idle:
            await _close(connection)


class _Lost(Exception):
    """The connection broke. Whether the statement took effect is not known."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


async def _execute(connection: Connection, statement: LiteralString, parameters: Mapping[str, object] | None) -> Rows:
    cursor = await connection.execute(statement, parameters)
    return await cursor.fetchall() if cursor.description else []


def _left(end: float) -> float:
    return max(0.0, end - asyncio.get_running_loop().time())


async def _end(connection: Connection, task: "asyncio.Task[Rows]") -> None:
    """Close a connection whose statement failed or is still under way, and let the statement's task end."""
    # the driver's own way, a cancellation, would ask the server, which may be what hangs
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)
    await asyncio.wait({task}, timeout=CUT_SECONDS)
    # its error was told, or nobody waits for it any more
    task.add_done_callback(lambda ended: ended.exception())
    await _close(connection)


async def _close(connection: Connection) -> None:
    with suppress(psycopg.Error):
        await connection.close()
