"""Memory for the messages of a receive, reserved before the receive by the size of recent messages.

A larger answer waits, half read, until there is more memory: it cannot be abandoned, because the service
counts a receive for each of its messages.
"""

from collections.abc import Callable
from dataclasses import dataclass

from poller.runtime.reservation import MemoryBound, Reservation

SMALLEST = 4096
"""Fewest bytes reserved for a message. Small, because thousands of quiet queues have a long poll each."""
MARGIN = 1.25
"""Factor over the average size of recent messages."""
FORGET = 0.8
"""Factor by which the largest average decays with each receive."""


@dataclass(slots=True)
class Turn:
    """Permission for one receive. Not frozen: one is made for each receive, and freezing triples its cost."""

    most: int
    """Messages."""
    room: Reservation


class ReceiveMemory:
    """Reserves memory for each receive; each receive has its own reservation."""

    def __init__(self, memory: MemoryBound, pump: Callable[[], None]) -> None:
        """`pump` starts a receive, if a lane still wants one."""
        self._memory = memory
        self._pump = pump
        self._next: Reservation | None = None
        self._most = 1
        self._message = float(SMALLEST)

    def turn(self, most: int) -> Turn | None:
        """Permission to receive so many messages; None while there is no room: `pump` is called once there is."""
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
        """No lane wants to receive now."""
        if self._next is not None:
            self._next.close()
            self._next = None
