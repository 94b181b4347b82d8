"""A condition that several may wait for, each looking again when it rings."""

import asyncio
from math import inf


class Bell:
    """Rings for whoever waits now; ringing for nobody is forgotten."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        """Wake everybody."""
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def wait(self, seconds: float = inf) -> None:
        """Until it rings, or for so long."""
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
