"""What a source sees of the bound on bytes in flight: it reserves before each read."""

from collections.abc import Callable
from typing import Protocol

from poller.http.room import Room


class Reservation(Room, Protocol):
    """The bytes of one read, counted as in flight from before it begins."""

    def ask(self, wanted: Callable[[], int], call: Callable[[], None], *, urgent: bool = False) -> bool:
        """Whether the read may begin. If not it waits in line, and `call` is called once it may. `wanted` says how many
        bytes it needs. `urgent`: it may pass the bound, as the only one of the process.
        """
        ...

    def became(self, size: int) -> None:
        """The read is over, and so many bytes are held of it until they are let go."""
        ...

    def settled(self) -> None:
        """Nothing that was read with it is held any more."""
        ...

    def close(self) -> None:
        """Nothing is read: it is reserved no more, and waits no more."""
        ...


class MemoryBound(Protocol):
    """Where a source counts the bytes it reads and holds."""

    def reservation(self, *, patient: bool = False) -> Reservation:
        """For one reader, which uses it again and again. Where the answer is larger than reserved and there is no room,
        a `patient` reader waits for it in the middle of the answer; otherwise NoRoom is raised.
        """
        ...

    def release(self, size: int) -> None:
        """So many bytes are settled."""
        ...
