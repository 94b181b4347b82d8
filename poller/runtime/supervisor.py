"""One mapping from start to stop: its partitions come and go, each restarted with back-off, none touching another.

Daemon group > mapping > partition > lanes: a lane's error ends its partition alone, and the one broad `except` around
a partition turns it into a reason, a log line and another try.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

from structlog.typing import FilteringBoundLogger

from poller.errors import CutByStop, SourceUnavailable
from poller.policy.backoff import SOURCE
from poller.ports import Partition, Source
from poller.runtime.context import LaneContext
from poller.runtime.lane import run_lane
from poller.runtime.status import LaneStatus, MappingState, PartitionStatus, Reason, ReasonCode

REACH_SECONDS = 5.0
"""Seconds a soft stop leaves to a call that reaches a source, which nothing depends on any more."""
SETTLED_IN = 60.0
"""Seconds a partition has to run before an error counts as its first again."""


async def run_mapping(source: Source, context: LaneContext, log: FilteringBoundLogger) -> None:
    """Run every partition of a source until a soft stop; a hard stop is a cancellation."""
    status = context.status

    def stopping() -> None:
        status.state, status.reason = MappingState.STOPPING, Reason(ReasonCode.STOPPING)

    context.admission.stop.listen(stopping)
    try:
        async with asyncio.TaskGroup() as group:
            found = source.partitions()
            while (partition := await _next_partition(found, context)) is not None:
                group.create_task(_keep_partition(partition, context, log), name=f"{status.name}/{partition.name}")
    finally:
        context.admission.close()
        status.state = MappingState.STOPPED
        status.reason = Reason(ReasonCode.STOPPED)


async def _next_partition(found: AsyncIterator[Partition], context: LaneContext) -> Partition | None:
    """None when there will be no more, and at a soft stop."""
    try:
        async with context.admission.stop.leaves(REACH_SECONDS):
            return await anext(found, None)
    except CutByStop:
        return None


async def _keep_partition(partition: Partition, context: LaneContext, log: FilteringBoundLogger) -> None:
    """Enter a partition, run its lanes, and enter it again after trouble, until a soft stop, of it or of the whole
    mapping, or until its end.
    """
    time = asyncio.get_running_loop().time
    status, stop = context.status, partition.stop
    context = replace(context, stop=stop)
    shown = PartitionStatus(id=partition.name, behind=partition.behind, silent_since=partition.silent_since)
    status.partitions.append(shown)
    failures, trouble = 0, None
    while not stop.soft and not partition.finished:
        entered = time()
        try:
            async with AsyncExitStack() as stack:
                async with stop.leaves(REACH_SECONDS):
                    await stack.enter_async_context(partition)
                entered = time()
                shown.reason, status.reached = None, True
                status.show_troubles()
                log.info("source_reached", partition=partition.name)
                await _run_lanes(partition, context, shown)
            continue
        except CutByStop:
            break
        except SourceUnavailable as unavailable:
            code, text = ReasonCode(unavailable.code), unavailable.text
            log.warning("source_unavailable", partition=partition.name, code=code.value, text=text)
        except Exception as error:
            code, text = ReasonCode.ERROR, _innermost(error)
            log.exception("partition_failed", partition=partition.name)
        now = time()
        if now - entered > SETTLED_IN:
            failures, trouble = 0, None
        failures += 1
        delay = SOURCE.delay(failures, context.chance)
        status.reached = True
        since = trouble.since if trouble is not None and trouble.code is code else now
        shown.reason = trouble = Reason(code, text, since=since, next_try=now + delay)
        status.show_troubles()
        await stop.wait(delay)
    stop.close()
    if partition.finished:
        status.partitions.remove(shown)
        if not context.admission.stopping:
            status.show_troubles()


def _innermost(error: BaseException) -> str:
    """What went wrong, out of the groups that tasks wrap around it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


async def _run_lanes(partition: Partition, context: LaneContext, shown: PartitionStatus) -> None:
    """As many lanes as the partition has, or as the pace allows and more as it grows. They end by themselves."""
    shown.lanes.clear()
    fixed = partition.fixed_lanes
    async with asyncio.TaskGroup() as group:

        def grow() -> None:
            while len(shown.lanes) < (context.admission.pace.lanes if fixed is None else fixed):
                lane_status = LaneStatus(since=asyncio.get_running_loop().time())
                shown.lanes.append(lane_status)
                lane = run_lane(partition.lane(), context, lane_status)
                try:
                    group.create_task(lane)
                except RuntimeError:
                    # the group is being cancelled and takes no more tasks
                    lane.close()

        if fixed is None:
            context.admission.on_growth(grow)
        grow()
