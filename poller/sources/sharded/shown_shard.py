"""What the status shows of one shard."""

import asyncio
from collections.abc import Callable, Sequence

from poller.policy.progress import ShardProgress
from poller.ports.status import MappingStatus, PartitionStatus, Reason, ReasonCode
from poller.runtime.stop import Stop


class ShownShard:
    """Writes into the status of one shard while the mapping runs it."""

    def __init__(self, status: MappingStatus, shard_id: str, stop: Stop, finished: Callable[[], bool]) -> None:
        """`finished` says whether the partition is over, so that the status of its name is another's."""
        self._status = status
        self._shard_id = shard_id
        self._stop = stop
        self._finished = finished

    def show(self, reason: Reason | None) -> None:
        """Show why nothing is read; None for no reason."""
        shown = self._shown
        if shown.reason is not reason:
            shown.reason = reason
            if not self._stop.soft:
                self._status.show_problems()

    def show_full(self, held: Sequence[int]) -> None:
        """Show which lane a shard waits for that is read as far ahead as is allowed; `held` are the lanes' records."""
        slowest = max(range(len(held)), key=lambda number: held[number])
        text = f"lane {slowest} is the slowest; the shard is read on when it has settled more"
        self.show(Reason(ReasonCode.READ_AHEAD, text, since=asyncio.get_running_loop().time()))

    def stored(self, progress: ShardProgress) -> None:
        """Show progress that became durable."""
        shown, windows = self._shown, (lane.window.open for lane in progress.lanes)
        shown.position, shown.window = progress.position, next(filter(None, windows), None)

    @property
    def _shown(self) -> PartitionStatus:
        if self._finished():
            # a shard of the stream that replaced this one may have the same name
            return PartitionStatus(self._shard_id)
        found = (one for one in reversed(self._status.partitions) if one.id == self._shard_id)
        return next(found, None) or PartitionStatus(self._shard_id)
