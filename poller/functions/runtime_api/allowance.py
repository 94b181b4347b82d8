"""How much of what workers write is logged: bytes in a second, for each worker and for all of them."""

from dataclasses import dataclass

LINE_COST = 128
"""Bytes that a line counts beyond its own: what a log line has around it, and the work of making one."""


@dataclass(slots=True)
class Allowance:
    """`rate` bytes a second, and `burst` at once after a while without any."""

    rate: float
    burst: float
    _left: float = -1.0
    _at: float = 0.0

    def take(self, size: int, now: float) -> bool:
        """Whether so much more is allowed. Any size is while something is left, so the next waits for longer."""
        left = self.burst if self._left == -1.0 else min(self.burst, self._left + (now - self._at) * self.rate)
        allowed = left > 0
        self._left, self._at = left - size if allowed else left, now
        return allowed


PER_WORKER = (256 * 1024, 1024 * 1024)
"""Rate and burst: some 1,100 lines of a hundred characters in a second, and 4,500 at once."""
ALL_WORKERS = (1024 * 1024, 4 * 1024 * 1024)
"""Making log lines at this rate takes about a third of one processor."""
ALWAYS = (8 * 1024, 64 * 1024)
"""Of each worker, whatever the others write: an error is still seen."""


def for_all_workers() -> Allowance:
    """One for the whole process."""
    return Allowance(*ALL_WORKERS)


class LogAllowance:
    """One worker's: its own share, and one of what all workers have together."""

    def __init__(self, together: Allowance, always: Allowance | None = None) -> None:
        """`together` is that of all workers; `always` is this one's whatever the others write."""
        self._together = together
        self._own = Allowance(*PER_WORKER)
        self._always = always or Allowance(*ALWAYS)

    def take(self, size: int, now: float) -> bool:
        """Whether a line of so many bytes may be logged."""
        return self._always.take(size, now) or (self._own.take(size, now) and self._together.take(size, now))
