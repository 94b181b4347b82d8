"""The time a worker has for its invocation, and for its asking again."""

import asyncio
from collections.abc import Callable

LATE_SECONDS = 0.05
"""A timer that fires later than this says that the loop was busy, and that what the worker sent is not read yet."""
READ_SECONDS = 1.0
"""For that to be read: the daemon's own delay is no fault of the worker."""


class TimeLimit:
    """One at a time. Calls `over` once when it is over."""

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
        """It was kept to."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fired(self) -> None:
        if self._loop.time() - self._due > LATE_SECONDS:
            self._timer = self._loop.call_later(READ_SECONDS, self._over)
        else:
            self._timer = None
            self._over()
