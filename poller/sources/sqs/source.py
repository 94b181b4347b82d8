"""An SQS queue as a source: one partition, as many lanes as the mapping's concurrency."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from math import inf
from typing import Self

from poller.aws.error_reasons import cause_of, code_of, said_of
from poller.aws.port import Transport
from poller.policy.advice import with_advice
from poller.policy.backoff import Chance
from poller.policy.queue_delivery import RetryPolicy
from poller.policy.visibility import Visibility
from poller.ports.source import Admission, Partition
from poller.ports.status import MappingStatus, Reason
from poller.sources.sqs.backlog import Backlog
from poller.sources.sqs.call_failures import CallFailures
from poller.sources.sqs.event import encoder
from poller.sources.sqs.forwarding import Forwarding
from poller.sources.sqs.intake import Intake
from poller.sources.sqs.lag import QueueLag
from poller.sources.sqs.lane import SqsLane
from poller.sources.sqs.message import Message, identifier_of, identifiers_of, judge, renew_receipt
from poller.sources.sqs.options import SqsOptions
from poller.sources.sqs.polls import Polls
from poller.sources.sqs.queue import Queue, QueueName
from poller.sources.sqs.receive_backoff import ReceiveBackoff
from poller.sources.sqs.receiving import Receiving
from poller.sources.sqs.settling import Settling
from poller.sources.sqs.skipping import Skipping, SqsFiltering
from poller.sources.sqs.unwrapping import Unwrapping, event_in
from poller.sources.sqs.visibility_extender import VisibilityExtender
from poller.sources.sqs.waits import awaiting_visibility, clock, last_polls
from poller.support.rate_limited_log import RateLimitedLog
from poller.values.errors import CallError, SourceUnavailable
from poller.values.record import Record

ATTRIBUTES_LAST = 15 * 60.0
"""Seconds after which the queue's attributes are read again."""
HARD_STOP = 2.0
"""Seconds for handed-over deletes and releases after a cancellation."""


class SqsSource:
    """A queue has one partition."""

    def __init__(self, partition: "SqsPartition") -> None:
        self._partition = partition
        self.in_flight, self.lag, self.look = partition.in_flight, partition.lag, partition.look
        self.unanswered_since, self.waits = partition.unanswered_since, partition.waits

    async def partitions(self) -> AsyncIterator[Partition]:
        """The queue."""
        yield self._partition


class SqsPartition:
    """One queue while it is polled. It starts anew when entered again: held messages become visible by themselves."""

    fixed_lanes = None
    finished = False
    permit = None

    def __init__(
        self,
        name: QueueName,
        transport: Transport,
        *,
        admission: Admission,
        status: MappingStatus,
        options: SqsOptions,
        policy: RetryPolicy,
        chance: Chance,
        log: RateLimitedLog,
        wall: Callable[[], float] = time.time,
        filtering: SqsFiltering | None = None,
        undeleted: OrderedDict[str, bool] | None = None,
    ) -> None:
        """`wall` is the seconds since the epoch, for the age of messages. `undeleted` holds settled
        messages that could not be deleted so far, perhaps from an earlier run.
        """
        self.name = name.arn.rsplit(":", 1)[-1]
        self.stop = admission.partition_stop()
        self._queue_name = name
        self._queue = Queue(name, transport)
        self._admission = admission
        self._status = status
        self._options = options
        self._policy = policy
        self._chance = chance
        self._log = log
        self._encode = encoder(name) if options.unwrap is None else event_in
        self._filtering = filtering
        self._undeleted: OrderedDict[str, bool] = OrderedDict() if undeleted is None else undeleted
        self._intake = Intake(status.account, log, fifo=name.fifo)
        self._lag = QueueLag(self._queue, wall)
        self.behind, self.unanswered_since = self._lag.seconds, self._queue.unanswered.since
        self.in_flight, self.lag, self.look = self._lag.in_flight, self._lag.lag, self._lag.look
        self._wall = wall

    async def __aenter__(self) -> Self:
        self._time = asyncio.get_running_loop().time
        self._call_failures = CallFailures(self._status, self._log, self._queue_name.arn, self._admission)
        self._lanes: list[SqsLane] = []
        visibility = await self._read_visibility()
        memory = self._admission.memory
        self._extender = VisibilityExtender(self._queue, visibility, memory.release, self._chance, self._log)
        backlog = Backlog(self._on_change)
        self._settling = Settling(
            self._queue,
            self._extender,
            self._status.account,
            self._call_failures.report,
            bug=self._bug,
            undeleted=self._undeleted,
            backlog=backlog,
            chance=self._chance,
            log=self._log,
        )
        self._skipping = self._made_skipping(backlog)
        self._unwrapping: Unwrapping | None = None
        if self._options.unwrap is not None:
            self._unwrapping = Unwrapping(
                self._options.unwrap, self._settling, self._skipping.delete, self._status, self._log
            )
        self._polls = Polls(
            self._queue,
            ReceiveBackoff(self._call_failures.report, self._chance),
            self._admission,
            longest=self._options.receive_wait_seconds,
            freed_in=self._freed_in,
        )
        self._receiving = Receiving(
            self._queue_name,
            self._admission,
            self._polls,
            admit=self._admit,
            on_last_receive=self._settling.release_deferred,
            blocked=backlog.full,
        )
        self._lag.watch(self._extender, self._polls, self._settling.invisible)
        self._refresh: asyncio.Task[None] | None = None
        self._admission.connect(self._on_change)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        try:
            if kind is None:
                self._release(await self._receiving.finish())
                await self._skipping.drain()
                await self._settling.drain()
        finally:
            # after a clean exit nothing is left to cancel
            self._release(await self._receiving.abandon())
            await self._skipping.abandon()
            self._release([record for lane in self._lanes for record in lane.kept.records])
            self._settling.release_deferred()
            try:
                async with asyncio.timeout(HARD_STOP):
                    await self._settling.drain()
            except TimeoutError:
                self._log.each("settling_cut_off")
            await self._settling.abandon()
            self._status.account.returned += await self._extender.close()
            if self._refresh is not None:
                self._refresh.cancel()

    def lane(self) -> "SqsLane":
        """One more lane on this queue."""
        self._receiving.add_lane()
        fifo = self._queue_name.fifo
        lane = SqsLane(self._receiving, self._extender, self._settling, self._encode, self._policy, fifo=fifo)
        self._lanes.append(lane)
        return lane

    def _made_skipping(self, backlog: Backlog) -> Skipping:
        filtering = self._filtering
        forwarding = None
        if filtering is not None and filtering.send_to is not None:
            forwarding = Forwarding(
                filtering.send_to,
                self._extender,
                self._settling,
                backlog,
                partial(self._call_failures.report, resource=filtering.send_to.name.arn),
                bug=self._bug,
                chance=self._chance,
            )
        judged = None if filtering is None else judge(filtering.criteria, self._queue_name)
        return Skipping(judged, self._settling, backlog, forwarding, self._log)

    def _bug(self, error: BaseException) -> None:
        self._receiving.fail(error)

    def waits(self, now: float) -> Reason | None:
        if not self._lag.watching:
            return None
        to_clock = clock(self._wall, now)
        if self._admission.stopping:
            return last_polls(self._polls, to_clock)
        return awaiting_visibility(self._settling.invisible, self._redrive, now, to_clock)

    def _freed_in(self) -> float:
        """Seconds until a message group may become free; infinite while none is blocked by this mapping."""
        if not self._extender.empty:
            return 0.0
        now = self._time()
        invisible = self._settling.invisible.messages(now)
        return inf if invisible is None else invisible[1] - now

    def _on_change(self) -> None:
        if self._admission.stopping:
            self._settling.stop()
            self._skipping.stop()
            if self._receiving.under_way:
                self._settling.defer_releases()
        self._receiving.pump()

    async def _read_visibility(self) -> Visibility:
        """The visibility rules, by the queue's present attributes. Raises SourceUnavailable."""
        try:
            found = await self._queue.attributes()
        except CallError as error:
            what = said_of(error, "sqs:GetQueueAttributes", self._queue.name.arn)
            raise SourceUnavailable(code_of(error), what, cause_of(error)) from error
        options = self._options
        timeout, self._lag.retention, self._redrive = found.visibility_timeout, found.retention, found.redrive
        visibility = Visibility(timeout, options.maximum_hold_seconds, options.failure_visibility_timeout_seconds)
        self._queue.ask_for(visibility.extension if visibility.explicit_on_receive else None)
        self._read_at = asyncio.get_running_loop().time()
        return visibility

    async def _refresh_visibility(self) -> None:
        try:
            self._extender.visibility = await self._read_visibility()
        except SourceUnavailable as unavailable:
            # receives report the error too; the attributes read last are still the best guess
            now = self._read_at = asyncio.get_running_loop().time()
            self._log.repeating("attributes_not_read", now, text=with_advice(unavailable.text, *unavailable.causes))

    def _admit(self, messages: list[Message], size: int) -> Sequence[Record]:
        if self._time() - self._read_at > ATTRIBUTES_LAST and (self._refresh is None or self._refresh.done()):
            self._refresh = asyncio.create_task(self._refresh_visibility())
        messages = self._intake.whole(messages, self._time())
        self._status.account.polled += len(messages)
        identifiers = identifiers_of(messages)
        if (
            len(identifiers) < len(messages)
            or not self._extender.by_id.keys().isdisjoint(identifiers)
            or not self._undeleted.keys().isdisjoint(identifiers)
        ):
            messages = self._without_known(messages)
        if not messages:
            self._admission.memory.release(size)
            return ()
        take = self._without_overlap if self._queue_name.fifo else self._extender.take
        records = self._skipping.matching(take(messages, size))
        return records if self._unwrapping is None else self._unwrapping.events(records)

    def _without_known(self, messages: list[Message]) -> list[Message]:
        """Remove messages that are held already, or settled and not yet deleted."""
        fresh: dict[str, Message] = {}
        account = self._status.account
        for message in messages:
            identifier = identifier_of(message)
            held = self._extender.by_id.get(identifier)
            known = fresh.get(identifier) if held is None else held.item
            if known is not None:
                # Its visibility ended although it is held, or it came twice in one receive. A delete needs the newest
                # receipt handle; the copy is dropped.
                renew_receipt(known, message)
                account.returned += 1
            elif (filtered := self._undeleted.get(identifier)) is not None:
                again = self._extender.take([message], 0)
                if filtered:
                    self._skipping.delete(again)
                else:
                    self._settling.delete(again)
                    account.delivered += 1
            else:
                fresh[identifier] = message
        return list(fresh.values())

    def _without_overlap(self, messages: list[Message], size: int) -> Sequence[Record]:
        """FIFO: messages of a group wait while a lane holds others of the same group, as they would at the service."""
        busy = {record.key for record in self._extender.by_id.values()}
        records = self._extender.take(messages, size, keyed=True)
        overlapping = [record for record in records if record.key in busy]
        if not overlapping:
            return records
        self._status.account.returned += len(overlapping)
        self._settling.release(overlapping, failed=True)
        return [record for record in records if record.key not in busy]

    def _release(self, records: Sequence[Record]) -> None:
        self._settling.release(records, failed=False)
        self._status.account.returned += len(records)
