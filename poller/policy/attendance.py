"""Which daemons of a fleet poll a queue: all of them, unless one shows that it takes everything by itself.

A daemon attends a queue while its receives are answered, and nothing has kept it from receiving for a while. Those that
come after it in the queue's own order then rest. Each rests on evidence alone, which ends by itself: the first in the
order never rests, and a daemon that cannot read what the others say polls. That two poll at once costs calls, and
nothing else.
"""

from collections.abc import Collection
from dataclasses import dataclass
from math import inf

from poller.policy.shard_plan import weight

CALM_SECONDS = 30.0
"""For which nothing must have kept a daemon from receiving, before it attends. Longer than a long poll, and long enough
that a queue with bursts does not have the daemons tell each other all the time.
"""
GAP_SECONDS = 1.5
"""Longest time without a receive that counts as receiving all the time: all lanes may be busy for a moment, and a
service that answers at once is asked once a second.
"""
ANSWERED_SECONDS = 45.0
"""Within which a receive must have been answered: a long poll takes 20 s."""


@dataclass(slots=True)
class Attendance:
    """Whether a daemon attends a queue. Times are the loop's."""

    hindered_at: float
    """When something last kept it from receiving; at first when it began."""
    answered_at: float = -inf
    idle_since: float = -inf
    """Since when no receive waits for its answer."""
    running: int = 0
    """Receives that wait for their answers."""

    def began(self, now: float) -> None:
        """A receive is sent."""
        self._look(now)
        self.running += 1

    def ended(self, now: float, *, answered: bool) -> None:
        """It was answered, or is over without an answer."""
        self.running -= 1
        self.idle_since = now
        if answered:
            self.answered_at = now
        else:
            self.hindered(now)

    def hindered(self, now: float) -> None:
        """Something keeps the daemon from taking all that the queue has."""
        self.hindered_at = now

    def _look(self, now: float) -> None:
        if not self.running and now - self.idle_since >= GAP_SECONDS:
            self.hindered(now)

    def attends(self, now: float) -> bool:
        """Whether the others can rest."""
        self._look(now)
        answered = self.answered_at > self.hindered_at and now - self.answered_at <= ANSWERED_SECONDS
        return answered and now - self.hindered_at >= CALM_SECONDS


def before(me: str, members: Collection[str], uuid: str) -> list[str]:
    """Those of the members that come before `me` in the order of a queue's mapping, in which the first one polls."""
    return [member for member in members if weight(member, uuid) > weight(me, uuid)]
