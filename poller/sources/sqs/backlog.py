"""Counts filtered messages that are not yet deleted or forwarded. At the bound nothing is received."""

from collections.abc import Callable

MOST_WAITING = 1000
"""Bound on filtered messages, which nothing else bounds; lanes wait for the deletes of delivered ones. It keeps
a hundred calls busy and is small against the 120,000 messages that a queue allows in flight."""


class Backlog:
    """A number with a bound."""

    __slots__ = ("_room", "waiting")

    def __init__(self, room: Callable[[], None]) -> None:
        """`room` is called when the backlog is no longer full."""
        self._room = room
        self.waiting = 0

    def full(self) -> bool:
        """Whether receiving has to wait."""
        return self.waiting >= MOST_WAITING

    def add(self, messages: int) -> None:
        """So many messages were added."""
        self.waiting += messages

    def done(self, messages: int) -> None:
        """So many messages were deleted, forwarded or released."""
        was_full = self.full()
        self.waiting -= messages
        if was_full and not self.full():
            self._room()
