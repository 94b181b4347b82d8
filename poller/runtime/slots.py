"""A function's concurrency: one limit for all mappings that use it, first come first served."""

import asyncio
from collections import deque

from poller.runtime.stop import Stop


class Slots:
    """So many invocations at once; None for no limit."""

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self._taken = 0
        self._waiting: deque[asyncio.Future[bool]] = deque()

    def resize(self, limit: int | None) -> None:
        """Another limit from now on. What runs beyond a lower one ends by itself."""
        self.limit = limit
        while self._waiting and (limit is None or self._taken < limit):
            turn = self._waiting.popleft()
            if not turn.done():
                self._taken += 1
                turn.set_result(True)

    def take_now(self) -> bool:
        """Take a slot if that needs no waiting and overtakes nobody."""
        if self.limit is not None and (self._taken >= self.limit or self._waiting):
            return False
        self._taken += 1
        return True

    async def take(self, stop: Stop) -> bool:
        """Wait for a slot; False at a soft stop."""
        if self.take_now():
            return True
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
        while self._waiting and (self.limit is None or self._taken <= self.limit):
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(True)
                return
        self._taken -= 1
