"""What screens show of the store, a few seconds old at most: many look, and each reading may be paid for."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from poller.support import telemetry
from poller.values.errors import StateError

SECONDS = 3.0

One = TypeVar("One")


class Recent(Generic[One]):
    """A list that the store keeps."""

    def __init__(self, what: str, read: Callable[[], Awaitable[Sequence[One]]]) -> None:
        """`read` raises StateError while the store does not answer; `what` is read, for the log."""
        self._what = what
        self._read = read
        self._known: Sequence[One] = ()
        self._until = 0.0

    async def all(self) -> Sequence[One]:
        """Empty while the store does not answer."""
        now = asyncio.get_running_loop().time()
        if now >= self._until:
            self._until = now + SECONDS
            try:
                self._known = await self._read()
            except StateError as error:
                telemetry.logger().warning("not_shown", what=self._what, text=str(error))
                self._known = ()
        return self._known
