"""Wakes tasks that wait for a change, so that each checks its own condition again."""

import asyncio
from math import inf


class Wakeup:
    """Wakes the tasks that wait now. A notification without waiting tasks has no effect."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def notify(self) -> None:
        """Wake all waiting tasks."""
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def wait(self, seconds: float = inf) -> None:
        """Wait for the next notification, at most so many seconds."""
        if seconds <= 0:
            return
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._waiting.add(future)
        timer = None if seconds == inf else loop.call_later(seconds, _over, future)
        try:
            await future
        finally:
            self._waiting.discard(future)
            if timer is not None:
                timer.cancel()


def _over(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
