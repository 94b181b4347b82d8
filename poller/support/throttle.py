"""So many calls a second, for whoever has to keep a limit of somebody else's."""

import asyncio
from types import TracebackType

from asyncio_throttle.throttler import Throttler


class Throttled:
    """Around each call. One waiter asks at a time, since whoever asks wakes a hundred times a second."""

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
        """A call once made stays counted."""
