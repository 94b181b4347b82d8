"""How far behind its queue a mapping is: what it holds tells the seconds, the queue alone the number of messages."""

import asyncio
from collections.abc import Callable

from poller.errors import CallError
from poller.runtime.status import Lag
from poller.sources.sqs.holding import Holding
from poller.sources.sqs.polls import Polls
from poller.sources.sqs.queue import Queue

DEPTH_LASTS = 10.0
"""Seconds the number of messages is believed while somebody keeps looking. Nobody looking, it is never asked for."""
PATIENCE = 2.0
"""Seconds a person waits for it; the rest of the status is worth seeing without."""


class QueueLag:
    """One queue's."""

    def __init__(self, queue: Queue, wall: Callable[[], float]) -> None:
        """`wall` is the seconds since the epoch; messages carry their age by the service's clock."""
        self.retention: float | None = None
        self._queue = queue
        self._wall = wall
        self._depth: int | None = None
        self._asked_at = float("-inf")
        self._holding: Holding | None = None
        self._polls: Polls | None = None

    def watch(self, holding: Holding, polls: Polls) -> None:
        """Of the partition's present life."""
        self._holding, self._polls = holding, polls

    async def look(self) -> None:
        """Ask for the depth, if the last answer is old."""
        now = asyncio.get_running_loop().time()
        if self._polls is None or now - self._asked_at < DEPTH_LASTS:
            return
        self._asked_at = now
        try:
            async with asyncio.timeout(PATIENCE):
                self._depth = await self._queue.depth()
        except (CallError, TimeoutError):
            # why the queue does not answer shows where messages are received from it
            self._depth = None

    def seconds(self) -> float | None:
        """Age of the oldest message in hand; 0 when the queue was found empty."""
        if self._holding is None or self._polls is None:
            return None
        held = self._holding.by_id.values()
        # compatible services may leave it out
        sent = [int(record.item.get("Attributes", {}).get("SentTimestamp", 0)) for record in held]
        if sent:
            return max(0.0, self._wall() - min(sent) / 1000) if min(sent) else None
        return 0.0 if self._polls.quiet else None

    def lag(self) -> Lag:
        """Records are those waiting in the queue when it was asked last; None once that is old."""
        seconds, now = self.seconds(), asyncio.get_running_loop().time()
        expires = max(0.0, self.retention - seconds) if seconds and self.retention is not None else None
        fresh = now - self._asked_at < 2 * DEPTH_LASTS
        return Lag(self._depth if fresh else None, seconds, expires)
