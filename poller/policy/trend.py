"""Estimates when a lag will be gone at its present rate: for people, not for decisions."""

from collections import deque

LOOKS_BACK = 300.0
"""Seconds over which the rate is measured: longer than single batches, short enough to show a change."""
APART = 10.0
"""Minimum of seconds between two samples."""


class Trend:
    """Samples of one measure of the lag, records or seconds."""

    __slots__ = ("_samples",)

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque()

    def sample(self, now: float, lag: float | None) -> None:
        """Add a sample; None (lag not known) starts again."""
        samples = self._samples
        if lag is None:
            samples.clear()
            return
        if len(samples) > 1 and now - samples[-2][0] < APART:
            samples.pop()
        samples.append((now, lag))
        while now - samples[0][0] > LOOKS_BACK:
            samples.popleft()

    @property
    def growth(self) -> float | None:
        """By how much the measure grows each second; None while that is not known."""
        if not self._samples:
            return None
        (since, first), (now, last) = self._samples[0], self._samples[-1]
        return (last - first) / (now - since) if now > since else None

    @property
    def drained_in(self) -> float | None:
        """Seconds until the lag is gone at its present rate; None while it does not shrink or is not known."""
        if not self._samples:
            return None
        first, since = self._samples[0][1], self._samples[0][0]
        last, now = self._samples[-1][1], self._samples[-1][0]
        if not last:
            return 0.0
        if last >= first:
            return None
        return last * (now - since) / (first - last)
