"""Estimates how fast a lag grows, and when it will be gone at that rate: for people, not for decisions."""

from collections import deque

LOOKS_BACK = 300.0
"""Seconds over which the rate is measured: longer than single batches, short enough to show a change."""
APART = 10.0
"""Minimum of seconds between two samples, and for which the rate is measured before it says anything."""


class Trend:
    """Samples of one measure of the lag, records or seconds."""

    __slots__ = ("_samples",)

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque()

    def sample(self, now: float, lag: float | None, *, in_seconds: bool = False) -> None:
        """Add a sample; None (lag not known) starts again. A lag that is measured `in_seconds` grows by no more than
        the seconds that pass, so one that is longer than that is another lag, and starts again too.
        """
        samples = self._samples
        if lag is None or (in_seconds and samples and lag - samples[-1][1] > now - samples[-1][0] + APART):
            samples.clear()
        if lag is None:
            return
        if len(samples) > 1 and now - samples[-2][0] < APART:
            samples.pop()
        samples.append((now, lag))
        while now - samples[0][0] > LOOKS_BACK:
            samples.popleft()

    def begin_anew(self) -> None:
        """What is measured from now on is another lag: a position was moved, or other shards are read."""
        self._samples.clear()

    @property
    def growth(self) -> float | None:
        """By how much the measure grows each second; None while that is not known."""
        if not self._samples:
            return None
        (since, first), (now, last) = self._samples[0], self._samples[-1]
        return (last - first) / (now - since) if now - since >= APART else None

    @property
    def drained_in(self) -> float | None:
        """Seconds until the lag is gone at its present rate; None while it does not shrink or is not known."""
        if not self._samples:
            return None
        last, growth = self._samples[-1][1], self.growth
        if not last:
            return 0.0
        return last / -growth if growth is not None and growth < 0 else None
