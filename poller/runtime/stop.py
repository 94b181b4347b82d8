"""The soft stop: receive no more, finish running work. A hard stop is a cancellation and needs no code here."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from poller.values.errors import CutByStop


def _nothing() -> None:
    return None


class Stop:
    """A soft stop that wakes waiting code at once. The daemon, each mapping and each partition have one."""

    def __init__(self) -> None:
        self.soft = False
        self._listeners: dict[object, Callable[[], None]] = {}
        self._follow_no_more: Callable[[], None] = _nothing

    def child(self) -> "Stop":
        """A stop that this one requests too, until the child's `close`."""
        child = Stop()
        child._follow_no_more = self.listen(child.request)
        return child

    def close(self) -> None:
        """Detach it from its parent."""
        self._follow_no_more()

    def request(self) -> None:
        """Request the soft stop; a second request changes nothing."""
        if self.soft:
            return
        self.soft = True
        for listener in list(self._listeners.values()):
            listener()

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` once at the soft stop, at once if it was requested. Returns a function that removes it."""
        if self.soft:
            listener()
            return lambda: None
        key = object()
        self._listeners[key] = listener
        return lambda: self._listeners.pop(key, None) and None

    @asynccontextmanager
    async def leaves(self, seconds: float) -> AsyncGenerator[None]:
        """A block of code to which a soft stop leaves `seconds`. Raises CutByStop after them."""
        loop = asyncio.get_running_loop()
        limit = asyncio.timeout(None)
        try:
            async with limit:
                ignore = self.listen(lambda: limit.reschedule(loop.time() + seconds))
                try:
                    yield
                finally:
                    ignore()
        except TimeoutError as error:
            if limit.expired():
                raise CutByStop from error
            raise

    async def wait(self, seconds: float) -> bool:
        """Wait for `seconds`, or until the soft stop. Returns whether it stopped."""
        if self.soft:
            return True
        loop = asyncio.get_running_loop()
        over: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            if not over.done():
                over.set_result(None)

        timer = loop.call_later(seconds, wake)
        ignore = self.listen(wake)
        try:
            await over
        finally:
            timer.cancel()
            ignore()
        return self.soft
