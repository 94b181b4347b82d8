"""The circuit breaker of one function: after several refusals in a row, only one probe at a time may invoke it.

The circuit opens for functions that are unreachable or refuse, never for functions that fail: those were invoked. All
mappings of a function share its circuit; while it is open, it replaces every batch's own wait.

    closed -> refusals in a row -> open until the probe's time -> a probe -> refused: open again, for longer
                                                                        -> anything else: closed
"""

from dataclasses import dataclass

from poller.policy.backoff import TIMERS_EARLY, Chance
from poller.policy.response import NotInvoked

OPENS_AFTER = 5
"""Refusals in a row. A rare throttle is no reason to stop; a single lane reaches this number in about 10 s."""
SOONEST = 1.0
"""Minimum of seconds until the first probe; short, because most outages are short."""
LONGEST = 60.0
"""Maximum of seconds between two probes."""
LONGEST_ADVICE = 3600.0
"""Cap on Retry-After in seconds: the outage may end sooner."""
THROUGH_AFTER = 30.0
"""Seconds after which a running invocation has reached the function: waiting for a connection and opening it take
20."""


@dataclass(slots=True)
class Circuit:
    """State machine: asked before each invocation, and informed of each outcome. `now` is the loop's time."""

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
    """Number of the running probe; 0 for none."""

    def admits(self, now: float) -> bool:
        """Whether an invocation may begin."""
        return self.opened_at is None or (not self._probing and now >= self.probe_at - TIMERS_EARLY)

    @property
    def calm(self) -> bool:
        """Whether it is closed, and the last outcome was not a refusal."""
        return self.opened_at is None and not self._refusals

    def hasten(self, now: float) -> None:
        """The next probe need not wait any longer: a person says that the function is there again."""
        self.probe_at = min(self.probe_at, now)

    def opens_in(self, now: float) -> float:
        """Seconds after which `admits` may answer differently, unless the circuit closes before."""
        return LONGEST if self._probing else max(0.0, self.probe_at - now)

    def begin(self) -> int:
        """An admitted invocation begins. Returns the probe's number, or 0 for any other invocation."""
        if self.opened_at is None:
            return 0
        self._probes += 1
        self._probing = self._probes
        return self._probing

    def reached(self) -> bool:
        """The function was invoked, with any outcome. Returns whether this closes the circuit."""
        was_open = self.opened_at is not None
        self.opened_at = None
        self._refusals = self._probing = 0
        return was_open

    def refused(self, refusal: NotInvoked, now: float, chance: Chance, probe: int) -> bool:
        """The function could not be invoked. Returns whether the circuit opens, or stays open for another pause."""
        if self.opened_at is None:
            self._refusals += 1
            if self._refusals == 1:
                self.refused_since = now
            if self._refusals < OPENS_AFTER:
                return False
            self.opened_at = now
        elif not self.is_probe(probe):
            # begun before the circuit opened, so this refusal brings no news
            return False
        self._probing = 0
        self.why = refusal
        self.probe_at = now + (self._advised(refusal) or self._pause(now, chance))
        return True

    def _advised(self, refusal: NotInvoked) -> float:
        """Seconds of Retry-After, capped; 0 counts as none."""
        return min(refusal.retry_after or 0.0, LONGEST_ADVICE)

    def _pause(self, now: float, chance: Chance) -> float:
        """The time since the first refusal, with jitter: so pauses double, whatever the batches' own waits had
        reached.
        """
        full = min(LONGEST, max(SOONEST, now - self.refused_since))
        return full * (0.5 + 0.5 * chance())

    def abandoned(self, now: float, probe: int) -> bool:
        """An invocation was cancelled. Returns whether it was the probe; then another invocation may be the probe."""
        if not self.is_probe(probe):
            return False
        self._probing = 0
        self.probe_at = now
        return True

    def is_probe(self, probe: int) -> bool:
        """Whether this is the number of the running probe."""
        return probe != 0 and probe == self._probing
