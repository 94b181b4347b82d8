"""The bytes of an answer are counted before they are read, so that many answers at once fit into memory."""

import asyncio
from collections.abc import Callable
from typing import Protocol


class ReservedBytes(Protocol):
    """Bytes reserved for one answer."""

    size: int
    """Bytes that may arrive without calling `grow`."""

    def grow(self, size: int, go_on: Callable[[], None]) -> bool:
        """The answer has at least `size` bytes, more than there is room for. True: read on. False: read nothing more
        before `go_on` is called. Raises NoRoom where the answer is to be given up.
        """
        ...


async def fit(room: ReservedBytes, size: int) -> None:
    """Wait for room for `size` bytes. Raises NoRoom."""
    if size <= room.size:
        return
    grown = asyncio.get_running_loop().create_future()

    def go_on() -> None:
        if not grown.done():
            grown.set_result(None)

    if not room.grow(size, go_on):
        await grown
