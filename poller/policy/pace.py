"""The number of lanes of a mapping that may work at once: it grows on success and shrinks on errors and throttles.

Lambda starts an SQS mapping with five concurrent batches, adds up to 300 a minute, and lowers the number when the
function fails or is throttled. AWS does not publish how it lowers the number; halving is the usual rule, and used here.
"""

from dataclasses import dataclass, field

from poller.policy.backoff import TIMERS_EARLY, Backoff, Chance

GROWTH_PER_SECOND = 5.0
"""Lambda's documented 300 concurrent invocations a minute."""

FAILING = Backoff(first=1.0, cap=30.0)
"""The pause between batches while a single lane is left and the function still fails."""


@dataclass(slots=True)
class Pace:
    """Additive increase, multiplicative decrease, within `least` and `most` lanes."""

    start: int
    most: int
    steady: bool = False
    """Whether the number stays at `start`: the shards give a stream's lanes, and each lane waits for itself alone."""
    lanes: int = field(init=False)
    _failures: int = field(default=0, init=False)
    _resume_at: float = field(default=0.0, init=False)
    _changed_at: float = field(default=float("-inf"), init=False)

    def __post_init__(self) -> None:
        self.lanes = min(self.start, self.most)

    def succeeded(self) -> None:
        """A batch succeeded."""
        if self._failures:
            self._failures = 0
            self._resume_at = 0.0

    def busy(self, now: float) -> None:
        """Every lane has a batch and the source has more: grow, as fast as Lambda does."""
        if (
            self.lanes < self.most
            and not self.steady
            and not self._failures
            and now - self._changed_at >= 1 / GROWTH_PER_SECOND
        ):
            self.lanes += 1
            self._changed_at = now

    def failed(self, now: float, chance: Chance) -> None:
        """The function failed or refused a whole batch. Parallel failures within one second count once."""
        if self.steady:
            return
        if self._failures and now - self._changed_at < 1.0:
            return
        self._failures += 1
        self._changed_at = now
        if self.lanes > 1:
            self.lanes //= 2
        else:
            self._resume_at = now + FAILING.delay(self._failures, chance)

    def resumes_in(self, now: float) -> float:
        """Seconds until the next batch may be received; 0 for at once."""
        left = self._resume_at - now
        return left if left > TIMERS_EARLY else 0.0
