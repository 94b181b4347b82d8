"""Runs the lanes of one partition: as many as the pace allows, and an error of one cancels no other.

An error that escapes from a lane ends the partition, because shared state may be broken. The other lanes nevertheless
stop softly: their running invocations end and are settled; otherwise their records would be delivered twice.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from poller.ports.function import FENCE
from poller.ports.source import Lane, Partition
from poller.ports.status import LaneStatus, PartitionStatus, ReasonCode
from poller.runtime.context import LaneContext
from poller.runtime.lane import run_lane

RECEIVING = frozenset({ReasonCode.STARTING, ReasonCode.NO_DATA, ReasonCode.WINDOW})
"""Steps in which a lane waits for its source and no function runs, so that it may be cancelled."""


class Lanes:
    """The lanes of a partition, from one enter to the next leave."""

    def __init__(
        self,
        partition: Partition,
        context: LaneContext,
        shown: PartitionStatus,
        failed: Callable[[BaseException], None],
    ) -> None:
        """`failed` is called with the first error at once, while other lanes may still be finishing."""
        self._partition = partition
        self._stop = context.stop.child()
        self._context = replace(context, stop=self._stop)
        self._shown = shown
        self._failed = failed
        self._failure: BaseException | None = None
        self._tasks: dict[asyncio.Task[None], LaneStatus] = {}

    async def run(self) -> None:
        """Run the lanes until all have ended by themselves. Raises the first error."""
        self._shown.lanes.clear()
        if self._partition.fixed_lanes is None:
            self._context.admission.on_growth(self._grow)
        try:
            self._grow()
            while self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            self._stop.request()
            self._stop.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._failure is not None:
            raise self._failure

    def _grow(self) -> None:
        fixed = self._partition.fixed_lanes
        while not self._stop.soft and len(self._shown.lanes) < (
            self._context.admission.pace.lanes if fixed is None else fixed
        ):
            status = LaneStatus(since=asyncio.get_running_loop().time())
            self._shown.lanes.append(status)
            task = asyncio.create_task(_fenced(self._partition.lane(), self._context, status))
            self._tasks[task] = status
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        error = None if task.cancelled() else task.exception()
        if error is None or self._failure is not None:
            return
        self._failure = error
        self._failed(error)
        self._stop.request()
        for other, status in self._tasks.items():
            if status.code in RECEIVING:
                other.cancel()


async def _fenced(lane: Lane, context: LaneContext, status: LaneStatus) -> None:
    """Run a lane. Every invocation from its task is one under the partition's permit."""
    permit = context.permit
    if permit is not None:
        FENCE.set(f"x-poller-shard: {permit.shard_id}\r\nx-poller-fence: {permit.fence}\r\n".encode())
    await run_lane(lane, context, status)
