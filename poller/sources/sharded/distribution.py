"""Distributes the records of a page to the lanes, by a stable hash of each record's key.

After a restart, reading starts at the lane that is furthest behind. No lane gets a record that it settled in an earlier
run, that was created before the mapping's start, that does not match the filter criteria, or that follows the record at
which the keys are distributed to a different number of lanes.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any
from zlib import crc32

from poller.policy.filtering import Verdict
from poller.policy.frontier import at_or_below
from poller.policy.positions import is_inside
from poller.policy.progress import ShardProgress
from poller.sources.sharded.api import ShardPage
from poller.sources.sharded.lane import StreamLane
from poller.sources.sharded.stream import Stream
from poller.values.errors import UnreadableRecord
from poller.values.record import Record

DISORDER = 60.0
"""Seconds by which creation times may be out of order. This long after the start, no later record is older than it."""


PASSED = 60.0
"""Seconds after which the place of a shard without records is stored again."""
INNER_BYTES = 512
"""Memory of a record from an aggregate beside its data (measured). It matters for pages of many small records."""


@dataclass(slots=True)
class _Split:
    """The records of one page, before any of them is counted or given to a lane."""

    first: str
    """Sequence number of the page's first record."""
    read_to: str | None
    """Position of the last record that is given to a lane or skipped."""
    share: int
    """Bytes of memory counted for each record."""
    bound: int
    """As of a `Page`."""
    polled: int = 0
    """Records to count as polled, including those that match no filter."""
    before_start: int = 0
    past_start: bool = False
    """Whether no later record is older than the mapping's start."""
    not_json: list[Any] = field(default_factory=list)
    """Items that match no filter because their data is not JSON."""
    records: list[Record] = field(default_factory=list)
    lanes: list[list[Record]] = field(default_factory=list)
    """The records of each lane."""


class Distribution:
    """Stands between one shard's reader and its lanes."""

    def __init__(
        self, stream: Stream, shard_id: str, progress: ShardProgress, lanes: Sequence[StreamLane], until: str | None
    ) -> None:
        """`until` is the position of the last record to distribute; None for no end."""
        self.read_to = progress.position
        """Position of the last record given to any lane, or skipped."""
        self.read_from: str | None = None
        """Sequence number of the first record read, for any lane or none."""
        self.skipped = 0
        """Records of the last page that did not match."""
        self._passed_at = -inf
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
        """Whether every record up to `until` was read."""
        return self._until is not None and at_or_below(self._until, self.read_to)

    def distribute(self, items: Sequence[Any], size: int) -> int:
        """Distribute the items of the next page, which has `size` bytes. Returns the bytes that are held of it now.
        Raises UnreadableRecord before anything is changed.
        """
        try:
            split = self._split(items, size)
        except (UnreadableRecord, KeyError, TypeError, AttributeError):
            # a service may leave members out; the slower path that supplies optional ones runs only then
            self._stream.api.complete(items)
            split = self._split(items, size)
        # nothing from here on raises, so that every record is counted once
        account = self._stream.status.account
        account.polled += split.before_start + split.polled
        account.before_start += split.before_start
        self.skipped = split.polled - len(split.records)
        account.filtered += self.skipped
        if split.not_json:
            account.filtered_not_json += len(split.not_json)
            self._log_not_json(split.not_json[0])
        self.read_from = self.read_from or split.first
        self._note_progress(split)
        self._to_lanes(split)
        # only now: the watermark of a lane without records follows it
        self.read_to = split.read_to
        for lane in self._lanes:
            if lane.waits_for_stored:
                lane.wakeup.notify()
        return split.share * len(split.records)

    def passed(self, page: ShardPage) -> bool:
        """Note the place behind a page. Returns whether it is to be stored now, although no record settles it."""
        position = page.continuation if page.passed else None
        if position is None or self._until is not None or at_or_below(position, self.read_to):
            return False
        self.read_to = position
        for lane in self._lanes:
            lane.catch_up()
            if lane.waits_for_stored:
                lane.wakeup.notify()
        now = asyncio.get_running_loop().time()
        if now < self._passed_at + PASSED:
            return False
        self._passed_at = now
        return True

    def _split(self, items: Sequence[Any], size: int) -> _Split:
        """Select the records of a page and their lanes. Changes nothing."""
        api = self._stream.api
        found = api.taken_apart(items)
        share, bound = size // len(items) + 1, size + api.record_overhead * len(items)
        if found is not items:
            share, bound = size // len(found) + INNER_BYTES, api.bound(found)
        positions = api.positions(found)
        split = _Split(api.sequence_number(items[0]), positions[-1], share, bound)
        if self._careful:
            found = self._wanted([*map(Record, found, positions)], split)
            positions = api.positions(found)
        split.polled = len(found)
        if self._judge is not None:
            verdicts = [self._judge(item) for item in found]
            if Verdict.NOT_JSON in verdicts:
                split.not_json = [item for item, one in zip(found, verdicts, strict=True) if one is Verdict.NOT_JSON]
            matching = [item for item, verdict in zip(found, verdicts, strict=True) if verdict is Verdict.MATCH]
            if len(matching) < len(found):
                # a bound from the whole page would make lanes measure batches that are well within their limits; the
                # filtered records hold no memory and reach no lane
                found, positions, split.bound = matching, api.positions(matching), api.bound(matching)
        split.records = [Record(item, position, None, share) for item, position in zip(found, positions, strict=True)]
        split.lanes = self._by_lane(split.records)
        return split

    def _wanted(self, records: list[Record], split: _Split) -> Sequence[Any]:
        split.read_to = self.read_to
        wanted = []
        for record in records:
            if self._until is not None and not at_or_below(record.identifier, self._until):
                split.read_to = self._until
                break
            split.read_to = record.identifier
            if self._start and self._stream.arrival(record) < self._start:
                split.before_start += 1
            elif not self._lanes[self._lane_of(record.item)].has_settled(record):
                wanted.append(record.item)
        split.past_start = bool(self._start) and self._stream.arrival(records[-1]) > self._start + DISORDER
        return wanted

    def _note_progress(self, split: _Split) -> None:
        """Decide whether the records of the next page must be checked one by one, too."""
        if not self._careful:
            return
        if split.past_start:
            self._start = 0.0
        behind = self._furthest is not None and not at_or_below(self._furthest, split.read_to)
        self._careful = self._until is not None or bool(self._start) or behind

    def _log_not_json(self, item: Any) -> None:
        self._stream.log.repeating(
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

    def _by_lane(self, records: list[Record]) -> list[list[Record]]:
        if len(self._lanes) == 1:
            return [records]
        by_lane: list[list[Record]] = [[] for _ in self._lanes]
        for record in records:
            by_lane[self._lane_of(record.item)].append(record)
        return by_lane

    def _to_lanes(self, split: _Split) -> None:
        several = len(self._lanes) > 1
        for lane, own in zip(self._lanes, split.lanes, strict=True):
            if several or self._judge is not None:
                # a lane without records has progressed as far as the shard was read
                lane.catch_up()
            if own:
                lane.add(own, split.bound)
