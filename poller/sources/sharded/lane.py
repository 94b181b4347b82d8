"""A lane of a shard: it delivers its share of the keys in order, one batch at a time."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from math import inf

from poller.policy.frontier import Watermark, at_or_below
from poller.policy.invocation_record import Discarded
from poller.policy.parts import PartState
from poller.policy.positions import sequence_number_of
from poller.policy.progress import LaneProgress
from poller.policy.stream_delivery import StreamDelivery
from poller.policy.windows import NO_WINDOW, TumblingWindows, WindowProgress
from poller.ports.source import Unsettled
from poller.sources.sharded.shard_reading import Reading
from poller.sources.sharded.stream import Stream
from poller.sources.sharded.wakeup import Wakeup
from poller.sources.sharded.window_event import added, with_window
from poller.values.record import EMPTY_PAGE, Page, Record

LOOSE_BOUND = 4 * 1024 * 1024
"""Bytes of a page's bound up to which each part of the page has the same bound. Above, parts are measured: they would
seem to exceed a payload limit that they do not."""


class StreamLane:
    """Implements `poller.ports.source.Lane`."""

    def __init__(
        self, stream: Stream, shard_id: str, reading: Reading, encode: Callable[[Sequence[Record]], bytes]
    ) -> None:
        self.wakeup = Wakeup()
        self.held = 0
        """Records received and not yet settled or released."""
        self._stream = stream
        self._shard_id = shard_id
        self._reading = reading
        self._encode = encode
        self._windows = self._windows_of(NO_WINDOW)
        self._complete_to = -inf
        self._bytes = 0
        self._pages: deque[Page] = deque()
        self._mark: Watermark[Record] = Watermark(None)
        self._stored: tuple[PartState, ...] = ()
        self._delivery: StreamDelivery | None = None
        self._handed_over = self._latest = 0
        self._unstored = self._storing = 0
        """Records settled since the last progress, and in progress that is not durable yet."""

    def resume(self, progress: LaneProgress) -> None:
        """Continue from stored progress; called before the first record."""
        self._mark.position = progress.position
        self._stored = progress.retry
        self._windows = self._windows_of(progress.window)

    def _windows_of(self, stored: WindowProgress) -> TumblingWindows:
        return TumblingWindows(self._stream.options.tumbling_window_in_seconds, stored, self._stream.arrival)

    @property
    def ended(self) -> bool:
        """See `Lane.ended`."""
        return self._reading.failed or (self._reading.over and not self._pages and self._windows.open is None)

    def has_settled(self, record: Record) -> bool:
        """Whether the record was settled in an earlier run."""
        return at_or_below(record.identifier, self._mark.position)

    def add(self, records: list[Record], bound: int) -> None:
        """The next records of this lane; `bound` as of a Page."""
        self._mark.deal(records)
        self._pages.append(Page(records, bound))
        self.held += len(records)
        self._bytes += sum([record.handle for record in records])
        self.wakeup.notify()

    async def receive(self, limit: int, wait: float, *, gathering: bool) -> Page:  # noqa: ARG002  (no lane before another)
        """See `Lane.receive`."""
        time = asyncio.get_running_loop().time
        until = inf if wait == inf else time() + wait
        while not (self._reading.stop.soft or self.ended):
            if (page := self._next(limit)) is not None:
                return page
            left = inf if until == inf else until - time()
            if left <= 0:
                break
            await self.wakeup.wait(left)
        return EMPTY_PAGE

    def _next(self, limit: int) -> Page | None:
        """The next page, if there is one: records of one window, or the end of the batch at the end of its window."""
        if self._pages:
            fitting = self._windows.fitting(self._pages[0].records, limit)
            return self._cut(fitting) if fitting else Page((), 0, ends_batch=True)
        if self._windows.ends(inf if self._reading.over else self._complete_to):
            return Page((), 0, ends_batch=True)
        return None

    def complete_to(self, instant: float) -> None:
        """All records that arrived before this (epoch seconds) were added."""
        self._complete_to = max(self._complete_to, instant)
        if self._windows.ends(instant):
            self.wakeup.notify()

    def _cut(self, limit: int) -> Page:
        page = self._pages[0]
        if len(page.records) <= limit:
            # the rest of a page still has the bound of the whole page
            part = self._pages.popleft().records
        else:
            part, page.records = page.records[:limit], page.records[limit:]
        bound = page.bound if page.bound <= LOOSE_BOUND else self._bound(part)
        window = self._windows.open
        if window is not None:
            bound += added(window, shard_id=self._shard_id, arn=self._stream.arn)
        return Page(part, bound)

    def key(self, record: Record) -> str:
        """See `Lane.key`."""
        return self._stream.api.key(record.item)

    def encode(self, records: Sequence[Record]) -> bytes:
        """See `Lane.encode`; without records it is the invocation that closes the open window."""
        event, window = self._encode(records), self._windows.open
        if window is None:
            return event
        return with_window(event, window, shard_id=self._shard_id, arn=self._stream.arn, final=not records)

    def _bound(self, records: Sequence[Record]) -> int:
        return self._stream.api.bound([record.item for record in records])

    def unread(self, page: Page) -> None:
        """See `Lane.unread`."""
        self._pages.appendleft(page)

    def trace(self, records: Sequence[Record]) -> None:
        """None: records of a stream have no trace."""

    def traceparents(self, records: Sequence[Record]) -> set[str | None]:  # noqa: ARG002  (the port's)
        """Empty: records of a stream have no trace."""
        return set()

    async def unfinished(self) -> StreamDelivery | None:
        """The batch that was being retried, built again once all its records were read again."""
        if not self._stored:
            return None
        last = self._stored[0].last
        while self._stored[0].count and not (self._reading.over or at_or_below(last, self._reading.read_to)):
            if self._reading.stop.soft or self._reading.failed:
                return None
            await self.wakeup.wait()
        stored, self._stored = self._stored, ()
        return self._rebuilt(stored, last)

    def _rebuilt(self, stored: tuple[PartState, ...], last: str) -> StreamDelivery | None:
        records: list[Record] = []
        while self._pages and at_or_below(self._pages[0].records[0].identifier, last):
            records += self._pages.popleft().records
        found = sum(1 for record in records if at_or_below(record.identifier, last))
        rest, records = records[found:], records[:found]
        if rest:
            self._pages.appendleft(Page(rest, self._bound(rest)))
        delivery = self._new_delivery(records)
        if delivery.restore(stored):
            self._delivery = delivery
            return delivery
        if records:
            self._pages.appendleft(Page(records, self._bound(records)))
        # retention removes the oldest first: while the first record is there, none has expired. A changed filter may
        # reject records, or an aggregate may be delivered whole now and belong to another lane
        front = next((part.first for part in reversed(stored) if part.count), None)
        begun = self._reading.read_from
        there = front is not None and begun is not None and at_or_below(begun, sequence_number_of(front))
        gone = 0 if there else max(0, sum(part.count for part in stored) - found)
        account = self._stream.status.account
        account.polled += gone
        account.expired += gone
        self._stream.log.each(
            "retry_state_not_restored",
            partition=self._shard_id,
            text="the records of the batch that was being retried are not all there any more; their attempts restart",
            first=front,
            last=last,
            expired=gone,
        )
        return None

    def delivery(self, records: Sequence[Record]) -> StreamDelivery:
        """A delivery under the mapping's own limits."""
        self._delivery = self._new_delivery(records)
        stream = self._stream
        if records and (wall := stream.clock.time(asyncio.get_running_loop().time())) is not None:
            stream.iterator_age = max(0.0, wall - stream.arrival(records[-1]))
        return self._delivery

    def _new_delivery(self, records: Sequence[Record]) -> StreamDelivery:
        stream = self._stream
        return StreamDelivery(
            records,
            stream.policy,
            arrival=stream.arrival,
            service_time=stream.clock.judging,
            windows=self._windows,
        )

    def keep(self) -> None:
        """See `Lane.keep`."""
        self._reading.changed(at_once=True)

    async def notify(self, discarded: Discarded) -> bool:
        """See `Lane.notify`."""
        if self._stream.notify is None:
            return False
        await self._stream.notify(discarded, self._shard_id, self._stream.service_time())
        return True

    def settle(self, records: Sequence[Record]) -> None:
        """Move the watermark."""
        if records:
            self._mark.settle(records)
            self._unstored += len(records)
            self._release_bytes(records)
        # without records it was the invocation that closes a window
        self._latest = self._reading.changed(at_once=not records)

    def release(self, records: Sequence[Record], *, failed: bool) -> None:  # noqa: ARG002  (the shard keeps both)
        """Hold the records no more; they are read again after the shard is entered again."""
        self._release_bytes(records)

    def _release_bytes(self, records: Sequence[Record]) -> None:
        size = sum([record.handle for record in records])
        self.held -= len(records)
        self._bytes -= size
        self._reading.release(size)

    async def ready(self) -> Unsettled | None:
        """See `Lane.ready`."""
        unsettled = await self._reading.durable(self._handed_over, at_once=False)
        if unsettled is None:
            self._handed_over = self._latest
        return unsettled

    async def all_settled(self) -> Unsettled | None:
        """See `Lane.all_settled`."""
        return await self._reading.durable(self._latest, at_once=True)

    def give_up(self) -> int:
        """The shard is left. Returns how many records were still held."""
        held, self.held = self.held, 0
        self._reading.release(self._bytes)
        self._bytes = 0
        return held

    def progress(self) -> LaneProgress:
        """The progress to store."""
        self._storing, self._unstored = self._storing + self._unstored, 0
        position = self._mark.position if self._stored else self._mark.reached(self._reading.read_to)
        retry = self._stored or (self._delivery.snapshot() if self._delivery else ())
        return LaneProgress(position, retry, self._windows.progress())

    def stored(self) -> None:
        """The last progress is durable."""
        self._storing = 0

    @property
    def in_work(self) -> int:
        """Records of the batch in delivery, and settled ones of which that is not durable yet."""
        delivery = self._delivery
        return self._storing + self._unstored + (0 if delivery is None else len(delivery.remaining()))

    def catch_up(self) -> None:
        """Progress as far as the shard was read, once the lane's own records are settled."""
        if not self._stored:
            self._mark.passed(self._reading.read_to)

    @property
    def idle(self) -> bool:
        """Whether nothing is left to finish."""
        # held records do not count: a stop releases them, and they stay unsettled
        return not (self._mark.unsettled or self._stored) and self._windows.open is None

    @property
    def waits_for_stored(self) -> bool:
        """Whether the records of a batch from an earlier run are still being read again."""
        return bool(self._stored)

    @property
    def newest(self) -> Record | None:
        """The last record that is not settled."""
        return self._mark.unsettled[-1] if self._mark.unsettled else None

    @property
    def oldest(self) -> Record | None:
        """The first record that is not settled."""
        return self._mark.unsettled[0] if self._mark.unsettled else None

    def trimmed_before(self, sequence_number: str) -> None:
        """The stream holds no records before this one any more."""
        if self._delivery is not None:
            self._delivery.trimmed_before(sequence_number)
