"""The time that a worker has for its invocation, and for its next request."""

import asyncio
from collections.abc import Callable

LATE_SECONDS = 0.05
"""Seconds. A timer that fires later than this shows that the loop was busy, and has not read the worker's answer
yet."""
READ_SECONDS = 1.0
"""Seconds for reading that answer: the daemon's own delay is not the worker's fault."""


class TimeLimit:
    """One limit at a time. Calls `over` once when the time is over."""

    def __init__(self, over: Callable[[], None]) -> None:
        """Call it inside the running loop."""
        self._over = over
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def begin(self, seconds: float) -> None:
        self._due = self._loop.time() + seconds
        self._timer = self._loop.call_at(self._due, self._fired)

    def end(self) -> None:
        """The worker kept to the limit."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fired(self) -> None:
        if self._loop.time() - self._due > LATE_SECONDS:
            self._timer = self._loop.call_later(READ_SECONDS, self._over)
        else:
            self._timer = None
            self._over()
