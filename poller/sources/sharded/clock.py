"""The service's clock, as far as its answers tell. Ages are judged by it: ours may be wrong by days.

Two clocks of the service meet here: the one that dates its answers, and the one by which records arrive. A proxy may
date the answers, or a service write its local time; then a record that has just arrived seems hours old. So the dates
are held against what is read: a record that is read so many seconds behind the tip arrived that long ago. Where nothing
tells that, and the dates disagree with our own clock as well, a record is taken to be no older than it must be.
"""

from math import inf

TRUNCATED = 2.0
"""Seconds: a Date header leaves out the fraction and is as old as its answer was on its way. A moment that seems
earlier by more than this says that the service's clock was set back."""
APART = 300.0
"""Seconds by which the service's dates and our own clock may differ and still bear each other out."""


class ServiceClock:
    """One stream's service, seen through the dates of its answers."""

    def __init__(self) -> None:
        self._ahead: float | None = None
        """The service's dates, of the loop's clock."""
        self._proved = inf
        """What the clock of arrivals is ahead of the loop's at the most; infinite while nothing tells."""
        self._least = -inf
        """What it is ahead at the least, since records do not arrive before their time."""
        self._dates_differ = False
        """Whether the dates disagree with our own clock."""

    def observe(self, date: float | None, now: float) -> None:
        """An answer of this date arrived at `now`, the loop's time."""
        if date is None:
            return
        ahead = date - now
        if self._ahead is None or not self._ahead - TRUNCATED <= ahead <= self._ahead:
            self._ahead = ahead

    def arrived(self, arrival: float, now: float, within: float | None, wall: float) -> None:
        """A record was read at `now` that arrived at `arrival` (epoch seconds), at most `within` seconds before; None
        where that is not known. `wall` is our own clock.
        """
        if within is not None:
            self._proved = arrival + within + TRUNCATED - now
        self._least = max(self._least, arrival - now)
        self._dates_differ = self._ahead is not None and abs(self._ahead + now - wall) > APART

    def time(self, now: float) -> float | None:
        """The service's time, epoch seconds, at a moment of the loop's; None before the first answer."""
        return None if self._ahead is None else now + min(self._ahead, self._proved)

    def judging(self, now: float) -> float | None:
        """The same for what ends a record or a window: where the time is in doubt, the earliest that it can be."""
        if self._ahead is None:
            return None
        if self._proved == inf and self._dates_differ:
            return now + min(self._ahead, self._least)
        return now + min(self._ahead, self._proved)
