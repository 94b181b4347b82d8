"""Pools the connections to one origin: bounded, reused, and each exchange has a deadline.

Every time limit of the pool hangs on one timer set to the earliest deadline of any connection or waiter, because a
timer per exchange costs as much as the exchange. An exchange ends in a reply of any status, in NotSent (nothing of it
was written) or in AnswerLost (something was). It never sends twice and follows no redirect.
"""

import asyncio
import ssl
from collections import deque

from poller.http.connection import Connection
from poller.http.dial import dial
from poller.http.reply import Origin, Reply
from poller.http.reserved_bytes import ReservedBytes
from poller.values.errors import NotSent

IDLE_SECONDS = 55.0
"""Seconds after which an idle connection is closed, before AWS front ends and load balancers do at 60 s."""
PROBE_AFTER_SECONDS = 1.0
"""Seconds. A connection that was idle for longer is checked before its next request."""


class HttpPool:
    """A pool. It opens connections inside a running loop, on first use; `close` it before the loop ends."""

    def __init__(
        self,
        origin: Origin,
        tls: ssl.SSLContext | None = None,
        *,
        max_connections: int = 1000,
        connect_timeout: float = 10.0,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        """`connect_timeout`: seconds for finding a free connection and, again, for resolving, connecting and the TLS
        handshake together.
        """
        assert (origin.scheme == "https") == (tls is not None)
        self.origin = origin
        self._tls = tls
        self._connect_timeout = connect_timeout
        self._idle_seconds = idle_seconds
        self._loop = asyncio.get_running_loop()
        self._time = self._loop.time
        self.idle: list[Connection] = []
        """Open and unused, the last used last."""
        self.open: set[Connection] = set()
        """Used or not."""
        self._connecting: set[asyncio.Timeout] = set()
        self.free = max_connections
        """Connections that may still be opened."""
        # exchanges that wait, each with its deadline: woken with a connection, or with None, and then it may open one
        self._waiters: deque[tuple[asyncio.Future[Connection | None], float]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._due = float("inf")
        self._closing = False
        self._drained: asyncio.Future[None] | None = None

    async def exchange(
        self,
        request: bytes,
        timeout: float,  # noqa: ASYNC109
        max_reply_bytes: int,
        room: ReservedBytes | None = None,
    ) -> Reply:
        """`timeout`: seconds from the first byte written to the last one read. Cancelling closes the connection.

        With `room`, no more of the answer is read than it has room for. Raises NoRoom as well, then.
        """
        now = self._time()
        connection = self._take(now)
        if connection is None:
            connection = await self._wait_or_connect()
            now = self._time()
        deadline = now + timeout
        if deadline < self._due:
            self._arm(deadline)
        future = connection.exchange(request, deadline, max_reply_bytes, room)
        try:
            return await future
        finally:
            if connection.future is future:
                connection.abort()

    def use(self, tls: ssl.SSLContext) -> None:
        """Change the TLS settings of new connections."""
        self._tls = tls

    async def close(self) -> None:
        """Close: running exchanges end with AnswerLost, waiting ones with NotSent. Returns when every transport is
        closed.
        """
        self._closing = True
        for waiter, _ in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        for scope in self._connecting:
            scope.reschedule(self._time())
        for connection in list(self.open):
            connection.fail("the client was closed")
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.open or self._connecting:
            self._drained = self._loop.create_future()
            await self._drained

    @property
    def connections(self) -> int:
        """Number of open connections, busy or idle."""
        return len(self.open)

    # a connection for the next exchange

    def _take(self, now: float) -> Connection | None:
        while self.idle:
            connection = self.idle.pop()
            if now - connection.idle_since < PROBE_AFTER_SECONDS or not connection.stale():
                return connection
            connection.abort()
        return None

    async def _wait_or_connect(self) -> Connection:
        deadline = self._time() + self._connect_timeout
        while not self._closing:
            connection = self._take(self._time())
            if connection is None and self.free:
                connection = await self._connect()
                if not connection.usable and not self._closing:
                    raise NotSent(f"{self.origin} closed the connection before anything was sent")
            elif connection is None:
                connection = await self._wait(deadline)
            if connection is not None and connection.usable:
                return connection
        raise NotSent(f"the client for {self.origin} was closed")

    async def _wait(self, deadline: float) -> Connection | None:
        waiter: asyncio.Future[Connection | None] = self._loop.create_future()
        self._waiters.append((waiter, deadline))
        if deadline < self._due:
            self._arm(deadline)
        try:
            return await waiter
        except asyncio.CancelledError:
            # woken and cancelled in the same turn: the next exchange gets its connection
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                connection = waiter.result()
                if connection is not None and connection.usable:
                    self.released(connection)
                else:
                    self._wake()
            raise

    async def _connect(self) -> Connection:
        self.free -= 1
        connection = Connection(self, self._loop)
        scope = asyncio.timeout(self._connect_timeout)
        self._connecting.add(scope)
        done = False
        try:
            async with scope:
                await self._loop.create_connection(
                    lambda: connection,
                    sock=await dial(self.origin),
                    ssl=self._tls,
                    server_hostname=self.origin.host if self._tls else None,
                )
            done = True
        except (OSError, UnicodeError) as error:
            why: object = error
            if self._closing:
                why = "the client was closed"
            elif scope.expired():
                why = f"not within {self._connect_timeout:g} s"
            raise NotSent(f"no connection to {self.origin}: {why}") from error
        finally:
            self._connecting.discard(scope)
            if connection.transport is None:
                self.free += 1
                self._wake()
                self._check_drained()
            elif self._closing or not done:
                connection.abort()
                # uvloop does not report to a connection that its creation was cancelled at the last moment
                self.gone(connection)
        return connection

    # what connections report

    def opened(self, connection: Connection) -> None:
        self.open.add(connection)

    def released(self, connection: Connection) -> None:
        """Give it to the exchange that has waited longest, else keep it."""
        connection.idle_since = self._time()
        connection.deadline = connection.idle_since + self._idle_seconds
        if connection.deadline < self._due:
            self._arm(connection.deadline)
        while self._waiters:
            waiter, _ = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        self.idle.append(connection)

    def closed(self, connection: Connection) -> None:
        """Free its place, though its transport may close a moment later."""
        connection.deadline = float("inf")
        if connection in self.idle:
            self.idle.remove(connection)
        self.free += 1
        self._wake()

    def gone(self, connection: Connection) -> None:
        self.open.discard(connection)
        self._check_drained()

    def _check_drained(self) -> None:
        if self._drained is not None and not self._drained.done() and not self.open and not self._connecting:
            self._drained.set_result(None)

    def _wake(self) -> None:
        while self._waiters and self.free:
            waiter, _ = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    # the one timer

    def _arm(self, deadline: float) -> None:
        if self._closing:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due = deadline
        self._timer = self._loop.call_at(deadline, self._sweep)

    def _sweep(self) -> None:
        """End overdue exchanges and idle connections, and set the timer for the next one."""
        now = self._time()
        for connection in [connection for connection in self.open if connection.deadline <= now]:
            if connection.future is not None:
                connection.fail("no complete answer in time")
            else:
                connection.abort()
        while self._waiters and (self._waiters[0][1] <= now or self._waiters[0][0].done()):
            waiter, _ = self._waiters.popleft()
            if not waiter.done():
                waiter.set_exception(NotSent(f"no free connection to {self.origin} within {self._connect_timeout:g} s"))
        self._timer = None
        self._due = float("inf")
        deadlines = [connection.deadline for connection in self.open]
        if self._waiters:
            deadlines.append(self._waiters[0][1])
        earliest = min(deadlines, default=float("inf"))
        if earliest < float("inf"):
            self._arm(earliest)
