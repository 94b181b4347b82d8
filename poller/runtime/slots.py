"""A function's concurrency and pace: one limit each for all mappings that use it, first come first served."""

import asyncio
from collections import deque
from contextlib import AbstractAsyncContextManager

from poller.runtime.stop import Stop


class Slots:
    """So many invocations at once; None for no limit. `rate` is entered before each."""

    def __init__(self, limit: int | None, rate: AbstractAsyncContextManager[None] | None = None) -> None:
        self.limit = limit
        self._rate = rate
        self._taken = 0
        self._waiting: deque[asyncio.Future[bool]] = deque()

    def take_now(self) -> bool:
        """Take a slot if that needs no waiting and overtakes nobody."""
        return self._rate is None and self._take_free()

    def _take_free(self) -> bool:
        if self.limit is not None and (self._taken >= self.limit or self._waiting):
            return False
        self._taken += 1
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
                self.give_back()
        return in_time

    async def _slot(self, stop: Stop) -> bool:
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)

        def give_up() -> None:
            if not turn.done():
                turn.set_result(False)

        ignore = stop.listen(give_up)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.result():
                self.give_back()
            raise
        finally:
            ignore()
            if turn in self._waiting:
                self._waiting.remove(turn)

    def give_back(self) -> None:
        """Free a slot; who waits longest has it."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(True)
                return
        self._taken -= 1


async def _turn(rate: AbstractAsyncContextManager[None], stop: Stop) -> bool:
    """Enter; False where a soft stop came first."""
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
