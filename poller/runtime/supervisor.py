"""Runs one mapping from start to stop: it starts partitions, and restarts each with back-off, independent of the
others.

Daemon group > mapping > partition > lanes: a lane's error ends only its partition. The broad `except` around a
partition turns the error into a reason, a log line and another try. A second one is around the source's discovery of
partitions, whose errors end no running partition.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from weakref import WeakSet

from structlog.typing import FilteringBoundLogger

from poller.policy.advice import with_advice
from poller.policy.backoff import SOURCE
from poller.ports.source import Partition, Source
from poller.ports.status import MappingState, MappingStatus, PartitionStatus, Reason, ReasonCode, RunningParts
from poller.runtime.context import LaneContext
from poller.runtime.lanes import Lanes
from poller.values.errors import CutByStop, SourceUnavailable

REACH_SECONDS = 5.0
"""Seconds that a soft stop leaves to a call that reaches a source, whose result is no longer needed."""
SETTLED_IN = 60.0
"""Seconds a partition has to run before its next error counts as the first one again."""


async def run_mapping(
    source: Source, context: LaneContext, log: FilteringBoundLogger, running: RunningParts | None = None
) -> None:
    """Run every partition of a source until a soft stop; a hard stop is a cancellation. The status asks `running`."""
    status = context.status
    status.run = running

    def stopping() -> None:
        status.state, status.reason = MappingState.STOPPING, Reason(ReasonCode.STOPPING)

    context.admission.stop.listen(stopping)
    try:
        async with asyncio.TaskGroup() as group:
            async for partition in _partitions(source, context, log):
                group.create_task(_keep_partition(partition, context, log), name=f"{status.name}/{partition.name}")
    finally:
        context.admission.close()
        context.log.flush()
        status.state = MappingState.STOPPED
        status.reason = Reason(ReasonCode.STOPPED)


async def _partitions(source: Source, context: LaneContext, log: FilteringBoundLogger) -> AsyncIterator[Partition]:
    """Yield each partition once. An error of the source is shown and retried, and ends no running partition."""
    status, stop, failures = context.status, context.admission.stop, 0
    found, known = source.partitions(), WeakSet[Partition]()
    while True:
        try:
            partition = await _next_partition(found, context)
        except Exception as error:
            failures += 1
            now, delay = asyncio.get_running_loop().time(), SOURCE.delay(failures, context.chance)
            status.source_problem = replace(_reason_of(error), since=now, next_try=now + delay)
            status.show_problems()
            log.exception("source_failed", next_in=round(delay, 1))
            await stop.wait(delay)
            status.source_problem, found = None, source.partitions()
            continue
        if partition is None:
            return
        if partition not in known:
            known.add(partition)
            yield partition


async def _next_partition(found: AsyncIterator[Partition], context: LaneContext) -> Partition | None:
    """The next partition; None if there will be no more, and at a soft stop."""
    try:
        async with context.admission.stop.leaves(REACH_SECONDS):
            return await anext(found, None)
    except CutByStop:
        return None


async def _keep_partition(partition: Partition, context: LaneContext, log: FilteringBoundLogger) -> None:
    """Enter a partition, run its lanes, and enter it again after an error, until its end or a soft stop of the
    partition or the mapping.
    """
    time = asyncio.get_running_loop().time
    status, stop = context.status, partition.stop
    context = replace(context, stop=stop, permit=partition.permit, partition=partition.name)
    shown = PartitionStatus(id=partition.name, behind=partition.behind, unanswered_since=partition.unanswered_since)
    status.partitions.append(shown)
    failures, problem = 0, None
    while not stop.soft and not partition.finished:
        entered = time()
        try:
            async with AsyncExitStack() as stack:
                async with stop.leaves(REACH_SECONDS):
                    await stack.enter_async_context(partition)
                entered = time()
                shown.reason, status.reached = None, True
                status.show_problems()
                log.info("source_reached", partition=partition.name)
                await Lanes(partition, context, shown, partial(_lane_failed, shown, status)).run()
            continue
        except CutByStop:
            break
        except Exception as error:
            reason = _reason_of(error)
            if isinstance(error, SourceUnavailable):
                text = with_advice(reason.text, *reason.causes)
                log.warning("source_unavailable", partition=partition.name, code=reason.code.value, text=text)
            else:
                log.exception("partition_failed", partition=partition.name)
        now = time()
        if now - entered > SETTLED_IN:
            failures, problem = 0, None
        failures += 1
        delay = SOURCE.delay(failures, context.chance)
        status.reached = True
        before = shown.reason or problem
        since = before.since if before is not None and before.code is reason.code else now
        shown.reason = problem = replace(reason, since=since, next_try=now + delay)
        status.show_problems()
        await stop.wait(delay)
    stop.close()
    if partition.finished or partition.permit is not None:
        # one that others may take over is theirs to show
        status.partitions.remove(shown)
        if not context.admission.stopping:
            status.show_problems()


def _lane_failed(shown: PartitionStatus, status: MappingStatus, error: BaseException) -> None:
    """Show the error while the other lanes finish."""
    shown.reason = replace(_reason_of(error), since=asyncio.get_running_loop().time())
    status.show_problems()


def _reason_of(error: BaseException) -> Reason:
    """The reason for an error, also for one that task groups have wrapped."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, SourceUnavailable):
        return Reason(ReasonCode(error.code), error.text, causes=error.causes)
    return Reason(ReasonCode.ERROR, f"{type(error).__name__}: {error}")
