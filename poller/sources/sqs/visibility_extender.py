"""The messages that one queue's mapping holds: received, not yet deleted or released, and kept invisible meanwhile.

Messages received together share one `Hold`, because they would become visible again at the same moment. A renewal
changes all of them in full calls of ten.
"""

import asyncio
from collections.abc import Callable, Sequence
from math import inf

from poller.aws.error_reasons import text_of
from poller.policy.backoff import SETTLE, Chance
from poller.policy.visibility import Visibility
from poller.sources.sqs.message import Message, receipts_of, records_of, set_groups
from poller.sources.sqs.queue import MOST_PER_CALL, Queue
from poller.support.rate_limited_log import RateLimitedLog
from poller.values.errors import CallError
from poller.values.record import Record

CALLS_AT_ONCE = 10
"""Renewal calls that run at the same time."""


class Hold:
    """Messages of one receive. Times are the loop's."""

    __slots__ = ("messages", "received", "renew_at", "renewal", "retries", "size", "visible_at")

    def __init__(self, received: float, size: int, visibility: Visibility) -> None:
        self.received = received
        self.size = size
        """Bytes of the answer that brought them."""
        self.visible_at = visibility.first_visible_at(received)
        """The latest moment at which they become visible again, counting a renewal that is running."""
        self.renew_at = visibility.renew_at(received)
        self.messages: set[Record] = set()
        self.renewal: asyncio.Task[None] | None = None
        """The running visibility change. A later change has to wait for it, or the earlier one could arrive last."""
        self.retries = 0


class VisibilityExtender:
    """All holds of a mapping, with one timer at the earliest renewal."""

    def __init__(
        self, queue: Queue, visibility: Visibility, release: Callable[[int], None], chance: Chance, log: RateLimitedLog
    ) -> None:
        """`release` is called with the bytes of a receive once none of its messages is held any more."""
        self.visibility = visibility
        self._loop = asyncio.get_running_loop()
        self._queue = queue
        self._let_go = release
        self._chance = chance
        self._log = log
        self._holds: dict[Hold, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._renewals: set[asyncio.Task[None]] = set()
        self.by_id: dict[str, Record] = {}
        """Messages in flight: held and not yet handed over to be deleted."""

    def take(self, messages: Sequence[Message], size: int, *, keyed: bool = False) -> list[Record]:
        """Start holding the messages of a receive. `keyed` for FIFO, whose messages have a group."""
        hold = Hold(self._loop.time(), size, self.visibility)
        records = records_of(messages, hold)
        hold.messages = set(records)
        self._holds[hold] = None
        by_id = self.by_id
        for record in records:
            by_id[record.identifier] = record
        if keyed:
            set_groups(records)
        # the queue's timeout may have become shorter since the timer was set
        if self._timer is None or hold.renew_at < self._timer.when():
            self._set_timer()
        return records

    @property
    def empty(self) -> bool:
        """Whether no message is held, and none waits for the answer to its delete."""
        return not self._holds

    def settling(self, records: Sequence[Record]) -> None:
        """These messages are handed over to be deleted: no longer in flight, but still kept invisible."""
        by_id = self.by_id
        for record in records:
            held = by_id.pop(record.identifier, record)
            if held is not record:
                # the message became visible meanwhile and was received again: that record stays in flight
                by_id[record.identifier] = held

    def forget(self, records: Sequence[Record]) -> None:
        """They are deleted or released, and not held any more."""
        # few, in their order: most batches are one receive
        holds: dict[Hold, None] = {record.handle: None for record in records}
        for hold in holds:
            hold.messages.difference_update(records)
            if not hold.messages and hold in self._holds:
                del self._holds[hold]
                self._let_go(hold.size)

    def hold_until(self, records: Sequence[Record]) -> float:
        """When the longest held of them has to be released."""
        # most batches are one receive, and its messages share one hold
        holds: set[Hold] = {record.handle for record in records}
        return self.visibility.release_at(min([hold.received for hold in holds]))

    def _renew_due(self) -> None:
        """Start one renewal for all holds that are due, and set the timer for the next."""
        loop = self._loop
        now = loop.time()
        self._timer = None
        # half a second ahead, so that holds of one burst are renewed in full calls
        due = [hold for hold in self._holds if hold.renew_at <= now + 0.5]
        lasting = {}
        for hold in due:
            hold.renew_at = inf  # until the renewal has ended
            if seconds := self.visibility.renewal(now, hold.received):
                lasting[hold] = seconds
                hold.visible_at = now + seconds
        ended = [hold for hold in due if lasting.get(hold, 0) < self.visibility.extension]
        if ended:
            ids = sorted(record.identifier for hold in ended for record in hold.messages)
            text = "messages were held for the 12 hours SQS allows"
            self._log.each("visibility_ended", text=text, records=len(ids), message_ids=ids)
        if lasting:
            task = loop.create_task(self._renew(lasting))
            for hold in lasting:
                hold.renewal = task
            self._renewals.add(task)
            task.add_done_callback(self._renewals.discard)
        self._set_timer()

    def _set_timer(self) -> None:
        earliest = min((hold.renew_at for hold in self._holds), default=inf)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if earliest != inf:
            self._timer = self._loop.call_at(earliest, self._renew_due)

    async def _renew(self, holds: dict[Hold, int]) -> None:
        """Extend every message of these holds by its seconds; a hold is extended when all its calls went through."""
        loop = self._loop
        sent = loop.time()
        records = [record for hold in holds for record in hold.messages]
        chunks = iter([records[start : start + MOST_PER_CALL] for start in range(0, len(records), MOST_PER_CALL)])
        failed: set[Hold] = set()

        async def extend() -> None:
            for chunk in chunks:
                seconds = [holds[record.handle] for record in chunk]
                if not await self._extend([*zip(receipts_of(chunk), seconds, strict=True)]):
                    failed.update(record.handle for record in chunk)

        # several at a time, because ten thousand messages one call after the other would outlast their timeout
        calls = min(CALLS_AT_ONCE, -(-len(records) // MOST_PER_CALL))
        await asyncio.gather(*(extend() for _ in range(calls)))
        for hold, seconds in holds.items():
            hold.renewal = None
            if hold in failed:
                hold.retries += 1
                hold.renew_at = loop.time() + SETTLE.delay(hold.retries, self._chance)
            else:
                hold.retries = 0
                hold.renew_at = self.visibility.renew_at(sent) if seconds == self.visibility.extension else inf
        self._set_timer()

    async def _extend(self, changes: Sequence[tuple[str, int]]) -> bool:
        """One call. Returns whether nothing has to be tried again."""
        try:
            refused = await self._queue.change_visibility(changes)
        except CallError as error:
            what = text_of(error, "sqs:ChangeMessageVisibility", self._queue.name.arn)
            self._log.repeating("extension_failed", self._loop.time(), text=what, records=len(changes))
            return False
        # A message refused as the sender's fault is no longer in flight at the service: it was deleted meanwhile, or
        # it expired and was received again. There is nothing left to extend.
        return all(refusal.sender_fault for refusal in refused)

    async def close(self) -> int:
        """Extend nothing more, and forget what is still held: it becomes visible again by its timeout. Returns how
        many messages were still in flight: those that a bug left behind.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for task in self._renewals:
            task.cancel()
        await asyncio.gather(*self._renewals, return_exceptions=True)
        for hold in self._holds:
            self._let_go(hold.size)
        self._holds.clear()
        left = len(self.by_id)
        self.by_id.clear()
        return left
