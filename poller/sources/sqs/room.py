"""Room for what a receive brings: reserved before it, by the size messages had lately.

An answer that is larger all the same waits, half read, until there is more: it cannot be given up, since the service
counts a receive for each of its messages.
"""

from collections.abc import Callable
from dataclasses import dataclass

from poller.runtime.reservation import MemoryBound, Reservation

SMALLEST = 4096
"""Bytes reserved at least for a message. Thousands of quiet queues have a long poll each."""
MARGIN = 1.25
"""Times the average size of the messages lately."""
FORGET = 0.8
"""By how much the largest average counts less with each receive."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Leave to receive once."""

    most: int
    """Messages."""
    room: Reservation


class ReceiveRoom:
    """For one receive after the other; each has a reservation of its own."""

    def __init__(self, memory: MemoryBound, pump: Callable[[], None]) -> None:
        """`pump` has somebody receive, if anybody still wants to."""
        self._memory = memory
        self._pump = pump
        self._next: Reservation | None = None
        self._most = 1
        self._message = float(SMALLEST)

    def turn(self, most: int) -> Turn | None:
        """For a receive of so many messages, once there is room; `pump` is called then."""
        self._most = most
        room = self._next or self._memory.reservation(patient=True)
        if not room.ask(self._wanted, self._granted):
            self._next = room
            return None
        self._next = None
        return Turn(most, room)

    def _wanted(self) -> int:
        return int(self._message * MARGIN) * self._most

    def _granted(self) -> None:
        self._pump()
        self.close()

    def note(self, size: int, messages: int) -> None:
        """A receive brought so many bytes."""
        self._message = max(SMALLEST, size / messages, self._message * FORGET)

    def close(self) -> None:
        """Nobody wants to receive now."""
        if self._next is not None:
            self._next.close()
            self._next = None
