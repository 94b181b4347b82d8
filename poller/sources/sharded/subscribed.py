"""Receives the pages of one shard by a subscription, and renews it whenever it ends.

The service ends each subscription after five minutes. The next one starts after the last page, so there is neither gap
nor duplicate. A page is read from the connection only when it is requested; until then the service has to wait.
"""

import asyncio

from poller.sources.sharded.api import Position, Shard, ShardPage, Subscription, Subscriptions
from poller.sources.sharded.page_memory import PageMemory
from poller.sources.sharded.stream import Stream
from poller.values.errors import AnswerLost, IteratorExpired, NoRoom, ServiceError

SILENCE = 60.0
"""Seconds without any page after which a subscription counts as dead. The service pushes an empty page every five
seconds (observed)."""
WAITED = 0.5
"""A page that was waited for longer than this many seconds was not in our buffers before: transfer takes less."""
IN_USE = "ResourceInUseException"
"""Another subscription is too young, or took this one over, or the consumer is not active."""


class SubscribedPages:
    """`Pages` that are pushed."""

    def __init__(self, stream: Stream, shard: Shard, subscriptions: Subscriptions, room: PageMemory) -> None:
        self._stream = stream
        self._shard = shard
        self._subscriptions = subscriptions
        self.call = subscriptions.call
        self._room = room
        self._open: Subscription | None = None
        self._begins = False
        """Whether the subscription brought no page yet."""
        self._not_before = float("-inf")
        self._left_at = float("-inf")
        self._age = 0.0
        begun = stream.tips.subscriptions.pop(shard.id, None)
        if begun is not None:
            self._begin(begun)

    def wait(self, now: float) -> float:
        """See `Pages.wait`."""
        return 0.0 if self._open is not None else self._not_before - now

    async def next(self, position: Position) -> ShardPage:
        """See `Pages.next`. Raises IteratorExpired when the subscription has ended."""
        page, kept = None, False
        try:
            page = await self._pushed(position)
        except NoRoom:
            # the page is already on its way and is read once there is room; until then the service has to wait
            kept = True
            raise
        except ServiceError as error:
            if error.code == IN_USE:
                self._not_before = asyncio.get_running_loop().time() + self._subscriptions.between
            raise
        finally:
            # also when cancelled: half a page may have been read
            if not kept and (page is None or page.next_iterator is None):
                await self.close()
        if page is None:
            raise IteratorExpired("the subscription is over")
        page.begins, self._begins = self._begins, False
        return page

    async def _pushed(self, position: Position) -> ShardPage | None:
        time = asyncio.get_running_loop().time
        if self._open is None:
            self._begin(await self._subscriptions.open(self._shard.id, position))
        assert self._open is not None
        asked_at = time()
        try:
            async with asyncio.timeout(SILENCE):
                page = await self._open.page(self._room.reserved)
        except TimeoutError as error:
            raise AnswerLost(f"nothing was pushed within {SILENCE:g} s") from error
        self._note_age(asked_at, time())
        if page is not None and page.behind_seconds is not None and self._subscriptions.buffered:
            page.behind_seconds += self._age
        return page

    def _note_age(self, asked_at: float, came_at: float) -> None:
        """Estimate how long a page waited in our buffers: as long as no page was requested. The pages after it waited
        nearly as long. The age ends with a page that took longer to arrive than that.
        """
        away, waited = asked_at - self._left_at, came_at - asked_at
        self._left_at = came_at
        self._age = 0.0 if waited >= max(away, WAITED) else self._age + away

    def _begin(self, opened: Subscription) -> None:
        now = asyncio.get_running_loop().time()
        self._open, self._begins = opened, True
        self._not_before = now + self._subscriptions.between
        self._left_at, self._age = now, 0.0
        self._stream.clock.observe(opened.date, now)

    async def close(self) -> None:
        """See `Pages.close`."""
        opened, self._open = self._open, None
        if opened is not None:
            await opened.close()
