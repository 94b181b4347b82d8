"""Deletes and visibility changes of all lanes of one mapping, gathered, retried, and remembered where they failed."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import repeat

from poller.aws.error_reasons import code_of, text_of
from poller.policy.backoff import SETTLE, Chance
from poller.ports.source import Unsettled
from poller.ports.status import Account
from poller.sources.sqs.backlog import Backlog
from poller.sources.sqs.gatherer import LINGER, Gatherer
from poller.sources.sqs.invisible import InvisibleFailures
from poller.sources.sqs.message import receipts_of
from poller.sources.sqs.queue import Queue, Refused
from poller.sources.sqs.visibility_extender import VisibilityExtender
from poller.support.rate_limited_log import RateLimitedLog
from poller.values.errors import CallError
from poller.values.record import Record

REMEMBERED = 10_000
"""Settled messages whose delete failed, per mapping: received again, they are deleted and not delivered."""

LAST_TRIES, LAST_PAUSE = 3, 1.0
"""Tries of a delete after a stop was requested, and the seconds between them: one call may fail by chance, but a stop
does not wait for the end of an outage."""
DELETE_ACTION = "sqs:DeleteMessage"

ReportCall = Callable[[CallError | None, str, float], None]
"""Called with the error of a failed call, its action and the seconds until the next try; with None after a success."""


class Handover:
    """A batch that is being deleted."""

    __slots__ = ("_changed", "_failed", "_seen", "filtered", "remaining")

    def __init__(self, remaining: int, *, filtered: bool) -> None:
        """`filtered`: the batch was rejected by the filter criteria, not delivered to the function."""
        self.filtered = filtered
        self.remaining = remaining
        """Messages that are neither deleted nor given up; counted down where they are, which is every message."""
        self._failed: Unsettled | None = None
        self._seen: Unsettled | None = None
        self._changed: asyncio.Future[None] | None = None

    def failed(self, unsettled: Unsettled) -> None:
        """A try failed; there will be another one."""
        self._failed = unsettled
        self.wake()

    def wake(self) -> None:
        """Something has changed: no message remains, or a try failed."""
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)

    async def wait(self) -> Unsettled | None:
        """Return None when no message remains, else the reason of a failed try, once for each."""
        while self.remaining:
            if self._failed is not self._seen:
                self._seen = self._failed
                return self._failed
            self._changed = asyncio.get_running_loop().create_future()
            await self._changed
        return None


_Entry = tuple[Record, Handover]


@dataclass(slots=True)
class _Change:
    record: Record
    visible_at: float
    """Loop time at which the message should become visible again."""


class Settling:
    """Deletes and releases messages for all lanes of a mapping."""

    def __init__(
        self,
        queue: Queue,
        extender: VisibilityExtender,
        account: Account,
        report_call: ReportCall,
        *,
        bug: Callable[[BaseException], None],
        undeleted: OrderedDict[str, bool],
        backlog: Backlog,
        chance: Chance,
        log: RateLimitedLog,
    ) -> None:
        """`bug` is called with an unexpected error. `undeleted` holds the ids of settled messages that are not yet
        deleted, with True for filtered ones; it outlives this object. `backlog` counts the filtered ones.
        """
        self._queue = queue
        self._extender = extender
        self.account = account
        self._chance = chance
        self._log = log
        self._report_call = report_call
        # a FIFO group waits for the deletes of its last batch, so they are sent at once
        linger = 0.0 if queue.name.fifo else LINGER
        self._stopping = asyncio.Event()
        self._deletes: Gatherer[_Entry] = Gatherer(self._delete, bug, linger)
        self._changes: Gatherer[_Change] = Gatherer(self._change, bug, linger)
        self.undeleted = undeleted
        self._backlog = backlog
        self._deferred: list[Record] | None = None
        self.invisible = InvisibleFailures()
        self._failing: set[int] = set()
        """Deletes whose last try failed, by the id of their list of entries."""

    def delete(self, records: Sequence[Record], *, filtered: bool = False) -> Handover:
        """Delete for good. Visibility is kept until the answer."""
        self._extender.settling(records)
        handover = Handover(len(records), filtered=filtered)
        self._deletes.add([*zip(records, repeat(handover))])
        return handover

    def release(self, records: Sequence[Record], *, failed: bool) -> None:
        """Make messages visible again: at once, or, after a failure, when they should be."""
        if self._deferred is not None and not failed:
            self._extender.settling(records)
            self._deferred += records
            return
        now = asyncio.get_running_loop().time()
        visibility = self._extender.visibility
        self._extender.settling(records)
        changes = []
        for record in records:
            hold = record.handle
            delay = visibility.after_failure(now, hold.received, hold.visible_at) if failed else 0
            if delay is not None:
                changes.append(_Change(record, now + delay))
            if failed:
                self.invisible.add(1, hold.visible_at if delay is None else now + delay, now)
        # together, because without lingering each would be a separate call
        self._changes.add(changes)
        self._extender.forget(records)

    def defer_releases(self) -> None:
        """At a stop: messages that would become visible at once stay invisible until `release_deferred`.

        The running receives would bring them again, and each time they would spend one of the receives after which a
        queue moves a message to its dead-letter queue.
        """
        if self._deferred is None:
            self._deferred = []

    def release_deferred(self) -> None:
        """No receive runs any more: release what was deferred."""
        records, self._deferred = self._deferred, None
        if records:
            self.release(records, failed=False)

    async def _delete(self, entries: Sequence[_Entry]) -> None:
        """Try until each entry is deleted or refused for good; after a stop was requested, `LAST_TRIES` times."""
        left = list(entries)
        try:
            error = await self._try_to_delete(left)
            if error is not None:
                await self._keep_trying(left, error)
        finally:
            if id(left) in self._failing:
                self._failing.discard(id(left))
                if not self._failing:
                    self._report_call(None, DELETE_ACTION, 0.0)
            if left:
                # the partition ends before these are deleted; if it is entered again, they are not delivered again
                for entry in left:
                    self._remember(entry)
                self._end(left)

    async def _keep_trying(self, left: list[_Entry], failure: CallError) -> None:
        """Removes from `left` the entries that are deleted or given up. The first try ended in `failure`."""
        attempt = last = 0
        error: CallError | None = failure
        while error is not None:
            attempt += 1
            last += self._stopping.is_set()
            if last == LAST_TRIES:
                return
            delay = LAST_PAUSE if last else SETTLE.delay(attempt, self._chance)
            self._failing.add(id(left))
            self._report_call(error, DELETE_ACTION, delay)
            unsettled = Unsettled(self._text(error), asyncio.get_running_loop().time() + delay)
            for entry in left:
                self._remember(entry)
                entry[1].failed(unsettled)
            await (asyncio.sleep(delay) if last else self._rest(delay))
            error = await self._try_to_delete(left)

    async def _rest(self, seconds: float) -> None:
        """Wait before the next try; a stop ends the wait."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    async def _try_to_delete(self, left: list[_Entry]) -> CallError | None:
        """One call. `left` keeps the entries to try again; returns the error that they had."""
        try:
            refused = await self._queue.delete(receipts_of([record for record, _ in left]))
        except CallError as error:
            self._report_delete(len(left), code_of(error), self._text(error))
            return error
        if refused:
            return self._judge(left, refused)
        entries, left[:] = left[:], ()
        self._deleted(entries)
        return None

    def _judge(self, left: list[_Entry], refused: Sequence[Refused]) -> CallError | None:
        """Evaluate an answer in which not every entry was deleted."""
        by_index = {refusal.index: refusal for refusal in refused}
        deleted = [entry for index, entry in enumerate(left) if index not in by_index]
        # the receipt handle is no longer valid: the next receive of the message brings a valid one
        given_up = [left[refusal.index] for refusal in refused if refusal.sender_fault]
        again = [refusal for refusal in refused if not refusal.sender_fault]
        left[:] = [left[refusal.index] for refusal in again]
        self._deleted(deleted)
        for refusal in refused:
            self._report_delete(1, refusal.code, refusal.message or "the receipt handle is no longer valid")
        for entry in given_up:
            self._remember(entry)
        self._end(given_up)
        return again[0].error if again else None

    def _deleted(self, entries: Sequence[_Entry]) -> None:
        self.account.deleted += len(entries)
        if self.undeleted:
            for record, _ in entries:
                self.undeleted.pop(record.identifier, None)
        self._end(entries)

    def _end(self, entries: Sequence[_Entry]) -> None:
        if not entries:
            return
        records, handovers = zip(*entries, strict=True)
        self._extender.forget(records)
        # in their order, and few: most calls delete one batch
        for handover in dict.fromkeys(handovers):
            ended = handovers.count(handover)
            handover.remaining -= ended
            if not handover.remaining:
                handover.wake()
            if handover.filtered:
                self._backlog.done(ended)

    def _remember(self, entry: _Entry) -> None:
        record, handover = entry
        self.undeleted[record.identifier] = handover.filtered
        if len(self.undeleted) > REMEMBERED:
            self.undeleted.popitem(last=False)

    def _text(self, error: CallError) -> str:
        return text_of(error, DELETE_ACTION, self._queue.name.arn)

    def _report_delete(self, count: int, code: str, text: str) -> None:
        self.account.delete_failed += count
        now = asyncio.get_running_loop().time()
        self._log.repeating("delete_failed", now, code=code, text=text, records=count)

    async def _change(self, changes: Sequence[_Change]) -> None:
        """One try is enough: after a failure the message becomes visible by its present timeout."""
        # a running renewal could arrive after this change and undo it
        renewals = {change.record.handle.renewal for change in changes} - {None}
        if renewals:
            await asyncio.wait(renewals)
        now = asyncio.get_running_loop().time()
        receipts = receipts_of([change.record for change in changes])
        seconds = [max(0, round(change.visible_at - now)) for change in changes]
        try:
            await self._queue.change_visibility([*zip(receipts, seconds, strict=True)])
        except CallError as error:
            what = text_of(error, "sqs:ChangeMessageVisibility", self._queue.name.arn)
            self._log.repeating("release_failed", now, text=what, records=len(changes))

    def stop(self) -> None:
        """A soft stop: calls are sent at once, and their answers and retries are waited for only briefly."""
        self._stopping.set()
        self._deletes.stop()
        self._changes.stop()

    async def drain(self) -> None:
        """Return when everything handed over has its answer."""
        await self._changes.drain()
        await self._deletes.drain()

    async def abandon(self) -> None:
        """End the running calls; the messages become visible again by their timeout."""
        await self._changes.abandon()
        await self._deletes.abandon()
