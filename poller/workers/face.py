"""The HTTP server of the parent: one address for all workers.

A request that all workers answer together is read here, goes on to each of them with its headers, so that it is they
who judge token, host and origin, and their answers are merged. A connection with any other request is given whole to
one worker, with everything that comes on it; so this server must read nothing ahead, as those of libraries do.

One thread waits for requests, and gives connections away; each request that is answered here has a thread of its own.
"""

import itertools
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path

from poller.workers.answers import ask, refusal
from poller.workers.child import Child
from poller.workers.exchange import answered, written
from poller.workers.head import peeked, request_of
from poller.workers.listener import listener_at
from poller.workers.routes import Routes
from poller.workers.routing import merged
from poller.workers.supervised import Supervised

MOST_WAITING = 200
"""Connections without a request. One more costs that its place which has waited for longest."""
MOST_ANSWERED = 8
"""Requests that are answered here at a time, each on a thread. Others wait."""
REQUEST_SECONDS = 10.0
"""For a request to arrive, from the connection or the last answer on."""
AGAIN_SECONDS = 0.02
"""Between two looks at a head of which only a part is there. Nearly all come in one piece."""
FULL_SECONDS = 0.25
"""Until connections are taken again where no file is free."""


class Face:
    """Serves connections."""

    def __init__(self, parent: Supervised) -> None:
        self._parent = parent
        self._routes = Routes(parent, ask)
        self._turns = itertools.count()
        self._selector = selectors.DefaultSelector()
        self._waiting: dict[socket.socket, float] = {}
        """Until when the request of each has to be there, the oldest first."""
        self._partly: list[socket.socket] = []
        """Those of them with a part of a head."""
        self._asked: deque[tuple[socket.socket, bytes]] = deque()
        """Connections with the head of a request that waits for its thread."""
        self._came: deque[socket.socket] = deque()
        """Connections that other threads add."""
        self._answering = threading.Semaphore(MOST_ANSWERED)
        self._woken, self._waker = socket.socketpair()
        self._stopped = self._ended = False

    def serve(self, connection: socket.socket) -> None:
        """Serve this connection, too. For any thread."""
        self._came.append(connection)
        if self._ended:
            self._close_all()
        self._wake()

    def stop(self) -> None:
        """Let `run` return."""
        self._stopped = True
        self._wake()

    def _wake(self) -> None:
        # where the buffer is full it wakes anyway
        with suppress(OSError):
            self._waker.send(b"x", socket.MSG_DONTWAIT)

    def run(self, listener: socket.socket) -> None:
        """Serve every connection to the listener until `stop`."""
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        while not self._stopped:
            for key, _ in self._selector.select(self._due()):
                if key.fileobj is listener:
                    self._accept(listener)
                elif key.fileobj is self._woken:
                    self._woken.recv(4096)
                else:
                    self._look(key.fileobj)  # type: ignore[arg-type]
            partly, self._partly = self._partly, []
            for connection in partly:
                self._look(connection)
            while self._came:
                self._wait_for(self._came.popleft())
            self._cut()
            self._begin()
        self._ended = True
        self._close_all()
        for end in (self._selector, self._woken, self._waker):
            end.close()

    def _close_all(self) -> None:
        for connection in [*self._waiting, *(one for one, _ in self._asked)]:
            connection.close()
        with suppress(IndexError):
            while True:
                self._came.popleft().close()

    def _due(self) -> float | None:
        if self._partly:
            return AGAIN_SECONDS
        first = next(iter(self._waiting.values()), None)
        return None if first is None else max(0.0, first - time.monotonic())

    def _accept(self, listener: socket.socket) -> None:
        try:
            self._wait_for(listener.accept()[0])
        except (BlockingIOError, ConnectionError):
            return
        except OSError:
            # no file is free: some are, once connections end
            time.sleep(FULL_SECONDS)

    def _wait_for(self, connection: socket.socket) -> None:
        self._waiting[connection] = time.monotonic() + REQUEST_SECONDS
        self._selector.register(connection, selectors.EVENT_READ)

    def _cut(self) -> None:
        now = time.monotonic()
        while self._waiting:
            oldest, until = next(iter(self._waiting.items()))
            if until > now and len(self._waiting) <= MOST_WAITING:
                return
            self._no_longer(oldest)
            oldest.close()

    def _no_longer(self, connection: socket.socket) -> None:
        del self._waiting[connection]
        with suppress(KeyError):
            self._selector.unregister(connection)
        if connection in self._partly:
            self._partly.remove(connection)

    def _look(self, connection: socket.socket) -> None:
        """See whether a request has come."""
        try:
            head = peeked(connection)
        except (OSError, EOFError):
            self._no_longer(connection)
            connection.close()
            return
        if head is None:
            with suppress(KeyError):
                # what is there of it would wake again and again
                self._selector.unregister(connection)
            self._partly.append(connection)
            return
        self._no_longer(connection)
        request = request_of(head)
        if request is not None and merged(request) is not None:
            self._asked.append((connection, head))
            return
        if not self._give(connection):
            nobody = refusal(HTTPStatus.SERVICE_UNAVAILABLE, "no worker takes connections; try again soon")
            with suppress(OSError):
                connection.send(written(nobody, closes=True), socket.MSG_DONTWAIT)
        connection.close()

    def _give(self, connection: socket.socket) -> bool:
        """Give a connection to a worker, each in its turn, those first that are ready."""
        takers = [child for child in self._parent.children if child.serving]
        turn = next(self._turns)
        takers = takers[turn % len(takers) :] + takers[: turn % len(takers)] if takers else []
        return any(_given(child, connection) for child in sorted(takers, key=lambda child: not child.ready))

    def _begin(self) -> None:
        """Answer the requests that have come, as far as there are threads."""
        while self._asked and self._answering.acquire(blocking=False):
            connection, head = self._asked.popleft()
            try:
                threading.Thread(target=self._answer, args=(connection, head), name="request", daemon=True).start()
            except RuntimeError:
                # no memory for a thread
                self._answering.release()
                connection.close()

    def _answer(self, connection: socket.socket, head: bytes) -> None:
        goes_on = False
        try:
            connection.settimeout(REQUEST_SECONDS)
            goes_on = answered(connection, head, self._routes.answer)
        except (OSError, EOFError):
            # it broke off, which is the client's own
            return
        finally:
            self._answering.release()
            if goes_on:
                self.serve(connection)
            else:
                connection.close()
                self._wake()


def _given(child: Child, connection: socket.socket) -> bool:
    channel = child.channel
    return channel is not None and channel.send({}, connection, at_once=True)


@contextmanager
def serving(listen: str, parent: Supervised) -> Iterator[str]:
    """Answer while the context is open, and yield the address as `--api` takes it. Raises EnvironmentProblem."""
    listener, address = listener_at(listen)
    face = Face(parent)
    parent.serve = face.serve
    thread = threading.Thread(target=face.run, args=(listener,), name="http", daemon=True)
    thread.start()
    try:
        yield address
    finally:
        face.stop()
        thread.join(REQUEST_SECONDS)
        listener.close()
        if address.startswith("unix:"):
            Path(address.removeprefix("unix:")).unlink(missing_ok=True)
