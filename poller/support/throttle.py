"""Limits calls per second, to keep to a limit of another service."""

import asyncio
from types import TracebackType

from asyncio_throttle.throttler import Throttler


class Throttled:
    """Entered around each call. One waiter asks at a time, because the library's waiter wakes a hundred times per
    second.
    """

    def __init__(self, per_second: float) -> None:
        calls = max(1, int(per_second))
        self._throttler = Throttler(rate_limit=calls, period=calls / per_second)
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> None:
        async with self._turn:
            await self._throttler.acquire()  # type: ignore[no-untyped-call]

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """A call that was made stays counted."""
