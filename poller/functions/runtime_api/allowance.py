"""Limits how much of the workers' output is logged: bytes per second, for each worker and for all together."""

from dataclasses import dataclass

LINE_COST = 128
"""Bytes counted for each line beyond its own: the rest of a log line, and the work of making one."""


@dataclass(slots=True)
class Allowance:
    """`rate` bytes per second, and `burst` at once after a quiet time."""

    rate: float
    burst: float
    _left: float = -1.0
    _at: float = 0.0

    def take(self, size: int, now: float) -> bool:
        """Whether `size` more bytes are allowed. While something is left, any size is, and the next one waits for
        longer.
        """
        left = self.burst if self._left == -1.0 else min(self.burst, self._left + (now - self._at) * self.rate)
        allowed = left > 0
        self._left, self._at = left - size if allowed else left, now
        return allowed


PER_WORKER = (256 * 1024, 1024 * 1024)
"""Rate and burst: about 1,100 lines of a hundred characters per second, and 4,500 at once."""
ALL_WORKERS = (1024 * 1024, 4 * 1024 * 1024)
"""Making log lines at this rate takes about a third of one processor."""
ALWAYS = (8 * 1024, 64 * 1024)
"""The share of each worker whatever the others write, so that its errors are always seen."""


def for_all_workers() -> Allowance:
    """The allowance of the whole process."""
    return Allowance(*ALL_WORKERS)


class LogAllowance:
    """One worker's allowance: its own share, and its part of what all workers share."""

    def __init__(self, together: Allowance, always: Allowance | None = None) -> None:
        """`together` is the share of all workers; `always` is this worker's whatever the others write."""
        self._together = together
        self._own = Allowance(*PER_WORKER)
        self._always = always or Allowance(*ALWAYS)

    def take(self, size: int, now: float) -> bool:
        """Whether a line of so many bytes may be logged."""
        return self._always.take(size, now) or (self._own.take(size, now) and self._together.take(size, now))
