"""Forwards messages that do not match the filter to another queue, unchanged, then deletes them.

A send that fails is retried for as long as the messages can be kept invisible: such messages block the mapping, but
they are not lost. After a lost answer messages are sent twice; a FIFO target recognises the deduplication id.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from poller.policy.backoff import SETTLE, Chance
from poller.sources.sqs.backlog import Backlog
from poller.sources.sqs.gatherer import LINGER, Gatherer
from poller.sources.sqs.message import entry_of
from poller.sources.sqs.queue import MOST_PER_CALL, Queue
from poller.sources.sqs.settling import ReportCall, Settling
from poller.sources.sqs.visibility_extender import VisibilityExtender
from poller.support import codec
from poller.values.errors import CallError
from poller.values.record import Record

MOST_BYTES = 262_144
"""Most bytes of all messages of one call: the oldest and lowest limit of the service."""
SEND_ACTION = "sqs:SendMessage"


class Forwarding:
    """From one queue to another."""

    def __init__(
        self,
        target: Queue,
        extender: VisibilityExtender,
        settling: Settling,
        backlog: Backlog,
        report_call: ReportCall,
        *,
        bug: Callable[[BaseException], None],
        chance: Chance,
    ) -> None:
        self._target = target
        self._extender = extender
        self._settling = settling
        self._backlog = backlog
        self._report_call = report_call
        self._chance = chance
        self._stopped = asyncio.Event()
        self._left: dict[Record, None] = {}
        # FIFO: messages received together are sent together, or a later call could overtake an earlier one
        self._sends: Gatherer[Record] = Gatherer(self._send, bug, 0.0 if target.name.fifo else LINGER)

    def add(self, records: Sequence[Record]) -> None:
        """Hand over. The messages count as in flight until the target has them."""
        self._left.update(dict.fromkeys(records))
        self._sends.add(records)

    async def _send(self, records: Sequence[Record]) -> None:
        """Retry until the target has every message, the messages cannot be held any longer, or a stop."""
        failures = 0
        try:
            while not self._stopped.is_set():
                now = asyncio.get_running_loop().time()
                self._release([record for record in records if self._extender.hold_until([record]) <= now])
                records = [record for record in records if record in self._left]
                if not records:
                    return
                batch = self._next_batch(records)
                accepted, error = await self._try(batch)
                self._accepted(accepted)
                if error is None:
                    failures = 0
                    self._report_call(None, SEND_ACTION, 0.0)
                else:
                    failures += 1
                    await self._wait(error, SETTLE.delay(failures, self._chance))
        finally:
            self._release(records)

    def _next_batch(self, left: Sequence[Record]) -> list[Record]:
        """The messages of one call; for a FIFO queue one of each group, so that none overtakes one that is refused."""
        batch: list[Record] = []
        groups: set[str | None] = set()
        size = 0
        for record in left:
            if self._target.name.fifo:
                if record.key in groups:
                    continue
                groups.add(record.key)
            size += len(codec.dumps(self._entry(record)))
            if len(batch) == MOST_PER_CALL or (batch and size > MOST_BYTES):
                break
            batch.append(record)
        return batch

    def _entry(self, record: Record) -> dict[str, Any]:
        return entry_of(record.item, fifo=self._target.name.fifo)

    async def _try(self, batch: Sequence[Record]) -> tuple[list[Record], CallError | None]:
        """One call: the messages that the target has now, and the error of the first one that it refused."""
        try:
            refused = {refusal.index: refusal for refusal in await self._target.send([*map(self._entry, batch)])}
        except CallError as error:
            return [], error
        accepted = [record for index, record in enumerate(batch) if index not in refused]
        first = next(iter(refused.values()), None)
        return accepted, None if first is None else first.error

    def _accepted(self, records: Sequence[Record]) -> None:
        for record in records:
            del self._left[record]
        self._settling.account.filtered += len(records)
        self._settling.delete(records, filtered=True)

    def _release(self, records: Sequence[Record]) -> None:
        records = [record for record in records if record in self._left]
        for record in records:
            del self._left[record]
        self._settling.release(records, failed=False)
        self._settling.account.returned += len(records)
        self._backlog.done(len(records))

    async def _wait(self, error: CallError, seconds: float) -> None:
        self._report_call(error, SEND_ACTION, seconds)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopped.wait()

    def stop(self) -> None:
        """Stop retrying; a running call may end soon."""
        self._stopped.set()
        self._sends.stop()

    async def drain(self) -> None:
        """Return when every call has ended."""
        await self._sends.drain()

    async def abandon(self) -> None:
        """End the calls that still run, and release their messages."""
        await self._sends.abandon()
        # messages of calls that had not begun
        self._release(list(self._left))
