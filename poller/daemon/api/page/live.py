"""Keeps screens up to date: each is made once a second for all its viewers, and only its changes are sent.

While nobody looks, only the pace of the mappings is sampled.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus

from aiohttp import web

from poller.daemon.api.connections import allow_seconds
from poller.daemon.api.isolation import Isolation
from poller.daemon.api.page.frame import HEADERS
from poller.daemon.api.page.history import SAMPLE_SECONDS, History
from poller.daemon.api.page.screen import NOTHING, Screen, changes, event
from poller.daemon.api.page.served import NotShown
from poller.ports.daemon_status import DaemonStatus

TICK_SECONDS = 1.0
SEND_SECONDS = 10.0
"""For a viewer to take what is sent."""
MOST_TICKS = 600
"""After which a viewer has to connect again, which browsers do by themselves: its session may be over."""
MOST_VIEWERS = 50
"""Half of the connections that the server takes."""
QUIET_TICKS = 15
"""Without a change, after which a comment is sent, so that no proxy takes the connection for idle."""
LOOK_AGE = 10.0
"""Seconds for which a source's own numbers are good enough."""
LOOK_TICKS = 10

Make = Callable[[], Awaitable[Screen]]


class Feed:
    """One screen, while somebody looks at it."""

    def __init__(self, make: Make) -> None:
        self.viewers = 0
        self.tick = 0
        self.changes: dict[str, object] = {}
        """What the last tick changed."""
        self.screen = NOTHING
        self._make = make
        self._ticked = asyncio.Event()

    async def update(self) -> None:
        """Make the screen anew; one that cannot be known now stays as it is."""
        try:
            screen = await self._make()
        except NotShown:
            screen = self.screen
        self.changes, self.screen = changes(self.screen, screen), screen
        self.tick += 1
        ticked, self._ticked = self._ticked, asyncio.Event()
        ticked.set()

    async def after(self, tick: int) -> None:
        """Return when a later tick is there."""
        while self.tick <= tick:
            await self._ticked.wait()


class Live:
    """All feeds, and the task that drives them."""

    def __init__(self, status: DaemonStatus, history: History, isolation: Isolation, wall: Callable[[], float]) -> None:
        self._status = status
        self._history = history
        self._isolation = isolation
        self._wall = wall
        self._feeds: dict[str, Feed] = {}
        self._came = asyncio.Event()
        self._streams: set[asyncio.Task[None]] = set()
        self._ticks = 0
        self._looking: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Drive the feeds until cancelled."""
        time = asyncio.get_running_loop().time
        sampled = float("-inf")
        while True:
            if time() - sampled >= SAMPLE_SECONDS:
                sampled = time()
                self._history.sample(self._status.mappings, sampled)
            if self._feeds:
                await self._tick()
                await asyncio.sleep(TICK_SECONDS)
                continue
            self._came.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._came.wait(), SAMPLE_SECONDS)

    async def _tick(self) -> None:
        self._ticks += 1
        if self._ticks % LOOK_TICKS == 1 and (self._looking is None or self._looking.done()):
            # beside the ticks, because a slow source must not hold them up
            self._looking = asyncio.ensure_future(self._isolation.look(self._status.mappings, LOOK_AGE))
        for feed in list(self._feeds.values()):
            await feed.update()

    def close(self) -> None:
        """End every stream: the server stops."""
        if self._looking is not None:
            self._looking.cancel()
        for stream in self._streams:
            stream.cancel()

    async def stream(self, request: web.Request, key: str, make: Make) -> web.StreamResponse:
        """Send the screen, then its changes. `key` tells one screen from another."""
        if len(self._streams) >= MOST_VIEWERS:
            return web.json_response({"error": "too many viewers"}, status=HTTPStatus.SERVICE_UNAVAILABLE)
        response = web.StreamResponse(
            headers={**HEADERS, "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        )
        await response.prepare(request)
        feed = self._feeds.setdefault(key, Feed(make))
        feed.viewers += 1
        self._came.set()
        sending = asyncio.ensure_future(self._send(request, response, feed))
        self._streams.add(sending)
        try:
            await asyncio.wait({sending})
            if not sending.cancelled():
                sending.result()
        except (ConnectionError, TimeoutError):
            # it has gone, or does not take what it is sent
            return response
        finally:
            sending.cancel()
            self._streams.discard(sending)
            feed.viewers -= 1
            if not feed.viewers:
                self._feeds.pop(key, None)
        return response

    async def _send(self, request: web.Request, response: web.StreamResponse, feed: Feed) -> None:
        seen, quiet = None, 0
        for _ in range(MOST_TICKS):
            if feed.tick:
                missed = seen is None or seen + 1 != feed.tick
                found = changes(NOTHING, feed.screen) if missed else feed.changes
                seen, quiet = feed.tick, 0 if found else quiet + 1
                if found or quiet >= QUIET_TICKS:
                    quiet = 0
                    allow_seconds(request, SEND_SECONDS * 2)
                    async with asyncio.timeout(SEND_SECONDS):
                        await response.write(event(found, self._wall()) if found else b":\n\n")
            allow_seconds(request, SEND_SECONDS * 2)
            await feed.after(seen or 0)
