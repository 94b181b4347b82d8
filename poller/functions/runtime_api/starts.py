"""Counts attempts to start a worker while none gets ready: their failures, the time of the next, and its reason for
people.
"""

from poller.policy.backoff import Backoff, Chance
from poller.policy.response import NotInvoked
from poller.ports.status import Reason, ReasonCode

START = Backoff(first=1.0, cap=60.0)
"""Seconds between attempts to start a worker while none gets ready. Nothing else bounds restarts then: a worker that
ends with an invocation spends an attempt of its batch, whose own back-off bounds those."""
SHORTEST_WAIT = 0.1


class Starts:
    """The attempts of one function. Times are the loop's."""

    def __init__(self, name: str, chance: Chance) -> None:
        self._name = name
        self._chance = chance
        self.failures = 0
        self.next = 0.0
        self._why = ""
        self._since = 0.0

    def failed(self, why: str, now: float) -> float | None:
        """Count a failure, and return the seconds until the next attempt. None where it counts with a failure just
        before: of several workers started at once, the first failure counts for all.
        """
        if now < self.next:
            return None
        if not self.failures:
            self._since = now
        self.failures += 1
        self._why = why
        delay = START.delay(self.failures, self._chance)
        self.next = now + delay
        return delay

    def over(self) -> None:
        """A worker got ready, or there is another reason to try at once."""
        self.failures, self.next, self._why = 0, 0.0, ""

    def due(self, now: float) -> bool:
        """Whether another attempt may be made."""
        return now >= self.next

    def refusal(self, now: float) -> NotInvoked:
        """The answer to an invocation that needs a worker."""
        return NotInvoked("init_failed", self._why, max(self.next - now, SHORTEST_WAIT))

    @property
    def reason(self) -> Reason | None:
        """The reason for a person; None while nothing is wrong."""
        if not self.failures:
            return None
        attempts = f"{self.failures} attempt{'s' if self.failures > 1 else ''}"
        text = f"function {self._name} cannot start: {self._why} ({attempts})"
        return Reason(ReasonCode.FUNCTION_NOT_STARTED, text, since=self._since, next_try=self.next)
