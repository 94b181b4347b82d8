"""Estimates the service's clock from its answers. Ages of records need it: the local clock may be wrong by days.

The service has two clocks: one dates its answers, the other dates the arrival of records. They may disagree: a proxy
may date the answers, or a service may send its local time, and then a new record seems hours old. So the dates are
compared with the records: a record that is read N seconds behind the tip arrived N seconds ago. Where the distance to
the tip is not known and the dates disagree with the local clock, the lowest possible age is used.
"""

from math import inf

TRUNCATED = 2.0
"""Seconds by which a Date header may lag: it has no fraction and is as old as the transfer of its answer. A larger step
back means that the service's clock was set back."""
APART = 300.0
"""Most seconds by which the service's dates and the local clock may differ and still agree."""


class ServiceClock:
    """The clock of the service of one stream."""

    def __init__(self) -> None:
        self._ahead: float | None = None
        """Offset of the service's dates from the loop's clock."""
        self._proved = inf
        """Largest possible offset of the arrival clock from the loop's; infinite while it is not known."""
        self._least = -inf
        """Smallest possible offset, because no record is read before it arrives."""
        self._dates_differ = False
        """Whether the dates disagree with the local clock."""

    def observe(self, date: float | None, now: float) -> None:
        """An answer of this date arrived at `now`, the loop's time."""
        if date is None:
            return
        ahead = date - now
        if self._ahead is None or not self._ahead - TRUNCATED <= ahead <= self._ahead:
            self._ahead = ahead

    def arrived(self, arrival: float, now: float, within: float | None, wall: float) -> None:
        """A record was read at `now` that arrived at `arrival` (epoch seconds), at most `within` seconds before; None
        where that is not known. `wall` is the local clock.
        """
        if within is not None:
            self._proved = arrival + within + TRUNCATED - now
        self._least = max(self._least, arrival - now)
        self._dates_differ = self._ahead is not None and abs(self._ahead + now - wall) > APART

    def time(self, now: float) -> float | None:
        """The service's time, epoch seconds, at a moment of the loop's; None before the first answer."""
        return None if self._ahead is None else now + min(self._ahead, self._proved)

    def judging(self, now: float) -> float | None:
        """The same for expiry and the ends of windows: where the clocks disagree, the earliest possible time."""
        if self._ahead is None:
            return None
        if self._proved == inf and self._dates_differ:
            return now + min(self._ahead, self._least)
        return now + min(self._ahead, self._proved)
