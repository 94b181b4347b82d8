"""Says when a mapping will lose data at its present pace, and what would save it, from measured rates.

A lag that grows by g seconds each second means that the work done in a second is that of 1 - g seconds of the source:
the mapping has to become 1 / (1 - g) times as fast to keep up. For a backlog in records the same follows from the rates
of what comes and what is done.
"""

from dataclasses import dataclass
from math import ceil, inf

STANDS_STILL = 0.98
"""Growth of a lag in seconds per second above which its oldest record stays the same, so that no lane would help."""
MOST_FACTOR = 100.0
"""Above it the measurement says only that nearly nothing is done."""


@dataclass(frozen=True, slots=True)
class Rescue:
    """What a mapping that falls behind needs."""

    lost_in: float | None
    """Seconds until the oldest record expires at the source; None where no loss is in sight."""
    factor: float
    """How many times as fast it has to be to keep up; 1 for one that keeps up, infinite where its oldest record stays
    the same.
    """
    lanes: int
    """Lanes that would keep up, each as fast as now; the present number where lanes do not help."""
    seconds_per_record: float | None
    """The same with the present lanes: the most that one record may take. None where it is not known."""
    seconds_now: float | None
    """What one record takes now."""


def rescue(
    *, growth: float | None, in_seconds: bool, done: float | None, expires_in: float | None, lanes: int
) -> Rescue:
    """`growth` of the lag per second, in seconds of the source where `in_seconds`, else in records; `done` records per
    second; `lanes` that work now.
    """
    if growth is not None and in_seconds:
        # standing still costs a second each second, and nothing costs more
        growth = min(growth, 1.0)
    factor = 1.0
    if growth is not None and growth > 0:
        factor = _of_seconds(growth) if in_seconds else _of_records(growth, done)
    lost_in = None
    if in_seconds and growth is not None and growth > 0 and expires_in is not None:
        lost_in = expires_in / growth
    helps = 1.0 < factor <= MOST_FACTOR
    now = lanes / done if done and lanes else None
    return Rescue(
        lost_in,
        factor,
        ceil(lanes * factor - 1e-9) if helps else lanes,
        now / factor if now is not None and helps else None,
        now,
    )


def _of_seconds(growth: float) -> float:
    return inf if growth >= STANDS_STILL else 1 / (1 - growth)


def _of_records(growth: float, done: float | None) -> float:
    return inf if not done else (done + growth) / done
