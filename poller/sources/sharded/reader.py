"""Reads one shard: page after page, polled or pushed, at the pace the service and the mapping allow.

Reading continues after the last record read: an expired iterator, or a subscription that has ended, is replaced by one
that starts there. The reader knows nothing of lanes, checkpoints and the delivery of the records.

    memory for more? -> pause -> page -> pass it on -> the next page, or the shard's end
"""

import asyncio
from typing import TYPE_CHECKING

from poller.aws.error_reasons import cause_of, code_of, said_of
from poller.policy.advice import with_advice
from poller.policy.backoff import SOURCE
from poller.policy.frontier import at_or_below
from poller.policy.unanswered import UnansweredCalls
from poller.ports.status import Reason, ReasonCode
from poller.sources.sharded.api import Position, Shard, ShardPage
from poller.sources.sharded.page_memory import PageMemory
from poller.sources.sharded.polled import PolledPages
from poller.sources.sharded.shard_reading import Reads
from poller.sources.sharded.stream import Stream
from poller.sources.sharded.subscribed import IN_USE, SubscribedPages
from poller.sources.sharded.topology import Topology
from poller.sources.sharded.wakeup import Wakeup
from poller.values.errors import (
    CallError,
    IteratorExpired,
    NoRoom,
    PositionTrimmed,
    ServiceError,
    ShardGone,
    UnreadableRecord,
)

if TYPE_CHECKING:
    from poller.ports.holdings import Permit
    from poller.sources.sharded.pages import Pages

READ = 20.0
"""Seconds a read may take before the stream counts as silent. They include the wait for the shard's limit, which
several mappings may share."""
SHOWN_AFTER = 3
"""Refusals in a row after which they are shown. Single ones are normal where several readers share a shard: throttled
reads, and subscriptions that must wait for the first seconds of another one to pass."""
LISTED_WITHIN = 5.0
"""Seconds to wait for the listing that confirms a shard's end."""


class ShardReader:
    """One shard while it is read."""

    def __init__(self, stream: Stream, shard: Shard, begin: Position, reads: Reads, topology: Topology) -> None:
        self.wakeup = Wakeup()
        """The partition notifies it when there may be room, and at a soft stop."""
        self.unanswered = UnansweredCalls(READ)
        self._stream = stream
        self._shard = shard
        self._next = begin
        self._reads = reads
        self._topology = topology
        subscriptions = stream.subscriptions
        self.room = PageMemory(stream, self.wakeup.notify, pushed=subscriptions is not None)
        self._pages: Pages
        if subscriptions is None:
            self._pages = PolledPages(stream, shard, self.room)
        else:
            self._pages = SubscribedPages(stream, shard, subscriptions, self.room)
        self._not_before = float("-inf")
        self._failures = 0
        self._gap_since: Position | None = None
        self._last_arrival: float | None = None
        self._at_tip: float | None = None
        """Loop time at which the last page was read, if it was at the shard's tip."""
        self.empty_at: float | None = None
        """Loop time at which the last page was requested, if it was at the shard's tip."""
        self._shown: Reason | None = None
        self._waits_for_memory = False

    async def run(self) -> None:
        """Read until the shard's end, a soft stop, or until no more is wanted. Raises StreamGone."""
        try:
            while await self._may_read():
                closed, asked_at = self._topology.closed(self._shard.id), asyncio.get_running_loop().time()
                try:
                    page = await self._read()
                except ShardGone as error:
                    self._skip_gap(str(error))
                    self._reads.end(())
                    return
                if page is None:
                    self.room.close()
                    continue
                try:
                    more_wanted = self._reads.take(page)
                except UnreadableRecord as error:
                    self.room.close()
                    await self._stop_before(error, page)
                    continue
                self._recovered()
                self._note(page)
                at_tip = not page.records if page.behind_seconds is None else page.behind_seconds == 0
                self.empty_at = asked_at if at_tip else None
                if not more_wanted:
                    return
                if page.next_iterator is not None:
                    self._topology.has_more(self._shard.id)
                elif await self._has_ended(page, closed):
                    self._reads.end(page.children)
                    return
        finally:
            self.room.close()
            await self._pages.close()

    async def _may_read(self) -> bool:
        """Wait for memory and for the end of the pause; False at a soft stop."""
        time = asyncio.get_running_loop().time
        admission = self._stream.admission
        permit = self._reads.permit
        while not self._reads.stop.soft:
            if permit is not None and not permit.valid():
                await self._suspended(permit)
                continue
            now = time()
            # a shard that holds no records is read on, even while other shards of the mapping are blocked
            full = self._reads.full
            if full or not (admission.lanes(now) or self._reads.empty):
                self.room.close()
                if full:
                    self._reads.wait_for_room()
                await self.wakeup.wait()
                continue
            left = max(self._not_before - now, self._pages.wait(now))
            if left > 0:
                self.room.close()
                await self.wakeup.wait(left)
            elif self._has_room(now):
                return True
            else:
                await self.wakeup.wait()
        return False

    async def _suspended(self, permit: "Permit") -> None:
        """Read nothing more until that is allowed: a subscription would take the shard from the daemon that may have it
        by now.
        """
        self.room.close()
        self._reads.show(Reason(ReasonCode.SUSPENDED, since=asyncio.get_running_loop().time()))
        await permit.renewed(self._reads.stop)
        self._reads.show(self._shown)

    def _has_room(self, now: float) -> bool:
        found = self.room.reserve(urgent=self._reads.urgent)
        if found == self._waits_for_memory and self._shown is None:
            self._reads.show(None if found else Reason(ReasonCode.MEMORY, since=now))
        self._waits_for_memory = not found
        return found

    async def _read(self) -> ShardPage | None:
        time = asyncio.get_running_loop().time
        self.unanswered.asked(time())
        try:
            page = await self._pages.next(self._next)
        except IteratorExpired:
            # a new iterator is requested at once; a service that refuses it too is called ever less often
            self._pause_after(self._failures)
            return None
        except NoRoom as error:
            self.room.given_up(error.size)
            return None
        except PositionTrimmed as error:
            self._skip_gap(str(error))
            return None
        except CallError as error:
            self._show_failure(error)
            return None
        finally:
            self.unanswered.answered(time())
        self._stream.clock.observe(page.date, time())
        return page

    def _recovered(self) -> None:
        self._failures = 0
        if self._shown is not None:
            self._shown = None
            self._reads.show(None)

    async def _has_ended(self, page: ShardPage, closed: bool) -> bool:
        """Whether a page without a next iterator is the shard's last. Services send such pages for open shards, too.

        It is the last if the listing says that the shard has ended, and the service either names the child shards or
        has no more records after the last one on a new iterator. `closed` is the listing's word before the read.
        """
        if not closed:
            await self._topology.confirm_end(self._shard.id, LISTED_WITHIN if page.children else 0.0)
        if page.children:
            return self._topology.closed(self._shard.id)
        return closed and page.begins and not page.records

    def _note(self, page: ShardPage) -> None:
        """Continue after this page."""
        stream = self._stream
        if page.records:
            last = page.records[-1]
            self._next = Position("AFTER_SEQUENCE_NUMBER", stream.api.sequence_number(last))
            if self._gap_since is not None:
                self._log_gap(page)
            self._last_arrival = stream.api.arrival(last)
        self._check_clock(page)
        if page.continuation is not None and not self._begins_at(page.continuation):
            self._next = Position("AFTER_SEQUENCE_NUMBER", page.continuation)

    def _check_clock(self, page: ShardPage) -> None:
        """Compare arrival times with the page's distance to the tip. At the tip, records came since the last page."""
        now, behind = asyncio.get_running_loop().time(), page.behind_seconds
        if page.records and self._last_arrival is not None:
            since = None if self._at_tip is None or behind is None else now - self._at_tip
            self._stream.clock.arrived(self._last_arrival, now, behind or since, self._stream.wall())
        self._at_tip = now if behind == 0 else None

    def _begins_at(self, continuation: str) -> bool:
        """Whether the record to start at has not been read yet, and would be skipped by starting after this one."""
        begin = self._next
        if begin.kind != "AT_SEQUENCE_NUMBER" or begin.sequence_number is None:
            return False
        return at_or_below(continuation, begin.sequence_number)

    async def _stop_before(self, error: UnreadableRecord, page: ShardPage) -> None:
        """Deliver the records before the unreadable one. The shard is not read past it: that record would be lost."""
        await self._pages.close()
        page.records = page.records[: error.index]
        if page.records:
            self._reads.take(page)
            page.continuation = None
            self._note(page)
            return
        self._pause_after(self._failures + 1)
        text = f"{self._pages.call} on {self._stream.arn} {self._shard.id}, behind {self._next.sequence_number}"
        text = f"{text}: {error.text}; the shard is not read past it"
        now, delay = asyncio.get_running_loop().time(), self._delay()
        self._stream.log.repeating(
            "record_unreadable", now, partition=self._shard.id, text=text, next_in=round(delay, 1)
        )
        self._show(ReasonCode.UNREADABLE_RECORD, text, now, delay)

    def _skip_gap(self, text: str) -> None:
        if self._gap_since is None:
            self._gap_since = self._next
        self._next = Position("TRIM_HORIZON")
        now = asyncio.get_running_loop().time()
        after = self._gap_since.sequence_number
        self._stream.log.repeating("position_trimmed", now, partition=self._shard.id, after=after, text=text)
        self._pause_after(self._failures)

    def _log_gap(self, page: ShardPage) -> None:
        assert self._gap_since is not None
        api, first = self._stream.api, page.records[0]
        arrival, last = api.arrival(first), self._last_arrival
        seconds = None if arrival is None or last is None else round(arrival - last, 1)
        self._stream.log.each(
            "gap_in_shard",
            partition=self._shard.id,
            after=self._gap_since.sequence_number,
            resumed_at=api.sequence_number(first),
            seconds=seconds,
            text="the stream no longer holds what lay between; its records, if there were any, have expired",
        )
        self._gap_since = None

    def _show_failure(self, error: CallError) -> None:
        self._pause_after(self._failures + 1)
        said = said_of(error, self._pages.call, f"{self._stream.arn} {self._shard.id}")
        cause = cause_of(error)
        text = with_advice(said, cause)
        code = ReasonCode(code_of(error))
        in_use = isinstance(error, ServiceError) and error.code == IN_USE
        now, delay = asyncio.get_running_loop().time(), self._delay()
        self._stream.log.repeating("call_failed", now, partition=self._shard.id, text=text, next_in=round(delay, 1))
        if not ((code is ReasonCode.THROTTLED or in_use) and self._failures < SHOWN_AFTER):
            self._show(code, said, now, delay, cause)

    def _delay(self) -> float:
        """Seconds until the next try."""
        now = asyncio.get_running_loop().time()
        return max(self._not_before - now, self._pages.wait(now))

    def _show(self, code: ReasonCode, text: str, now: float, delay: float, *causes: str) -> None:
        since = self._shown.since if self._shown is not None and self._shown.code is code else now
        self._shown = Reason(code, text, since=since, next_try=now + delay, causes=causes)
        self._reads.show(self._shown)

    def _pause_after(self, failures: int) -> None:
        self._failures += 1
        delay = SOURCE.delay(failures, self._stream.chance) if failures else 0.0
        self._not_before = asyncio.get_running_loop().time() + delay
