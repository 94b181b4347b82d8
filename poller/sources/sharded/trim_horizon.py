"""Checks whether the stream still holds the records that a lane retries: only the source knows that they expired."""

import asyncio
from collections.abc import Callable, Sequence

from poller.policy.positions import place
from poller.sources.sharded.api import PolledApi, Position, Shard
from poller.sources.sharded.lane import StreamLane
from poller.sources.sharded.stream import Stream
from poller.values.errors import CallError, IteratorExpired, PositionTrimmed, ShardGone, StreamGone, UnreadableRecord

SHORTEST_RETENTION = 24 * 3600.0
"""Shortest retention of a stream of either service, in seconds: younger records need no check."""
INTERVAL = 600.0
"""Seconds between two checks."""


class TrimHorizon:
    """The first record that one shard still holds."""

    def __init__(
        self, stream: Stream, shard: Shard, lanes: Sequence[StreamLane], closed: Callable[[str], bool]
    ) -> None:
        """`closed` says whether a shard is listed as ended."""
        self._stream = stream
        self._shard = shard
        self._lanes = lanes
        self._closed = closed

    async def watch(self) -> None:
        """Tell lanes with old records where the shard begins now. Runs until it is cancelled; ends at once for a stream
        that cannot be polled: its reader is told what expired.
        """
        while self._stream.polled is not None:
            await asyncio.sleep(INTERVAL)
            if not any(self._is_old(lane) for lane in self._lanes):
                continue
            try:
                begins = await self._begins(self._stream.polled)
            except (CallError, IteratorExpired, PositionTrimmed, StreamGone, UnreadableRecord):
                # the reader gets the same error, and shows it
                continue
            if begins is not None:
                for lane in self._lanes:
                    lane.trimmed_before(begins)

    def _is_old(self, lane: StreamLane) -> bool:
        now = self._stream.clock.time(asyncio.get_running_loop().time())
        oldest = lane.oldest
        return now is not None and oldest is not None and self._stream.arrival(oldest) < now - SHORTEST_RETENTION

    async def _begins(self, api: PolledApi) -> str | None:
        """Sequence number of the first record in the shard; None if it is not known."""
        # all shards may check at once, and one record may be large
        room = self._stream.admission.memory.reservation(patient=True)
        try:
            iterator = await api.iterator(self._shard.id, Position("TRIM_HORIZON"))
            async with self._stream.limit(self._shard.id).calls:
                page = await api.page(iterator, 1, room)
        except ShardGone:
            return self._beyond_all()
        finally:
            room.close()
        self._stream.clock.observe(page.date, asyncio.get_running_loop().time())
        if page.records:
            return api.sequence_number(page.records[0])
        # an empty page in the middle says nothing; one at the tip, or at the end, says that nothing is left
        at_end = page.next_iterator is None and self._closed(self._shard.id)
        return self._beyond_all() if at_end or page.behind_seconds == 0 else None

    def _beyond_all(self) -> str:
        known = [place(lane.newest.identifier)[0] for lane in self._lanes if lane.newest is not None]
        return str(max(known, default=0) + 1)
