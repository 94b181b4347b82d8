"""Bytes in flight: what was received and is not done with, bounded per mapping and for the whole process."""

from collections.abc import Callable


class Memory:
    """A bound on bytes that are counted after the fact: at the bound nothing more is asked for.

    One receive may pass the bound, since its size is known only when it is here. A mapping's Memory is within the
    process's: what it holds counts in both.
    """

    def __init__(self, limit: int, within: "Memory | None" = None) -> None:
        self.limit = limit
        self.held = 0
        self._within = within
        self._waiting: dict[Callable[[], None], None] = {}

    def hold(self, size: int) -> None:
        """That many bytes more are in flight."""
        self.held += size
        if self._within is not None:
            self._within.hold(size)

    def let_go(self, size: int) -> None:
        """That many bytes are done with; who was told to wait is called."""
        self.held -= size
        if self._within is not None:
            self._within.let_go(size)
        if self._waiting:
            self._call_waiting()

    def resize(self, limit: int) -> None:
        """Another bound from now on."""
        self.limit = limit
        self._call_waiting()

    def _call_waiting(self) -> None:
        if self.held < self.limit:
            waiting, self._waiting = self._waiting, {}
            for call in waiting:
                call()

    def full(self, call_when_not: Callable[[], None]) -> bool:
        """Whether the bound is reached; if so, `call_when_not` is called once when it no longer is."""
        if self.held >= self.limit:
            self._waiting[call_when_not] = None
            return True
        return self._within is not None and self._within.full(call_when_not)
