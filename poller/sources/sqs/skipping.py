"""Removes messages that do not match the filter criteria: they are deleted, or forwarded and then deleted."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from poller.policy.filtering import Filter, Verdict
from poller.sources.sqs.backlog import Backlog
from poller.sources.sqs.forwarding import Forwarding
from poller.sources.sqs.message import Message, body_of
from poller.sources.sqs.queue import Queue
from poller.sources.sqs.settling import Settling
from poller.support.rate_limited_log import RateLimitedLog
from poller.values.record import Record

SHOWN = 60
"""Characters of a payload in the log, enough to recognise it."""


@dataclass(frozen=True, slots=True)
class SqsFiltering:
    """The filter of a mapping, and the target of messages that do not match."""

    criteria: Filter
    send_to: Queue | None = None
    """The queue they are forwarded to before they are deleted; None to delete only."""


class Skipping:
    """Applies the filter to every received message."""

    def __init__(
        self,
        judge: Callable[[Message], Verdict] | None,
        settling: Settling,
        backlog: Backlog,
        forwarding: Forwarding | None,
        log: RateLimitedLog,
    ) -> None:
        """Without `judge` every message matches; without `forwarding` the others are deleted."""
        self._judge = judge
        self._settling = settling
        self._account = settling.account
        self._backlog = backlog
        self._forwarding = forwarding
        self._log = log

    def matching(self, records: Sequence[Record]) -> Sequence[Record]:
        """The records to deliver, in their order. The others are deleted or forwarded."""
        judge = self._judge
        if judge is None:
            return records
        verdicts = [judge(record.item) for record in records]
        if all(verdict is Verdict.MATCH for verdict in verdicts):
            return records
        skipped, matching = [], []
        for record, verdict in zip(records, verdicts, strict=True):
            if verdict is Verdict.MATCH:
                matching.append(record)
            else:
                skipped.append(record)
                if verdict is Verdict.NOT_JSON:
                    self._note(record)
        if self._forwarding is None:
            self.delete(skipped)
        else:
            self._backlog.add(len(skipped))
            self._forwarding.add(skipped)
        return matching

    def delete(self, records: Sequence[Record]) -> None:
        """Delete messages that the function does not get, also again, where an earlier delete failed."""
        self._backlog.add(len(records))
        self._account.filtered += len(records)
        self._settling.delete(records, filtered=True)

    def _note(self, record: Record) -> None:
        self._account.filtered_not_json += 1
        self._log.repeating(
            "payload_not_json",
            asyncio.get_running_loop().time(),
            text="a pattern asks for fields of the body, which is not JSON: the message does not match",
            message_id=record.identifier,
            begins=body_of(record.item)[:SHOWN],
        )

    def stop(self) -> None:
        """A soft stop: nothing is forwarded any more."""
        if self._forwarding is not None:
            self._forwarding.stop()

    async def drain(self) -> None:
        """Return when nothing is being forwarded."""
        if self._forwarding is not None:
            await self._forwarding.drain()

    async def abandon(self) -> None:
        """Hard stop: release the messages that are being forwarded."""
        if self._forwarding is not None:
            await self._forwarding.abandon()
