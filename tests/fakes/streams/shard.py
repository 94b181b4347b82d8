"""One shard: records in order, a beginning that retention moves, an end once it is closed, and its read limits."""

from bisect import bisect_left, bisect_right
from collections import deque
from dataclasses import dataclass, field
from operator import attrgetter

TICK = 1e-6
"""Seconds by which a timer may fire early: what is due within them is due now."""


@dataclass(frozen=True, slots=True)
class Stored:
    sequence: int
    arrival: float
    """Epoch seconds of the service's clock."""
    size: int
    """Bytes that count against the service's limits."""
    raw: bytes
    """The record's JSON as GetRecords answers it."""


@dataclass(slots=True, eq=False)
class Shard:
    id: str
    first: int
    """StartingSequenceNumber; below every record's."""
    hashes: range
    """Hash keys it takes."""
    opened_at: float
    parents: tuple[str, ...] = ()
    last: int | None = None
    """EndingSequenceNumber of a closed shard; above every record's."""
    closed_at: float | None = None
    children: list["Shard"] = field(default_factory=list)
    records: list[Stored] = field(default_factory=list)
    trimmed: int = 0
    """What is at or below this number is gone."""
    trimmed_records: int = 0
    reads: deque[float] = field(default_factory=deque)
    busy_until: float = 0.0

    def trim(self, horizon: float) -> list[Stored]:
        """Forget what arrived before `horizon`, in order; returns it."""
        count = 0
        while count < len(self.records) and self.records[count].arrival < horizon:
            count += 1
        gone = self.records[:count]
        if gone:
            self.trimmed = gone[-1].sequence
            self.trimmed_records += count
            del self.records[:count]
        return gone

    def after(self, sequence: int, limit: int, most_bytes: int) -> list[Stored]:
        """What one read gives; at least one record if there is any."""
        start = bisect_right(self.records, sequence, key=attrgetter("sequence"))
        chosen: list[Stored] = []
        size = 0
        for record in self.records[start : start + limit]:
            size += record.size
            if chosen and size > most_bytes:
                break
            chosen.append(record)
        return chosen

    def holds(self, sequence: int) -> bool:
        """Whether this number was given to a record that is still here."""
        index = bisect_left(self.records, sequence, key=attrgetter("sequence"))
        return index < len(self.records) and self.records[index].sequence == sequence

    def before_instant(self, timestamp: float) -> int:
        """The number after which the first record of that instant or later comes."""
        before = self.trimmed
        for record in self.records:
            if record.arrival >= timestamp - TICK:
                break
            before = record.sequence
        return before

    @property
    def tip(self) -> int:
        """The newest record's number, or what it would follow."""
        return self.records[-1].sequence if self.records else self.trimmed

    def may_read(self, now: float, per_second: int | None) -> bool:
        """Count a read of now against the limit of reads in any second, and of the bytes read before."""
        if per_second is None:
            return True
        while self.reads and self.reads[0] <= now - 1 + TICK:
            self.reads.popleft()
        if len(self.reads) >= per_second or self.busy_until > now + 1 + TICK:
            return False
        self.reads.append(now)
        return True

    def read_bytes(self, now: float, size: int, per_second: float) -> None:
        self.busy_until = max(now, self.busy_until) + size / per_second
