"""Deals what is read to the lanes: by a stable hash of each record's key, and nothing a lane has settled before.

Read again is what lies behind the lane that is furthest back; what the others settled in an earlier life, what was
created before the mapping's start, what does not match the filter criteria, and what comes after the record at which
keys are dealt anew, is nobody's.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any
from zlib import crc32

from poller.policy.filtering import Verdict
from poller.policy.frontier import at_or_below
from poller.policy.positions import is_inside
from poller.policy.progress import ShardProgress
from poller.record import Record
from poller.sources.sharded.lane import StreamLane
from poller.sources.sharded.stream import Stream

DISORDER = 60.0
"""Seconds within which creation times need not rise. Beyond them no record is older than the start any more."""


INNER_BYTES = 512
"""Bytes that a record taken out of an aggregate takes here beside its data, measured: a page of tiny ones is large."""


class Dealing:
    """Between one shard's reader and its lanes."""

    def __init__(
        self, stream: Stream, shard_id: str, progress: ShardProgress, lanes: Sequence[StreamLane], until: str | None
    ) -> None:
        """`until` is the last record wanted, None for all."""
        self.read_to = progress.position
        """Position of the last record dealt to any lane, or passed over."""
        self.read_from: str | None = None
        """Sequence number of the first record read, whoever's it was."""
        self.skipped = 0
        """Records of the last page that did not match."""
        self._stream = stream
        self._shard_id = shard_id
        self._judge = None if stream.criteria is None else stream.api.judge(stream.criteria, shard_id)
        self._lanes = lanes
        self._until = until
        self._furthest = progress.furthest
        self._start = stream.passed_over_before(progress)
        partly = self.read_to is not None and is_inside(self.read_to)
        self._careful = until is not None or self._furthest != self.read_to or bool(self._start) or partly

    @property
    def complete(self) -> bool:
        """Whether everything wanted was read."""
        return self._until is not None and at_or_below(self._until, self.read_to)

    def deal(self, items: Sequence[Any], size: int) -> int:
        """The items of the next page, which has so many bytes. Returns the bytes that are held of it now."""
        self.skipped = 0
        api = self._stream.api
        self.read_from = self.read_from or api.sequence_number(items[0])
        found = api.taken_apart(items)
        share, bound = size // len(items) + 1, size + api.record_overhead * len(items)
        if found is not items:
            share, bound = size // len(found) + INNER_BYTES, api.bound(found)
        position = api.position
        read_to: str | None = position(found[-1])
        if self._careful:
            found, read_to = self._wanted([Record(item, position(item)) for item in found])
        self._stream.status.account.polled += len(found)
        if self._judge is not None and len(matching := self._matching(found, self._judge)) < len(found):
            # a bound from the whole page would make lanes measure what is well within their limits
            found, bound = matching, api.bound(matching)
        records = [Record(item, position(item), None, share) for item in found]
        self._to_lanes(records, bound)
        # only now: the watermark of a lane without records follows it
        self.read_to = read_to
        for lane in self._lanes:
            if lane.waits_for_stored:
                lane.bell.ring()
        return share * len(records)

    def _wanted(self, records: list[Record]) -> tuple[Sequence[Any], str | None]:
        account, read_to = self._stream.status.account, self.read_to
        wanted = []
        for record in records:
            if self._until is not None and not at_or_below(record.identifier, self._until):
                read_to = self._until
                break
            read_to = record.identifier
            if self._start and self._stream.arrival(record) < self._start:
                account.polled += 1
                account.before_start += 1
            elif not self._lanes[self._lane_of(record.item)].has_settled(record):
                wanted.append(record.item)
        if self._start and self._stream.arrival(records[-1]) > self._start + DISORDER:
            self._start = 0.0
        behind = self._furthest is not None and not at_or_below(self._furthest, read_to)
        self._careful = self._until is not None or bool(self._start) or behind
        return wanted, read_to

    def _matching(self, items: Sequence[Any], judge: Callable[[Any], Verdict]) -> Sequence[Any]:
        """The others are done with: they hold no memory, and no lane knows of them."""
        verdicts = [judge(item) for item in items]
        matching = [item for item, verdict in zip(items, verdicts, strict=True) if verdict is Verdict.MATCH]
        account = self._stream.status.account
        self.skipped = len(items) - len(matching)
        account.filtered += self.skipped
        if Verdict.NOT_JSON in verdicts:
            account.filtered_not_json += verdicts.count(Verdict.NOT_JSON)
            self._tell_not_json(items[verdicts.index(Verdict.NOT_JSON)])
        return matching

    def _tell_not_json(self, item: Any) -> None:
        self._stream.log.tell(
            "payload_not_json",
            asyncio.get_running_loop().time(),
            text="a pattern asks for fields of the data, which is not JSON: the record does not match",
            partition=self._shard_id,
            sequence_number=self._stream.api.sequence_number(item),
        )

    def _lane_of(self, item: Any) -> int:
        if len(self._lanes) == 1:
            return 0
        return crc32(self._stream.api.key(item).encode("utf-8", "surrogatepass")) % len(self._lanes)

    def _to_lanes(self, records: list[Record], bound: int) -> None:
        if len(self._lanes) == 1:
            if self._judge is not None:
                self._lanes[0].progress()
            if records:
                self._lanes[0].deal(records, bound)
            return
        dealt: list[list[Record]] = [[] for _ in self._lanes]
        for record in records:
            dealt[self._lane_of(record.item)].append(record)
        for lane, own in zip(self._lanes, dealt, strict=True):
            # before its first record, a lane without any has come as far as the shard was read
            lane.progress()
            if own:
                lane.deal(own, bound)
