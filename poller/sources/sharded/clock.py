"""The service's clock, as far as its answers tell. Ages are judged by it: ours may be wrong by days."""

TRUNCATED = 2.0
"""Seconds: a Date header leaves out the fraction and is as old as its answer was on its way. A moment that seems
earlier by more than this says that the service's clock was set back."""


class ServiceClock:
    """One stream's service, seen through the dates of its answers."""

    def __init__(self) -> None:
        self._ahead: float | None = None
        """Of the loop's clock."""

    def observe(self, date: float | None, now: float) -> None:
        """An answer of this date arrived at `now`, the loop's time."""
        if date is None:
            return
        ahead = date - now
        if self._ahead is None or not self._ahead - TRUNCATED <= ahead <= self._ahead:
            self._ahead = ahead

    def time(self, now: float) -> float | None:
        """The service's time, epoch seconds, at a moment of the loop's; None before the first answer."""
        return None if self._ahead is None else self._ahead + now
