"""How many receives of a queue run at once, and how many messages each may ask for.

One long poll while the queue is quiet; one more each time a receive comes back full while lanes wait. No receive asks
for more than the free lanes can take. Decides that from counts alone: who receives, and when a receive is over, is the
caller's business. Times are the loop's.
"""

from dataclasses import dataclass

SPARSE_PAUSE = 0.004
"""Seconds before the next receive after one that brought few messages, so that the next brings more. It halves the
calls at a trickle of hundreds a second, for a few milliseconds of latency; a quiet queue always has its long poll."""


@dataclass(slots=True)
class ReceiveConcurrency:
    """The counts of one mapping's receive side."""

    fifo: bool
    lanes: int = 0
    """How many lanes there are."""
    free: int = 0
    """Lanes without a full batch: they wait, or receive for themselves."""
    capacity: int = 0
    """Messages that the free lanes can take together."""
    asked: int = 0
    """Messages that the running receives may bring."""
    running: int = 0
    """Receives that run, or that a lane is about to make."""
    wanted: int = 1
    """How many receives may run at once; grows and shrinks with what they bring."""
    not_before: float = 0.0
    """Time of the next receive, after one that brought few messages."""

    @property
    def wants_more(self) -> bool:
        """Whether one more receive is worth it, pauses and the pace apart."""
        return self.running < self.wanted and self.capacity > self.asked

    def lane_is_free(self, limit: int) -> None:
        """A lane can take so many messages."""
        self.free += 1
        self.capacity += limit

    def lane_is_busy(self, limit: int) -> None:
        """The same lane takes nothing for now."""
        self.free -= 1
        self.capacity -= limit

    def most(self, limit: int, allowed: int) -> int:
        """How many messages one more receive may ask for; 0 for no receive now.

        `limit` is what its lane can take, `allowed` how many lanes may hold a batch.
        """
        free = allowed - self.lanes + self.free
        if self.running >= free:
            return 0
        # a FIFO page goes to one lane whole, so that a group never spreads over two
        return limit if self.fifo else min(self.capacity - self.asked, free * limit)

    def began(self, most: int) -> None:
        """A receive runs, for at most so many messages."""
        self.asked += most
        self.running += 1

    def ended(self, most: int) -> None:
        """The same receive runs no more."""
        self.asked -= most
        self.running -= 1

    def brought(self, messages: int, most: int, now: float) -> bool:
        """A receive for at most so many messages brought so many. Returns whether it was full."""
        if 0 < 2 * messages <= most:
            self.not_before = now + SPARSE_PAUSE
        return messages >= most

    def failed(self) -> None:
        """The last receive brought no answer."""
        self.wanted = 1

    def shrink(self) -> None:
        """A receive was not full: one at a time fewer."""
        if self.wanted > 1:
            self.wanted -= 1

    def grow(self, allowed: int, *, waiting: bool) -> bool:
        """A receive was full: one at a time more, if lanes wait that may work.

        Returns whether as many lanes have a batch as may have one, so that another lane may be worth it.
        """
        if waiting and allowed > self.lanes - self.free:
            self.wanted += 1
            return False
        return allowed > 0
