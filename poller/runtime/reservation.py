"""The bound on bytes in flight as a source uses it: it reserves bytes before each read."""

from collections.abc import Callable
from typing import Protocol

from poller.http.reserved_bytes import ReservedBytes


class Reservation(ReservedBytes, Protocol):
    """The bytes of one read, counted as in flight from before it begins."""

    def ask(self, wanted: Callable[[], int], call: Callable[[], None], *, urgent: bool = False) -> bool:
        """Ask for bytes; returns whether the read may begin. If not, the reservation is queued, and `call` is called
        once it may. `wanted` returns the bytes it needs. `urgent`: it may exceed the bound, as the only one of the
        process.
        """
        ...

    def became(self, size: int) -> None:
        """The read is over; `size` bytes of it stay held until they are released."""
        ...

    def settled(self) -> None:
        """All bytes read with it are released."""
        ...

    def close(self) -> None:
        """End the read: release its bytes, and leave the queue."""
        ...


class MemoryBound(Protocol):
    """Counts the bytes that a source reads and holds."""

    def reservation(self, *, patient: bool = False) -> Reservation:
        """A reservation for one reader, which reuses it. If the answer is larger than reserved and there is no room, a
        `patient` reader waits in the middle of the answer; otherwise NoRoom is raised.
        """
        ...

    def release(self, size: int) -> None:
        """Release `size` bytes, which are settled."""
        ...
