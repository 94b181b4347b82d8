"""A stream as a set of shards with lineage: what both services have in common."""

import base64
import binascii
import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from poller.policy.positions import inside
from poller.sources.sharded.wakeup import Wakeup
from poller.values.errors import ServiceError
from tests.fakes.queue import loop_time
from tests.fakes.streams.ledger import StreamEntry, StreamLedger
from tests.fakes.streams.shard import TICK, Shard, Stored

HASH_KEYS = 2**128


@dataclass(frozen=True, slots=True)
class Limits:
    """One service's. Bytes and records per read, reads and bytes per second and shard, seconds of an iterator's life."""

    records: int
    bytes: int
    bytes_per_second: float
    iterator_seconds: float


@dataclass(frozen=True, slots=True)
class Cursor:
    """What an iterator says, which is opaque to its holder."""

    stream: str
    epoch: str
    shard: str
    after: int
    issued: float

    def token(self) -> str:
        text = "\n".join((self.stream, self.epoch, self.shard, str(self.after), repr(self.issued)))
        return base64.b64encode(text.encode()).decode()

    @classmethod
    def of(cls, token: str) -> "Cursor":
        """Raises ValueError for what was never issued."""
        try:
            stream, epoch, shard, after, issued = base64.b64decode(token, validate=True).decode().split("\n")
        except binascii.Error:
            raise ValueError("not an iterator") from None
        return cls(stream, epoch, shard, int(after), float(issued))


@dataclass(slots=True)
class Read:
    """What one GetRecords brings."""

    records: list[Stored]
    next: Cursor | None
    behind: float
    """Seconds."""
    children: list[Shard]


@dataclass(eq=False)
class Stream:
    """Everything that happens by itself (trimming, rollover) is caught up with before anything is looked at."""

    arn: str
    name: str
    clock: Callable[[], float]
    numbers: Iterator[int]
    """Of all streams of the service, rising."""
    ledger: StreamLedger
    limits: Limits
    retention: float = 86_400.0
    reads_per_second: int | None = 5
    """Per shard; None for no read limits at all."""
    shards_per_page: int = 100
    """Most in one answer that lists them."""
    status: str = "ACTIVE"
    label: str = ""
    """Tells a stream from another of the same name."""
    empty_pages: float = 0
    """So many of the next reads give nothing although there is something, and move on by nothing."""
    without_iterator: float = 0
    """So many of the next reads that bring nothing more come without a next iterator, though the shard is open."""
    shards: dict[str, Shard] = field(default_factory=dict)
    created_at: float = field(init=False)
    changed: Wakeup = field(default_factory=Wakeup)

    def __post_init__(self) -> None:
        self.created_at = self.clock()

    # what a producer or an operator does

    def open_evenly(self, count: int) -> None:
        bounds = [HASH_KEYS * n // count for n in range(count + 1)]
        for low, high in itertools.pairwise(bounds):
            self._open(range(low, high), self.clock())

    def split(self, shard_id: str) -> tuple[str, str]:
        """In the middle of its hash keys; the ids of the two children."""
        self.catch_up()
        parent, now = self._open_shard(shard_id), self.clock()
        middle = (parent.hashes.start + parent.hashes.stop) // 2
        self._close(parent, now)
        low = self._open(range(parent.hashes.start, middle), now, parent)
        high = self._open(range(middle, parent.hashes.stop), now, parent)
        return low.id, high.id

    def merge(self, shard_id: str, adjacent_id: str) -> str:
        """Two neighbours; the id of the child."""
        self.catch_up()
        one, other, now = self._open_shard(shard_id), self._open_shard(adjacent_id), self.clock()
        low, high = sorted((one, other), key=lambda shard: shard.hashes.start)
        assert low.hashes.stop == high.hashes.start, "only neighbours can be merged"
        self._close(one, now)
        self._close(other, now)
        return self._open(range(low.hashes.start, high.hashes.stop), now, one, other).id

    def open_shards(self) -> list[str]:
        """By hash keys, so that neighbours in this list can be merged."""
        self.catch_up()
        found = [shard for shard in self.shards.values() if shard.last is None]
        return [shard.id for shard in sorted(found, key=lambda shard: shard.hashes.start)]

    def append(self, key: str, make: Callable[[int, float], tuple[int, bytes]], inner_keys: Sequence[str] = ()) -> str:
        """Write a record; `make` gives size and JSON for its number and arrival. Returns its sequence number. An
        aggregate of `inner_keys` is one entry for each of them in the ledger.
        """
        self.catch_up()
        hashed = int.from_bytes(hashlib.md5(key.encode()).digest())
        shard = next(one for one in self.shards.values() if one.last is None and hashed in one.hashes)
        number, now = next(self.numbers), self.clock()
        size, raw = make(number, now)
        shard.records.append(Stored(number, now, size, raw))
        self.changed.notify()
        places = [inside(str(number), index) for index in range(len(inner_keys) - 1)]
        for position, inner in zip([*places, str(number)], inner_keys or (key,), strict=True):
            self.ledger.put(StreamEntry(position, self.arn, shard.id, inner, loop_time()))
        return str(number)

    def trim(self, shard_id: str | None = None, *, keep: int = 0) -> None:
        """At once, whatever the retention: all but the newest `keep` records of one shard, or of each."""
        for shard in [self.shards[shard_id]] if shard_id else self.shards.values():
            if len(shard.records) > keep:
                self._gone(shard.trim(shard.records[-keep].arrival if keep else float("inf")))

    # what the wire asks

    def catch_up(self) -> None:
        """With the clock."""
        horizon = self.clock() - self.retention
        for shard in list(self.shards.values()):
            if shard.records and shard.records[0].arrival < horizon:
                self._gone(shard.trim(horizon))
            if shard.closed_at is not None and shard.closed_at < horizon:
                self._gone(shard.records)
                del self.shards[shard.id]

    def position(self, shard: Shard, kind: str, number: int | None, timestamp: float | None) -> Cursor:
        """An iterator; what may be asked for was checked before."""
        match kind:
            case "TRIM_HORIZON":
                after = shard.trimmed
            case "LATEST":
                after = shard.tip
            case "AT_TIMESTAMP":
                assert timestamp is not None
                after = shard.before_instant(timestamp)
            case _:
                assert number is not None
                after = number if kind == "AFTER_SEQUENCE_NUMBER" else number - 1
        return Cursor(self.arn, self.label, shard.id, after, self.clock())

    def expired(self, cursor: Cursor) -> bool:
        return self.clock() - cursor.issued > self.limits.iterator_seconds + TICK

    def read(self, shard: Shard, after: int, limit: int) -> Read:
        now = self.clock()
        empty = self.empty_pages > 0
        self.empty_pages -= empty
        read = Read([], Cursor(self.arn, self.label, shard.id, after, now), self._behind(shard, after, []), [])
        if not empty:
            read = self.pushed(shard, after, limit, self.limits.bytes)
        elif shard.last is not None and after >= shard.tip:
            return Read([], None, 0.0, shard.children)
        drained = read.next is not None and (not read.records or read.next.after >= shard.tip)
        if drained and self.without_iterator > 0:
            self.without_iterator -= 1
            read.next = None
        if self.reads_per_second is not None:
            shard.read_bytes(now, sum(record.size for record in read.records), self.limits.bytes_per_second)
        return read

    def pushed(self, shard: Shard, after: int, limit: int, most_bytes: int) -> Read:
        """The same of what is pushed, which no limit of reads knows."""
        now = self.clock()
        records = shard.after(after, limit, most_bytes)
        reached = records[-1].sequence if records else after
        if shard.last is not None and reached >= shard.tip:
            return Read(records, None, 0.0, shard.children)
        behind = self._behind(shard, reached, records)
        return Read(records, Cursor(self.arn, self.label, shard.id, reached, now), behind, [])

    async def wait_for_put(self, seconds: float) -> None:
        """Or for anything else that somebody who is pushed records is to be told."""
        await self.changed.wait(seconds)

    # within

    def _behind(self, shard: Shard, reached: int, records: list[Stored]) -> float:
        if reached >= shard.tip:
            return 0.0
        return self.clock() - (records[-1].arrival if records else shard.opened_at)

    def number_of(self, text: str, fault: ServiceError) -> int:
        if not text.isdecimal():
            raise fault
        return int(text)

    def _open(self, hashes: range, now: float, *parents: Shard) -> Shard:
        number = next(self.numbers)
        shard = Shard(self._next_id(now), number, hashes, now, tuple(parent.id for parent in parents), trimmed=number)
        for parent in parents:
            parent.children.append(shard)
        self.shards[shard.id] = shard
        return shard

    def _close(self, shard: Shard, now: float) -> None:
        shard.last, shard.closed_at = next(self.numbers), now
        self.changed.notify()

    def _open_shard(self, shard_id: str) -> Shard:
        shard = self.shards[shard_id]
        assert shard.last is None, f"{shard_id} is closed"
        return shard

    def _gone(self, records: list[Stored]) -> None:
        for record in records:
            self.ledger.trim(str(record.sequence))

    def _next_id(self, now: float) -> str:
        raise NotImplementedError
