"""Resolves names to addresses, so that a name whose server does not answer delays no other name.

The system's resolver blocks its thread, for up to half a minute where a name server is silent, and cannot be stopped.
So each lookup has a daemon thread of its own, outside of asyncio's shared pool. A name is looked up once at a time, and
what came of it, good or bad, is kept for a moment. Lookups that fail or take long are counted apart and have their own
limit, so that they never use up the threads of the others.
"""

import asyncio
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, NamedTuple

from aiohttp.abc import AbstractResolver, ResolveResult

KEPT_SECONDS = 5.0
"""Seconds that an answer, good or bad, is cached: long enough for all connections of a burst, and shorter than any
service keeps its addresses."""
SLOW_SECONDS = 2.0
"""Seconds. A lookup that takes longer waits for a broken name server, and counts as slow."""
MOST_AT_ONCE = 64
"""Maximum of running lookups that are not slow yet, and the same again for names known to fail or be slow."""
MOST_THREADS = 512
"""Maximum of threads: if hundreds of names stop answering at once, each needs one until its first lookup ends."""
MOST_KEPT = 1024

Addresses = list[tuple[Any, ...]]
"""Addresses in the form of `socket.getaddrinfo`."""


class _Lookup(NamedTuple):
    host: str
    port: int
    slow: bool
    """Whether the host is known to fail or to be slow."""
    future: "Future[Addresses]"


class Names:
    """A resolver that several event loops and threads may share."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._known: dict[tuple[str, int], tuple[float, Future[Addresses]]] = {}
        """Expiry of each answer, failure or running lookup."""
        self._slow: set[str] = set()
        self._waiting: dict[bool, deque[_Lookup]] = {False: deque(), True: deque()}
        self._running: dict[_Lookup, float] = {}
        """Start time of each lookup."""

    async def addresses(self, host: str, port: int) -> Addresses:
        """Resolve a name. Raises OSError. The lookup of a cancelled caller continues for the next caller."""
        future = self._ask_for(host, port)
        waiting = asyncio.wrap_future(future)
        try:
            while not (await asyncio.wait([waiting], timeout=SLOW_SECONDS))[0]:
                # some running lookups may count as slow by now, and so make room
                with self._lock:
                    self._start()
            return list(waiting.result())
        finally:
            waiting.cancel()

    def _ask_for(self, host: str, port: int) -> "Future[Addresses]":
        with self._lock:
            now = self._monotonic()
            until, future = self._known.get((host, port), (0.0, None))
            if future is not None and now < until:
                return future
            if len(self._known) >= MOST_KEPT:
                self._known = {key: known for key, known in self._known.items() if now < known[0]}
                self._slow &= {host for host, _ in self._known}
            future = Future()
            # so that the cancellation of one caller does not cancel it for the others
            future.set_running_or_notify_cancel()
            self._known[host, port] = float("inf"), future
            slow = host in self._slow
            self._waiting[slow].append(_Lookup(host, port, slow, future))
            self._start()
        return future

    def _start(self) -> None:
        now = self._monotonic()
        for slow, waiting in self._waiting.items():
            busy = sum(
                lookup.slow is slow and (slow or now - since < SLOW_SECONDS)
                for lookup, since in (self._running.items() if waiting else ())
            )
            for _ in range(min(len(waiting), MOST_AT_ONCE - busy, MOST_THREADS - len(self._running))):
                lookup = waiting.popleft()
                self._running[lookup] = now
                threading.Thread(target=self._look_up, args=(lookup,), name="names", daemon=True).start()

    def _look_up(self, lookup: _Lookup) -> None:
        found: Addresses = []
        failure: Exception | None = None
        try:
            found = socket.getaddrinfo(lookup.host, lookup.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            failure = error
        with self._lock:
            now, began = self._monotonic(), self._running.pop(lookup)
            self._known[lookup.host, lookup.port] = now + KEPT_SECONDS, lookup.future
            if failure is not None or now - began > SLOW_SECONDS:
                self._slow.add(lookup.host)
            else:
                self._slow.discard(lookup.host)
            self._start()
        if failure is None:
            lookup.future.set_result(found)
        else:
            lookup.future.set_exception(failure)


NAMES = Names()
"""The process's resolver."""


class Resolver(AbstractResolver):
    """The resolver for aiohttp, whose own one uses asyncio's shared thread pool."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Resolve for aiohttp. Raises OSError."""
        return [
            ResolveResult(
                hostname=host,
                host=_host(address),
                port=port,
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, protocol, _, address in await NAMES.addresses(host, port)
            if family in (socket.AF_UNSPEC, kind)
        ]

    async def close(self) -> None:
        """There is nothing to close."""


def _host(address: tuple[Any, ...]) -> str:
    """An IPv6 link-local address with its interface."""
    scope = address[3] if len(address) > 3 else 0
    return f"{address[0]}%{scope}" if scope else str(address[0])
