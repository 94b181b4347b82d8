"""How many messages that did not match are still to be deleted or sent on. At the bound nothing is received."""

from collections.abc import Callable

MOST_WAITING = 1000
"""Messages. Delivered ones are bounded by the lanes that wait for their deletes, filtered ones by nothing else; enough
to keep a hundred calls busy, few against the 120,000 a queue lets us have in flight."""


class Backlog:
    """A number with a bound."""

    __slots__ = ("_room", "waiting")

    def __init__(self, room: Callable[[], None]) -> None:
        """`room` is called when there is room again."""
        self._room = room
        self.waiting = 0

    def full(self) -> bool:
        """Whether receiving has to wait."""
        return self.waiting >= MOST_WAITING

    def add(self, messages: int) -> None:
        """So many more."""
        self.waiting += messages

    def done(self, messages: int) -> None:
        """So many are gone."""
        was_full = self.full()
        self.waiting -= messages
        if was_full and not self.full():
            self._room()
