"""A function's limits of concurrency and rate, shared by all its mappings, first come first served."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from poller.runtime.stop import Stop
from poller.support.throttle import Throttled

MakeRate = Callable[[float], AbstractAsyncContextManager[None]]
"""Makes, from invocations per second, the context manager in which each invocation begins."""


class Slots:
    """Limits the running invocations, and the invocations begun per second; None for no limit."""

    def __init__(self, limit: int | None, make_rate: MakeRate = Throttled) -> None:
        self.limit = limit
        self._make_rate = make_rate
        self._per_second: float | None = None
        self._rate: AbstractAsyncContextManager[None] | None = None
        self.taken = 0
        """Slots in use."""
        self.waiting: deque[asyncio.Future[bool]] = deque()
        """Lanes that wait for a slot, the first to get one first."""

    def resize(self, limit: int | None) -> None:
        """Change the limit. Running invocations beyond a lower limit end by themselves."""
        self.limit = limit
        while self.waiting and (limit is None or self.taken < limit):
            turn = self.waiting.popleft()
            if not turn.done():
                self.taken += 1
                turn.set_result(True)

    def keep_to(self, per_second: float | None) -> None:
        """Change the rate."""
        if per_second != self._per_second:
            self._per_second = per_second
            self._rate = None if per_second is None else self._make_rate(per_second)

    def take_now(self) -> bool:
        """Take a slot if one is free and no other lane waits."""
        return self._rate is None and self._take_free()

    def _take_free(self) -> bool:
        if self.limit is not None and (self.taken >= self.limit or self.waiting):
            return False
        self.taken += 1
        return True

    async def take(self, stop: Stop) -> bool:
        """Wait for a slot, and for the invocation's turn; False at a soft stop."""
        if not (self._take_free() or await self._slot(stop)):
            return False
        in_time = False
        try:
            in_time = self._rate is None or await _turn(self._rate, stop)
        finally:
            if not in_time:
                self.release()
        return in_time

    async def _slot(self, stop: Stop) -> bool:
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)

        def give_up() -> None:
            if not turn.done():
                turn.set_result(False)

        ignore = stop.listen(give_up)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.result():
                self.release()
            raise
        finally:
            ignore()
            if turn in self.waiting:
                self.waiting.remove(turn)

    def release(self) -> None:
        """Release a slot; the lane that has waited longest gets it."""
        while self.waiting and (self.limit is None or self.taken <= self.limit):
            turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(True)
                return
        self.taken -= 1


def _nobody() -> None:
    return None


class SharedSlots(Slots):
    """A mapping's part of a limit that daemons share, in front of the slots of its function."""

    def __init__(self, function: Slots) -> None:
        super().__init__(0)
        self.changed: Callable[[], None] = _nobody
        """Called after the part has changed."""
        self._function = function

    def resize(self, limit: int | None) -> None:
        super().resize(limit)
        self.changed()

    def take_now(self) -> bool:
        if not super().take_now():
            return False
        if self._function.take_now():
            return True
        super().release()
        return False

    async def take(self, stop: Stop) -> bool:
        if not await super().take(stop):
            return False
        taken = False
        try:
            taken = await self._function.take(stop)
        finally:
            if not taken:
                super().release()
        return taken

    def release(self) -> None:
        self._function.release()
        super().release()


async def _turn(rate: AbstractAsyncContextManager[None], stop: Stop) -> bool:
    """Wait for the rate's turn; False if a soft stop came first."""
    entering = asyncio.ensure_future(rate.__aenter__())

    def give_up() -> None:
        entering.cancel()

    ignore = stop.listen(give_up)
    try:
        await asyncio.wait([entering])
    finally:
        ignore()
        entering.cancel()
    return not entering.cancelled()
