"""Whether this worker polls a queue: one worker does all the time, the others while that one calls them in."""

import asyncio
from collections.abc import Callable
from math import inf

CALL_SECONDS = 1.0
"""At most one call in so many seconds."""
CALLED_SECONDS = 10.0
"""For which a called worker polls after the last call, unless it finds nothing before: a queue with little traffic
would keep it busy with what the first one can take alone."""


def _nobody() -> None:
    """Nobody has connected yet."""


class Standby:
    """Of one mapping. Times are the loop's."""

    def __init__(self, call: Callable[[], None]) -> None:
        """`call` calls the others in."""
        self._call = call
        self._polls = True
        self._until = -inf
        self._called_at = -inf
        self._changed: Callable[[], None] = _nobody

    def connect(self, changed: Callable[[], None]) -> None:
        """Call `changed` when the worker begins to poll, or has to stop."""
        self._changed = changed

    def disconnect(self, changed: Callable[[], None]) -> None:
        """Call it no more. The next run of the mapping may have connected already, and stays so."""
        if self._changed == changed:
            self._changed = _nobody

    def rests(self, now: float) -> bool:
        """Whether another worker polls."""
        return not self._polls and now >= self._until

    def place(self, *, polls: bool) -> None:
        """Whether this worker is the one that polls all the time."""
        if polls != self._polls:
            self._polls = polls
            self._changed()

    def called(self) -> None:
        """Another one has more than it can take."""
        self._until = asyncio.get_running_loop().time() + CALLED_SECONDS
        self._changed()

    def busy(self, now: float) -> None:
        """Every lane here has a batch, and the queue has more."""
        if now - self._called_at >= CALL_SECONDS:
            self._called_at = now
            self._call()

    def nothing(self) -> None:
        """A receive found nothing."""
        self._until = -inf
