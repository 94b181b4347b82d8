"""How far the reading of one shard is behind, and up to which time it is complete."""

import asyncio
from collections.abc import Sequence

from poller.policy.unanswered import UnansweredCalls
from poller.policy.windows import Quiet
from poller.sources.sharded.api import ShardPage
from poller.sources.sharded.lane import StreamLane
from poller.sources.sharded.stream import Stream

PAGE_LASTS = 30.0
"""Seconds for which the lag of the last page is shown, beyond twice the longest time between two reads."""


class ShardQuiet:
    """Tells the lanes up to which time all records have arrived, so that a window can end without a later record."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._quiet = Quiet()

    def note(self, page: ShardPage, lanes: Sequence[StreamLane]) -> None:
        """A page was read."""
        now = self._stream.clock.judging(asyncio.get_running_loop().time())
        if now is not None:
            complete_to = self._quiet.read(now, page.behind_seconds, empty=not page.records)
            for lane in lanes:
                lane.complete_to(complete_to)


class ShardLag:
    """The lag of one shard: by the records it holds, else by the last page. Times are the loop's."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._reported: float | None = None
        self._reported_at = 0.0

    def note(self, page: ShardPage) -> None:
        """A page was read."""
        self._reported, self._reported_at = page.behind_seconds, asyncio.get_running_loop().time()

    def seconds(self, lanes: Sequence[StreamLane], unanswered: UnansweredCalls) -> float | None:
        """The age of the oldest held record, else the lag of the last page. None where it is not known: the last page
        is too old, or an answer is overdue.
        """
        stream, loop_time = self._stream, asyncio.get_running_loop().time()
        oldest = [stream.arrival(lane.oldest) for lane in lanes if lane.held and lane.oldest is not None]
        now = stream.clock.time(loop_time)
        if oldest and now is not None:
            return max(0.0, now - min(oldest))
        lasts = PAGE_LASTS + 2 * stream.options.idle_poll_interval
        known = loop_time - self._reported_at < lasts and unanswered.since(loop_time) is None
        return self._reported if known else None
