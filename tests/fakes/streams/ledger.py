"""The exact account of every record written to the fake streams: how often delivered, in which order, whether gone."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import attrgetter

from poller.policy.positions import inside, place


@dataclass(slots=True, eq=False)
class StreamEntry:
    """Times are those of the event loop."""

    sequence_number: str
    """Of a record inside an aggregate, its position."""
    stream: str
    """ARN."""
    shard: str
    key: str
    put: float
    invoked: list[float] = field(default_factory=list)
    succeeded: list[float] = field(default_factory=list)
    """When the function had done it, whether or not the answer arrived."""
    proved: list[float] = field(default_factory=list)
    """When a success was handed to the caller."""
    discarded: list[float] = field(default_factory=list)
    """When a destination took it; a test that has one notes it."""
    trimmed: bool = False
    """Gone from the stream."""
    place: tuple[int, float] = field(init=False)
    """Of the sequence number, which is looked for often."""

    def __post_init__(self) -> None:
        self.place = place(self.sequence_number)

    @property
    def done(self) -> float | None:
        """When it first succeeded or was discarded."""
        if not self.succeeded:
            return self.discarded[0] if self.discarded else None
        return min(self.succeeded[0], self.discarded[0]) if self.discarded else self.succeeded[0]


PLACE = attrgetter("place")


class StreamLedger:
    """Sequence numbers are unique in an account here, so that they name a record alone."""

    def __init__(self) -> None:
        self.entries: dict[str, StreamEntry] = {}
        self.disordered: set[str] = set()
        """Keys of which one invocation held records in another order than theirs."""
        self.overlapping: set[str] = set()
        """Keys of which a record was invoked for the first time before all earlier ones were done."""
        self._by_key: dict[str, list[StreamEntry]] = defaultdict(list)
        self._by_shard: dict[tuple[str, str], list[StreamEntry]] = defaultdict(list)

    def __getitem__(self, sequence_number: str) -> StreamEntry:
        return self.entries[sequence_number]

    def put(self, entry: StreamEntry) -> None:
        """Each stream's in the order of their numbers."""
        self.entries[entry.sequence_number] = entry
        self._by_key[f"{entry.stream}:{entry.key}"].append(entry)
        self._by_shard[entry.stream, entry.shard].append(entry)

    def trim(self, sequence_number: str) -> None:
        """Gone from its stream, with all that is inside."""
        entry = self.entries[sequence_number]
        for one in self.between(entry.stream, entry.shard, inside(sequence_number, 0), sequence_number):
            one.trimmed = True

    def note(self, what: str, sequence_numbers: Iterable[str], now: float) -> None:
        """Add `now` to the list called `what` of each record that is known; others are no record of ours."""
        known = [self.entries[number] for number in sequence_numbers if number in self.entries]
        if what == "invoked":
            self._watch_order(known)
        for entry in known:
            getattr(entry, what).append(now)

    def _watch_order(self, batch: list[StreamEntry]) -> None:
        newest: dict[str, tuple[int, float]] = {}
        together = {id(entry) for entry in batch}
        for entry in batch:
            key = f"{entry.stream}:{entry.key}"
            number = entry.place
            if key in newest and newest[key] >= number:
                self.disordered.add(key)
            newest[key] = number
            if not entry.invoked:
                entries = self._by_key[key]
                for index in range(bisect_left(entries, number, key=PLACE) - 1, -1, -1):
                    earlier = entries[index]
                    if id(earlier) in together:
                        continue
                    if earlier.done is None and not earlier.trimmed and earlier.invoked:
                        self.overlapping.add(key)
                    break

    def between(self, stream: str, shard: str, first: str, last: str) -> list[StreamEntry]:
        """A shard's records from `first` to `last`, both included."""
        entries = self._by_shard[stream, shard]
        start = bisect_left(entries, place(first), key=PLACE)
        end = bisect_right(entries, place(last), key=PLACE)
        return entries[start:end]

    def lost(self, stream: str | None = None) -> set[str]:
        """Neither succeeded nor discarded. At the end of a test: nothing tells what is only not yet read."""
        return {
            number
            for number, entry in self.entries.items()
            if entry.done is None and (stream is None or entry.stream == stream)
        }

    def repeated(self) -> set[str]:
        """Succeeded more than once."""
        return {number for number, entry in self.entries.items() if len(entry.succeeded) > 1}

    def delivered_after_success(self) -> set[str]:
        """Invoked again although a success had been handed to the caller before."""
        return {
            number
            for number, entry in self.entries.items()
            if entry.proved and any(at > entry.proved[0] for at in entry.invoked)
        }

    def out_of_order(self) -> set[str]:
        """Keys, behind their stream's ARN, whose records were not done in their order, or overlapped."""
        found = self.disordered | self.overlapping
        for key, entries in self._by_key.items():
            times = [entry.done for entry in entries if entry.done is not None]
            if times != sorted(times):
                found.add(key)
        return found
