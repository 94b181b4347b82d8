"""Decides when a batch closes: when its count, window or payload limit is reached first. It has no clock and never
waits.

A window begins when the previous invocation completed. When a window ends empty, the next one begins at once, so a
record never waits longer than one window.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

from poller.policy.backoff import TIMERS_EARLY
from poller.values.limits import SYNCHRONOUS_PAYLOAD_BYTES
from poller.values.record import Record

ENVELOPE_BYTES = len(b'{"Records":[]}')
SEPARATOR_BYTES = len(b",")

Measure = Callable[[Sequence[Record]], int]
"""Returns the exact length of the event for these records, of which there may be none. It costs an encoding pass, so it
is called only when the bound could exceed the limit."""


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """The limits of one batch."""

    batch_size: int = 10
    window: float = 0.0
    """Seconds; 0 closes the batch as soon as it holds a record."""
    payload: int = SYNCHRONOUS_PAYLOAD_BYTES
    """Bytes."""
    shortest_wait: float = 0.0
    """Seconds below which the rest of a window is not worth another receive: the batch closes."""


class BatchBuffer:
    """Gathers the records of the next batch of one lane.

    `add` returns the records that do not fit (by count or payload); the caller keeps them for the next batch. `bound`
    is an upper bound for the added records' part of the event; the size of their page gives it for free.
    """

    __slots__ = ("_bound", "_closed", "_exact", "_full", "_limits", "_measure", "_window_start", "records")

    def __init__(self, limits: BatchLimits, measure: Measure, now: float) -> None:
        self._limits = limits
        self._measure = measure
        self._window_start = now
        self.records: list[Record] = []
        self._bound = ENVELOPE_BYTES
        self._exact = True
        self._full = False
        self._closed = False

    @property
    def room(self) -> int:
        """How many more records fit by count."""
        return 0 if self._full else self._limits.batch_size - len(self.records)

    def add(self, records: Sequence[Record], bound: int, now: float) -> Sequence[Record]:
        """Add the records that fit, in order, and return the rest."""
        if not self.records and self._limits.window:
            self._window_start = now - (now - self._window_start) % self._limits.window
        fitting = records[: self.room]
        total = self._bound + bound
        if total <= self._limits.payload:
            self.records.extend(fitting)
            self._bound, self._exact = total, False
        else:
            fitting = self._add_measured(fitting)
        rest = records[len(fitting) :]
        if rest or len(self.records) >= self._limits.batch_size:
            self._full = True
        return rest

    def _add_measured(self, records: Sequence[Record]) -> Sequence[Record]:
        # an event may hold more than its records, so even an empty one is measured
        envelope = self._measure(())
        if not (self._exact and self.records):
            self._bound, self._exact = self._measure(self.records), True
        for count, record in enumerate(records):
            size = self._measure([record]) - envelope + (SEPARATOR_BYTES if self.records else 0)
            if self.records and self._bound + size > self._limits.payload:
                return records[:count]
            # a single record over the limit is still a batch of its own, so that its failure is handled and not hidden
            self.records.append(record)
            self._bound += size
        return records

    def closes_in(self, now: float) -> float:
        """Seconds until the open batch is due; 0 when it is due now, infinite while it is empty."""
        if self._closed:
            return 0.0
        if not self.records:
            return inf
        if self._full or not self._limits.window:
            return 0.0
        left = self._window_start + self._limits.window - now
        return left if left > TIMERS_EARLY and left >= self._limits.shortest_wait else 0.0

    def close(self) -> None:
        """Make the batch due now, even an empty one."""
        self._closed = True

    def take(self) -> list[Record]:
        """Return the gathered records, in order, and empty the buffer."""
        taken, self.records = self.records, []
        self._bound, self._exact, self._full, self._closed = ENVELOPE_BYTES, True, False, False
        return taken

    def invocation_completed(self, now: float) -> None:
        """Begin the next window."""
        self._window_start = now
