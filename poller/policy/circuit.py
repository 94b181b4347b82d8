"""Whether a function that could not be invoked is tried again now: after refusals in a row, only by a probe at a time.

It opens for functions that cannot be reached or refuse, never for functions that fail: those were invoked. One circuit
stands for one function, whoever uses it; while it is open it takes the place of every batch's own wait.

    closed -> refusals in a row -> open until the probe's time -> a probe -> refused: open again, for longer
                                                                        -> anything else: closed
"""

from dataclasses import dataclass

from poller.policy.backoff import TIMERS_EARLY, Chance
from poller.policy.response import NotInvoked

OPENS_AFTER = 5
"""Refusals in a row. A throttle now and then is no reason to stop, and a lane alone gets there in some ten seconds."""
SOONEST = 1.0
"""Seconds until the first probe at the least, since most outages are short."""
LONGEST = 60.0
"""Seconds between two probes at the most."""
LONGEST_ADVICE = 3600.0
"""Seconds of a Retry-After that are believed: whoever wrote more may have mended it before."""
THROUGH_AFTER = 30.0
"""Seconds after which an invocation that runs is no longer refused: finding a connection and opening it take 20."""


@dataclass(slots=True)
class Circuit:
    """Asked before each invocation, told how it ended. `now` is the loop's time."""

    opened_at: float | None = None
    """None while it is closed."""
    probe_at: float = 0.0
    why: NotInvoked | None = None
    """The last refusal that opened it, or kept it open."""
    refused_since: float = 0.0
    """When the refusals in a row began."""
    _refusals: int = 0
    _probes: int = 0
    _probing: int = 0
    """Number of the probe under way; 0 for none."""

    def admits(self, now: float) -> bool:
        """Whether an invocation may begin."""
        return self.opened_at is None or (not self._probing and now >= self.probe_at - TIMERS_EARLY)

    @property
    def calm(self) -> bool:
        """Whether it is closed, and the last that was heard is no refusal."""
        return self.opened_at is None and not self._refusals

    def opens_in(self, now: float) -> float:
        """Seconds after which it is worth asking again; closing comes as a surprise."""
        return LONGEST if self._probing else max(0.0, self.probe_at - now)

    def begin(self) -> int:
        """An invocation that was admitted begins. A number if it is the probe, else 0."""
        if self.opened_at is None:
            return 0
        self._probes += 1
        self._probing = self._probes
        return self._probing

    def reached(self) -> bool:
        """The function was invoked, however that ended. Says whether this closes the circuit."""
        was_open = self.opened_at is not None
        self.opened_at = None
        self._refusals = self._probing = 0
        return was_open

    def refused(self, refusal: NotInvoked, now: float, chance: Chance, probe: int) -> bool:
        """The function could not be invoked. Says whether the circuit opens, or stays open for another while."""
        if self.opened_at is None:
            self._refusals += 1
            if self._refusals == 1:
                self.refused_since = now
            if self._refusals < OPENS_AFTER:
                return False
            self.opened_at = now
        elif not self.is_probe(probe):
            # begun before it opened: that is known already
            return False
        self._probing = 0
        self.why = refusal
        self.probe_at = now + (self._advised(refusal) or self._pause(now, chance))
        return True

    def _advised(self, refusal: NotInvoked) -> float:
        """A Retry-After of 0 is no advice."""
        return min(refusal.retry_after or 0.0, LONGEST_ADVICE)

    def _pause(self, now: float, chance: Chance) -> float:
        """Nearly as long again as it has been refused: so pauses double, wherever batches had come to by themselves."""
        full = min(LONGEST, max(SOONEST, now - self.refused_since))
        return full * (0.5 + 0.5 * chance())

    def abandoned(self, now: float, probe: int) -> bool:
        """An invocation was cancelled. Says whether it was the probe, so that somebody else may be it."""
        if not self.is_probe(probe):
            return False
        self._probing = 0
        self.probe_at = now
        return True

    def is_probe(self, probe: int) -> bool:
        """Whether this number is of the probe under way."""
        return probe != 0 and probe == self._probing
