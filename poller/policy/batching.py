"""When a batch closes: at the first of count, window and payload. It has no clock and waits for nothing.

A window begins when the previous invocation completed. One that ends with nothing gathered is followed by the next at
once, so a record never waits longer than one window.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

from poller.policy.backoff import TIMERS_EARLY
from poller.values.record import Record

PAYLOAD_LIMIT = 6_291_456
"""Bytes of one synchronous invocation's event: 6 MB, as the Invoke API counts them."""

ENVELOPE_BYTES = len(b'{"Records":[]}')
SEPARATOR_BYTES = len(b",")

Measure = Callable[[Sequence[Record]], int]
"""Gives the exact length of the event these records would make, or none at all. Costs an encoding pass, so it is asked
for only when the bound could pass the limit."""


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """What one invocation may hold."""

    batch_size: int = 10
    window: float = 0.0
    """Seconds; 0 closes the batch as soon as anything is there."""
    payload: int = PAYLOAD_LIMIT
    shortest_wait: float = 0.0
    """Seconds below which the rest of a window is not worth another receive: the batch closes."""


class BatchBuffer:
    """Gathers the records of the next batch of one lane.

    `add` returns what found no place (count or payload); the caller keeps it for the next batch. `bound` is an upper
    bound of the added records' part of the event, cheap to have from the page they came in.
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
        """Take what fits, in order, and return the rest."""
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
            # A record over the limit all by itself still makes a batch of its own: its failure is judged, not hidden
            self.records.append(record)
            self._bound += size
        return records

    def closes_in(self, now: float) -> float:
        """Seconds until the open batch is due; 0 when it is due now, infinite with nothing gathered."""
        if self._closed:
            return 0.0
        if not self.records:
            return inf
        if self._full or not self._limits.window:
            return 0.0
        left = self._window_start + self._limits.window - now
        return left if left > TIMERS_EARLY and left >= self._limits.shortest_wait else 0.0

    def close(self) -> None:
        """The batch is due now, whatever it holds, nothing included."""
        self._closed = True

    def take(self) -> list[Record]:
        """The gathered records, in order; the buffer is empty after."""
        taken, self.records = self.records, []
        self._bound, self._exact, self._full, self._closed = ENVELOPE_BYTES, True, False, False
        return taken

    def invocation_completed(self, now: float) -> None:
        """The next window begins."""
        self._window_start = now
