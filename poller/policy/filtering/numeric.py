"""Numbers as the pattern engine compares them, and a table that answers many comparisons with one search.

The engine compares numbers by value (300, 300.0 and 3.0e2 are one number) as long as a 64-bit float holds the decimal
exactly as written. Any other number (`12345678901234567890`, `0.1234567890123456789`, `1e400`) can only be compared
with the very same text: no range holds it, and every `anything-but` accepts it. This file knows nothing of patterns.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from math import isinf

# Every integer up to here is a float of its own.
EXACT = 2**53


@dataclass(frozen=True, slots=True)
class RawNumber:
    """A number that no float holds exactly: equal to the same text only."""

    text: str


def parse_float(text: str) -> float | RawNumber:
    """A JSON number with a fraction or an exponent; the `parse_float` hook of the json module."""
    value = float(text)
    # Up to 15 significant digits and no exponent always survive the way into a float and back.
    if len(text) <= 16 and "e" not in text and "E" not in text:
        return value
    if isinf(value):
        return RawNumber(text)
    try:
        return value if Decimal(repr(value)) == Decimal(text) else RawNumber(text)
    except InvalidOperation:  # an exponent of twenty digits
        return RawNumber(text)


def comparable(value: float) -> float | RawNumber:
    """The number as `StepTable.at` takes it."""
    if type(value) is not int or -EXACT <= value <= EXACT:
        return value
    try:
        same = Decimal(repr(float(value))) == value
    except OverflowError:
        same = False
    return value if same else RawNumber(str(value))


@dataclass(frozen=True, slots=True)
class Interval:
    """All numbers from `low` to `high`; None is without bound. A single number is both bounds, closed."""

    low: float | None
    high: float | None
    low_open: bool = False
    high_open: bool = False


class StepTable:
    """For any number: the bits of all intervals that hold it, in one binary search however many there are."""

    __slots__ = ("_between", "_on", "_points", "lookup")

    def __init__(self, intervals: Iterable[tuple[Interval, int]]) -> None:
        given = list(intervals)
        bounds = {bound for interval, _ in given for bound in (interval.low, interval.high) if bound is not None}
        self._points = sorted(bounds)
        self._on = [0] * len(self._points)
        self._between = [0] * (len(self._points) + 1)
        for interval, bits in given:
            self._mark(interval, bits)
        # where all intervals are single numbers there is nothing to search
        single: dict[float, int] = dict(zip(self._points, self._on, strict=True))
        self.lookup: Callable[[float], int] = self.at if any(self._between) else lambda value: single.get(value, 0)
        """As `at`, the fastest way."""

    def at(self, value: float) -> int:
        place = bisect_left(self._points, value)
        if place < len(self._points) and self._points[place] == value:
            return self._on[place]
        return self._between[place]

    def _mark(self, interval: Interval, bits: int) -> None:
        first = 0 if interval.low is None else bisect_left(self._points, interval.low)
        last = len(self._points) if interval.high is None else bisect_left(self._points, interval.high)
        for place in range(first + (interval.low is not None), last + 1):
            self._between[place] |= bits
        for place in range(first + interval.low_open, min(last + 1 - interval.high_open, len(self._points))):
            self._on[place] |= bits
