"""Counts observed values in buckets, with the bounds of the metrics."""

from bisect import bisect_left

DURATION_BOUNDS = (
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    120.0,
    300.0,
    600.0,
    900.0,
)
"""Seconds; the last bound is Lambda's longest timeout."""
BATCH_SIZE_BOUNDS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10000.0)
"""Records; the last bound is the largest batch size that AWS allows."""


class Histogram:
    """Counts per bucket, not cumulated; the last bucket takes values above every bound."""

    __slots__ = ("bounds", "buckets", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.buckets = [0] * (len(bounds) + 1)
        self.total = 0.0
        """Sum of all observed values."""

    def observe(self, value: float) -> None:
        """Count a value into the first bucket whose bound is not below it."""
        self.buckets[bisect_left(self.bounds, value)] += 1
        self.total += value
