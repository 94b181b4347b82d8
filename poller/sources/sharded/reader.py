"""Reads one shard: an iterator, page after page, at the pace the service and the mapping allow.

Where reading goes on is the last record read, never where it once began: an iterator that expired is made anew behind
it. Knows nothing of lanes, checkpoints and what becomes of the records.

    room to hold more? -> pause -> iterator if there is none -> page -> hand it on -> next iterator, or the shard's end
"""

import asyncio
from typing import Protocol

from poller.aws.trouble import code_of, text_of
from poller.errors import CallError, IteratorExpired, PositionTrimmed, ShardGone
from poller.policy.backoff import SOURCE
from poller.runtime.status import Reason, ReasonCode
from poller.sources.sharded.api import Position, Shard, ShardPage
from poller.sources.sharded.bell import Bell
from poller.sources.sharded.stream import Stream

SLOWER = 1.5
"""By how much each empty page stretches the pause of an idle shard."""
READ_RECORDS = 2000
"""Most records of one read. Larger ones fit no cache any more: measured with 10,000, each record costs a third more CPU
and the process half as much memory again."""
OUR_SHARE = 0.5
"""Of the service's quota of reads, for a mapping that has a backlog: others read the shard too. With full reads it is
still several times what a shard can take in."""
THROTTLES_SHOWN = 3
"""Throttled reads in a row that are trouble. Fewer are what readers of one shard cost each other now and then."""


class Reads(Protocol):
    """Who takes what is read."""

    @property
    def full(self) -> bool:
        """Whether so much is held that reading must wait."""
        ...

    @property
    def empty(self) -> bool:
        """Whether nothing is held."""
        ...

    def take(self, page: ShardPage) -> bool:
        """The next page; False when nothing further is wanted."""
        ...

    def end(self, children: tuple[Shard, ...]) -> None:
        """The shard has no more."""
        ...

    def show(self, reason: Reason | None) -> None:
        """Why nothing is read."""
        ...


class ShardReader:
    """One shard while it is read."""

    def __init__(self, stream: Stream, shard: Shard, begin: Position, reads: Reads) -> None:
        self.bell = Bell()
        """To be rung when there may be room, and at a soft stop."""
        self._stream = stream
        self._shard = shard
        self._next = begin
        self._reads = reads
        self._limit = stream.limits.of(stream.arn, shard.id, stream.api.reads_per_second, stream.api.bytes_per_second)
        self._most_records = min(stream.api.most_records, READ_RECORDS)
        self._catching_up = 1 / (OUR_SHARE * stream.api.reads_per_second)
        self._iterator: str | None = None
        self._read_at = float("-inf")
        self._interval = 0.0
        self._failures = 0
        self._gap_since: Position | None = None
        self._last_arrival: float | None = None
        self._trouble: Reason | None = None

    async def run(self) -> None:
        """Until the shard's end, a soft stop, or until nothing further is wanted. Raises StreamGone."""
        while await self._may_read():
            page = await self._read()
            if page is None:
                continue
            self._note(page)
            if not self._reads.take(page):
                return
            if page.next_iterator is None:
                self._reads.end(page.children)
                return

    async def _may_read(self) -> bool:
        """Wait for room and for the pause to be over; False at a soft stop."""
        time = asyncio.get_running_loop().time
        admission = self._stream.admission
        while not admission.stopping:
            now = time()
            # a shard with nothing in hand is read although the mapping's bound is reached: the bytes are held by shards
            # that stand still, and one that does not may not stand still with them
            if self._reads.full or not (admission.lanes(now) or self._reads.empty):
                await self.bell.wait()
                continue
            left = max(self._read_at + self._interval - now, self._limit.wait(now))
            if left <= 0:
                return True
            await self.bell.wait(left)
        return False

    async def _read(self) -> ShardPage | None:
        api = self._stream.api
        time = asyncio.get_running_loop().time
        try:
            if self._iterator is None:
                self._iterator = await api.iterator(self._shard.id, self._next)
            async with self._limit.calls:
                self._read_at = time()
                page = await api.page(self._iterator, self._most_records)
        except IteratorExpired:
            self._iterator = None
            # one is made anew at once; a service that refuses that as well is asked ever less often
            self._pause_after(self._failures)
            return None
        except PositionTrimmed as error:
            self._skip_gap(str(error))
            return None
        except ShardGone as error:
            self._skip_gap(str(error))
            return ShardPage([], None, 0)
        except CallError as error:
            self._tell_trouble(error)
            return None
        if self._trouble is not None:
            self._trouble = None
            self._reads.show(None)
        self._failures = 0
        self._limit.spend(page.size, time())
        return page

    def _note(self, page: ShardPage) -> None:
        """Move on behind a page, and choose when the next one is read."""
        stream, options = self._stream, self._stream.options
        stream.clock.observe(page.date, asyncio.get_running_loop().time())
        self._iterator = page.next_iterator
        if page.records:
            last = page.records[-1]
            self._next = Position("AFTER_SEQUENCE_NUMBER", stream.api.sequence_number(last))
            if self._gap_since is not None:
                self._tell_gap(page)
            self._last_arrival = stream.api.arrival(last)
            full = len(page.records) >= self._most_records
            self._interval = min(options.poll_interval, self._catching_up) if full else options.poll_interval
        elif page.behind_seconds or self._shard.closed:
            # nothing here, and more to come for certain: on, as fast as the service allows
            self._interval = 1 / stream.api.reads_per_second
        else:
            slowest = max(options.poll_interval, options.idle_poll_interval)
            self._interval = min(slowest, max(options.poll_interval, self._interval * SLOWER))

    def _skip_gap(self, text: str) -> None:
        if self._gap_since is None:
            self._gap_since = self._next
        self._iterator = None
        self._next = Position("TRIM_HORIZON")
        now = asyncio.get_running_loop().time()
        self._stream.log.tell("position_trimmed", now, partition=self._shard.id, text=text)
        self._pause_after(self._failures)

    def _tell_gap(self, page: ShardPage) -> None:
        assert self._gap_since is not None
        api, first = self._stream.api, page.records[0]
        seconds = None if self._last_arrival is None else round(api.arrival(first) - self._last_arrival, 1)
        self._stream.log.tell(
            "gap_in_shard",
            asyncio.get_running_loop().time(),
            partition=self._shard.id,
            after=self._gap_since.sequence_number,
            resumed_at=api.sequence_number(first),
            seconds=seconds,
            text="the stream no longer holds what lay between; its records, if there were any, have expired",
        )
        self._gap_since = None

    def _tell_trouble(self, error: CallError) -> None:
        self._pause_after(self._failures + 1)
        now = asyncio.get_running_loop().time()
        text = text_of(error, "GetRecords", f"{self._stream.arn} {self._shard.id}")
        self._stream.log.tell("call_failed", now, text=text, next_in=round(self._interval, 1))
        code = ReasonCode(code_of(error))
        if code is ReasonCode.THROTTLED and self._failures < THROTTLES_SHOWN:
            return
        since = now if self._trouble is None else self._trouble.since
        self._trouble = Reason(code, text, since=since, until=now + self._interval)
        self._reads.show(self._trouble)

    def _pause_after(self, failures: int) -> None:
        self._failures += 1
        self._read_at = asyncio.get_running_loop().time()
        self._interval = SOURCE.delay(failures, self._stream.chance) if failures else 0.0
