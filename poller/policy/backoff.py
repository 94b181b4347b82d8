"""How long to wait before the next attempt. Chance comes in as an argument; nothing sleeps here."""

from collections.abc import Callable
from dataclasses import dataclass

Chance = Callable[[], float]
"""Draws from [0, 1)."""
TIMERS_EARLY = 0.001
"""Seconds by which a wait may end too early, by rounding and by the clock's resolution. Code that compares `now` with
the end of a wait allows for it; otherwise it would wait again for almost nothing, as fast as the loop turns."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential delays with jitter over the upper half, so that no delay is near zero and no two callers agree."""

    first: float
    """Seconds before the first retry, before jitter."""
    cap: float
    factor: float = 2.0

    def delay(self, attempt: int, chance: Chance) -> float:
        """Seconds to wait after the `attempt`-th failure in a row, counted from 1."""
        # the exponent is bounded because a float overflows at 2 ** 1024, and an outage may last for days
        full = min(self.cap, self.first * self.factor ** min(attempt - 1, 63))
        return full * (0.5 + 0.5 * chance())


RETRY = Backoff(first=0.5, cap=60.0)
"""Between attempts of a batch. The first value is fitted to the only calibration point known of Lambda: eight attempts
in sixty seconds."""

SOURCE = Backoff(first=1.0, cap=60.0)
"""After a source could not be reached, or refused a call."""

STATE = Backoff(first=0.5, cap=5.0)
"""After progress could not be stored: finished batches wait for it. Short, because a store is the daemon's own."""

SETTLE = Backoff(first=0.2, cap=20.0)
"""After a delete or a visibility change brought no answer."""
