"""One run of a redrive: a canary first, at a rate, until its end or the first record that fails again."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from poller.configuration import EventSourceMapping
from poller.engine.functions import Use
from poller.engine.invoker import FunctionInvoker
from poller.engine.parts import Wiring
from poller.policy.frontier import at_or_below
from poller.policy.positions import item_identifier
from poller.policy.redriving import MOST_FAILED, Redriven, State, Verdict, verdict
from poller.sources.kind import Beside, Seen
from poller.values.errors import CallError, NotPossible, PollerError
from poller.values.record import Record

MARGIN_SECONDS = 60
"""For which messages stay invisible beyond the invocation of their batch."""
ASK_SECONDS = 10.0
PAGE = 100
"""Records of one read of a stream."""
MOST_WITHHELD = 10_000
"""Messages that are kept invisible because they are not of the redrive."""


@dataclass(slots=True, eq=False)
class Run:
    """One run of a redrive."""

    wiring: Wiring
    invoker: FunctionInvoker
    save: Callable[[Redriven], Awaitable[None]]
    """Raises StateError."""
    ends: Callable[[], Awaitable[str]]
    """Why it stops now, empty while it goes on: asked before each batch. Raises StateError and GoesOnElsewhere."""
    mapping: EventSourceMapping
    redriven: Redriven
    withheld: list[tuple[Seen, Record]] = field(default_factory=list)
    """Messages that are not this redrive's: given back at the end, or they would be received again at once."""

    async def all_of(self) -> None:
        """Until its end, or until it stops."""
        redriven = self.redriven
        try:
            async with self.wiring.beside(self.mapping, redriven.which, visibility(self.mapping, redriven)) as beside:
                try:
                    for partition in await partitions_of(beside, redriven):
                        if partition not in self.redriven.over:
                            await self._partition(beside, partition)
                finally:
                    for seen, record in self.withheld:
                        await seen.give_back([record])
            self.redriven = replace(self.redriven, state=State.FINISHED)
        except GoesOnElsewhere as elsewhere:
            # what is stored of it is the other's
            self.redriven = replace(self.redriven, state=State.STOPPED, why=str(elsewhere))
            return
        except _Stopped as stopped:
            self.redriven = replace(self.redriven, state=State.STOPPED, why=str(stopped))
        except CallError as error:
            self.redriven = replace(self.redriven, state=State.STOPPED, why=f"the source refuses: {error}")
        except NotPossible as error:
            self.redriven = replace(self.redriven, state=State.STOPPED, why=str(error))
        await self.save(self.redriven)

    async def _partition(self, beside: Beside, partition: str) -> None:
        while await self._some(beside, partition):
            # the canary has passed: the same from there, in whole batches
            pass
        self.redriven = replace(self.redriven, over=(*self.redriven.over, partition))
        await self.save(self.redriven)

    async def _some(self, beside: Beside, partition: str) -> bool:
        """Up to the end; with the canary up to that. Whether there may be more."""
        alone = beside.receives and not self.redriven.canary
        begin = self.redriven.begin_of(partition)
        most = self.redriven.batch if beside.receives else PAGE
        async with aclosing(beside.seen(partition, begin, 1 if alone else most)) as pages:
            async for seen in pages:
                await self._miss(seen)
                wanted, over = await self._wanted(seen, receives=beside.receives)
                await self._deliver(seen, wanted, ordered=seen.ordered)
                if over:
                    return False
                if alone and self.redriven.canary:
                    return True
        return False

    async def _miss(self, seen: Seen) -> None:
        """Count what the source no longer has, once."""
        if seen.gone and seen.key is not None and seen.key not in self.redriven.cursors:
            cursors = self.redriven.at(seen.partition, seen.key, "")
            self.redriven = replace(self.redriven, gone=self.redriven.gone + seen.gone, cursors=cursors)
            await self.save(self.redriven)
        if not seen.records:
            await seen.done([])

    async def _wanted(self, seen: Seen, *, receives: bool) -> tuple[list[Record], bool]:
        """The records that are this redrive's, and whether the interval is over."""
        redriven, wanted, over = self.redriven, [], False
        cursor = redriven.cursors.get(seen.key or "")
        for record in seen.records:
            arrived = seen.arrived(record)
            if record.identifier in redriven.last or (cursor and at_or_below(record.identifier, cursor)):
                # counted before
                await seen.done([record])
                continue
            late = redriven.end is not None and arrived is not None and arrived >= redriven.end
            over = over or late
            failed = redriven.passing_over and record.identifier in redriven.failures
            if not (late or failed) and seen.passes(record):
                wanted.append(record)
            elif receives:
                self._withhold(seen, record)
        return wanted, over and not receives

    def _withhold(self, seen: Seen, record: Record) -> None:
        if len(self.withheld) >= MOST_WITHHELD:
            raise _Stopped(f"{MOST_WITHHELD:,} messages are not of this redrive")
        self.withheld.append((seen, record))

    async def _deliver(self, seen: Seen, records: list[Record], *, ordered: bool) -> None:
        """Raises _Stopped once a record has failed, and gives back what is left."""
        waiting = deque([records]) if records else deque()
        try:
            while waiting:
                most = self.redriven.batch if self.redriven.canary else 1
                if len(waiting[0]) > most:
                    batch = waiting.popleft()
                    waiting.extendleft([batch[most:], batch[:most]])
                count = len(waiting[0])
                await self._batch(seen, waiting, ordered=ordered)
                await asyncio.sleep(count / self.redriven.rate)
        finally:
            # none where all went well
            left = [record for batch in waiting for record in batch]
            self.redriven = replace(self.redriven, left=self.redriven.left + len(left))
            if left:
                await seen.give_back(left)

    async def _batch(self, seen: Seen, waiting: deque[list[Record]], *, ordered: bool) -> None:
        """The batch in front. Raises _Stopped."""
        if why := await self.ends():
            raise _Stopped(why)
        mapping, batch = self.mapping, waiting[0]
        outcome = await self.invoker.once(Use.by(mapping), seen.encode(batch))
        waiting.popleft()
        identifiers = [item_identifier(record.identifier) for record in batch]
        found = verdict(identifiers, outcome, partial=mapping.report_batch_item_failures)
        if found.split:
            half = len(batch) // 2
            waiting.extendleft([batch[half:], batch[:half]])
            return
        done = [batch[index] for index in found.done_of(len(batch), ordered=ordered)]
        failed = [batch[index] for index in found.failed] if found.why else []
        rest = [record for record in batch if record not in done and record not in failed]
        if rest:
            waiting.appendleft(rest)
        await self._count(seen, done, failed, found)
        if found.why:
            raise _Stopped(found.why)

    async def _count(self, seen: Seen, done: Sequence[Record], failed: Sequence[Record], found: Verdict) -> None:
        """Store what became of a batch; only then a queue forgets what is done."""
        before = self.redriven
        cursors = before.cursors
        if done and seen.key is not None:
            cursors = before.at(seen.partition, seen.key, done[-1].identifier)
        names = tuple(record.identifier for record in failed)
        self.redriven = replace(
            before,
            canary=before.canary or (bool(done) and not found.why),
            done=before.done + len(done),
            failed=before.failed + len(failed),
            cursors=cursors,
            last=tuple(record.identifier for record in done),
            failures=(*before.failures, *names)[-MOST_FAILED:],
        )
        await self.save(self.redriven)
        if done:
            await seen.done(done)
        if failed:
            await seen.give_back(failed)


class GoesOnElsewhere(PollerError):
    """Another daemon goes on with this very redrive."""


class _Stopped(PollerError):
    """It stops here; the text says why."""


async def partitions_of(beside: Beside, redriven: Redriven) -> list[str]:
    try:
        async with asyncio.timeout(ASK_SECONDS):
            known = await beside.partitions()
    except (CallError, TimeoutError) as error:
        raise NotPossible(f"the source does not say what there is: {error}") from error
    if redriven.shard is not None and redriven.shard not in known:
        raise NotPossible(f"there is no shard {redriven.shard}; there are: {', '.join(known[:10])}")
    return [one for one in known if redriven.shard in (None, one)]


def visibility(mapping: EventSourceMapping, redriven: Redriven) -> int:
    """Seconds: the messages of one receive are invoked within them, one after the other where they are split."""
    return min(43_200, int(mapping.function.timeout_seconds + MARGIN_SECONDS + redriven.batch / redriven.rate))
