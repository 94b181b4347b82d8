"""Failed messages that are not visible yet. Without them a failing queue looks idle between its attempts."""

import math
from collections import Counter

MOST_SECONDS = 1000
"""Counted seconds above which those in the past are removed."""


class InvisibleFailures:
    """Counted by the second in which they become visible again. Times are the loop's."""

    def __init__(self) -> None:
        self._back: Counter[int] = Counter()

    def add(self, messages: int, back_at: float, now: float) -> None:
        """So many messages failed and become visible again at `back_at`."""
        if len(self._back) > MOST_SECONDS:
            self._clear(now)
        self._back[math.ceil(back_at)] += messages

    def _clear(self, now: float) -> None:
        for second in [second for second in self._back if second <= now]:
            del self._back[second]

    def messages(self, now: float) -> tuple[int, float, float] | None:
        """How many are invisible, and the first and last time at which they become visible; None for none."""
        self._clear(now)
        if not self._back:
            return None
        return self._back.total(), float(min(self._back)), float(max(self._back))
