"""Gathers single entries into batch calls: ten at once, or fewer after a short delay."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Generic, TypeVar

from poller.sources.sqs.queue import MOST_PER_CALL

LINGER = 0.02
"""Seconds an entry waits for others to share its call. Long enough to fill calls at hundreds of entries a second, short
against any visibility timeout."""
LAST_SECONDS = 3.5
"""Seconds for a call and its retries at a soft stop, so that a service that does not answer cannot delay the stop.
Together with a last long poll this is less than the default grace period."""

Entry = TypeVar("Entry")


class Gatherer(Generic[Entry]):
    """Entries in, calls of up to ten out.

    `send` retries by itself and never raises for an error of the service. It may be cancelled at any await.
    """

    def __init__(
        self,
        send: Callable[[Sequence[Entry]], Coroutine[Any, Any, None]],
        bug: Callable[[BaseException], None],
        linger: float = LINGER,
    ) -> None:
        """`bug` is called with an error that `send` should never raise."""
        self.linger = linger
        self._loop = asyncio.get_running_loop()
        self._send = send
        self._bug = bug
        self._pending: list[Entry] = []
        self._timer: asyncio.TimerHandle | None = None
        self._calls: set[asyncio.Task[None]] = set()
        self._stopping = False

    def add(self, entries: Sequence[Entry]) -> None:
        """Hand over; full tens go out at once."""
        pending = self._pending
        pending.extend(entries)
        while len(pending) >= MOST_PER_CALL:
            self._start(pending[:MOST_PER_CALL])
            del pending[:MOST_PER_CALL]
        if pending and not self.linger:
            self.flush()
        elif pending and self._timer is None:
            self._timer = self._loop.call_later(self.linger, self.flush)
        elif not pending and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def flush(self) -> None:
        """Send the pending entries now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._pending:
            entries, self._pending = self._pending, []
            self._start(entries)

    def stop(self) -> None:
        """A soft stop: entries are sent at once from now on, and calls end within `LAST_SECONDS`."""
        if self._stopping:
            return
        self._stopping = True
        for call in self._calls:
            self._loop.call_later(LAST_SECONDS, call.cancel)
        self._flush_from_now_on()

    def _flush_from_now_on(self) -> None:
        self.linger = 0.0
        self.flush()

    def _start(self, entries: Sequence[Entry]) -> None:
        call = self._loop.create_task(self._send(entries))
        self._calls.add(call)
        call.add_done_callback(self._ended)
        if self._stopping:
            self._loop.call_later(LAST_SECONDS, call.cancel)

    def _ended(self, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        if not call.cancelled() and (error := call.exception()) is not None:
            self._bug(error)

    async def drain(self) -> None:
        """Return when every call has ended."""
        self._flush_from_now_on()
        while self._calls:
            await asyncio.wait(self._calls)

    async def abandon(self) -> None:
        """End the calls that still run."""
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
