"""How far behind its queue a mapping is: seconds by the messages it holds, messages by the queue's own count."""

import asyncio
from collections.abc import Callable

from poller.ports.status import Lag
from poller.sources.sqs.invisible import InvisibleFailures
from poller.sources.sqs.message import sent_at
from poller.sources.sqs.polls import Polls
from poller.sources.sqs.queue import Depth, Queue
from poller.sources.sqs.visibility_extender import VisibilityExtender
from poller.values.errors import CallError

DEPTH_LASTS = 150.0
"""Seconds for which the queue's count is shown. The queue is only asked while somebody reads the status."""
PATIENCE = 2.0
"""Seconds that a status request waits for the count; the rest of the status is useful without it."""


class QueueLag:
    """The lag of one queue."""

    def __init__(self, queue: Queue, wall: Callable[[], float]) -> None:
        """`wall` is the seconds since the epoch; messages carry their age by the service's clock."""
        self.retention: float | None = None
        self._queue = queue
        self._wall = wall
        self._depth = Depth(None, None)
        self._asked_at = float("-inf")
        self._extender: VisibilityExtender | None = None
        self._polls: Polls | None = None
        self._invisible: InvisibleFailures | None = None

    def watch(self, extender: VisibilityExtender, polls: Polls, invisible: InvisibleFailures) -> None:
        """Use these from now on: the partition was entered again."""
        self._extender, self._polls, self._invisible = extender, polls, invisible

    @property
    def watching(self) -> bool:
        """Whether the partition was entered."""
        return self._extender is not None

    def in_flight(self) -> int:
        """Messages in hand."""
        return 0 if self._extender is None else len(self._extender.by_id)

    async def look(self, max_age: float) -> None:
        """Ask the queue for its depth, if the last answer is older than `max_age` seconds."""
        now = asyncio.get_running_loop().time()
        if self._polls is None or now - self._asked_at < max_age:
            return
        self._asked_at = now
        try:
            async with asyncio.timeout(PATIENCE):
                self._depth = await self._queue.depth()
        except (CallError, TimeoutError):
            # the receives show why the queue does not answer
            self._depth = Depth(None, None)

    def seconds(self) -> float | None:
        """Age of the oldest held message that has a send time; 0 when the last receive found nothing, and no failed
        message waits to be visible again.
        """
        if self._extender is None or self._polls is None or self._invisible is None:
            return None
        held = self._extender.by_id.values()
        if held:
            oldest = min(filter(None, (sent_at(record.item) for record in held)), default=None)
            return None if oldest is None else max(0.0, self._wall() - oldest)
        # while an answer is overdue, the queue may hold any number of messages
        now = asyncio.get_running_loop().time()
        silent = self._queue.unanswered.since(now) is not None
        return 0.0 if self._polls.quiet and not silent and self._invisible.messages(now) is None else None

    def lag(self) -> Lag:
        """The number of records is the queue's last count; None once that is old."""
        seconds, now = self.seconds(), asyncio.get_running_loop().time()
        expires = max(0.0, self.retention - seconds) if seconds and self.retention is not None else None
        depth = self._depth if now - self._asked_at < DEPTH_LASTS else Depth(None, None)
        return Lag(
            depth.visible,
            seconds,
            expires,
            hidden=depth.hidden,
            retention=self.retention,
            empty_at=self._asked_at if depth.is_empty else None,
        )
