"""Pages of one shard that are pushed: by a subscription, which is renewed whenever it ends.

The service ends each after five minutes. The next begins behind the last page of the one before, so there is neither
gap nor duplicate. While nobody asks for a page none is read, and the service has to wait.
"""

import asyncio

from poller.sources.sharded.api import Position, Shard, ShardPage, Subscription, Subscriptions
from poller.sources.sharded.room import PageRoom
from poller.sources.sharded.stream import Stream
from poller.values.errors import AnswerLost, IteratorExpired, NoRoom, ServiceError

BETWEEN = 5.0
"""Seconds after a subscription began within which the service refuses another for the same shard and consumer."""
SILENCE = 60.0
"""Seconds without any page, even an empty one, after which a subscription is taken for dead. The service was seen to
push an empty one every five."""
WAITED = 0.5
"""Seconds of waiting for a page after which it cannot have lain here before; transfer takes less."""
IN_USE = "ResourceInUseException"
"""Another subscription is less than `BETWEEN` old, or took this one over, or the consumer is not active."""


class SubscribedPages:
    """`Pages` by SubscribeToShard."""

    call = "SubscribeToShard"

    def __init__(self, stream: Stream, shard: Shard, subscriptions: Subscriptions, room: PageRoom) -> None:
        self._stream = stream
        self._shard = shard
        self._subscriptions = subscriptions
        self._room = room
        self._open: Subscription | None = None
        self._begins = False
        """Whether no page of it came yet."""
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
        """See `Pages.next`. A subscription that is over is an iterator that expired."""
        page, kept = None, False
        try:
            page = await self._pushed(position)
        except NoRoom:
            # it is pushed already, and comes once there is room; until then the service has to wait
            kept = True
            raise
        except ServiceError as error:
            if error.code == IN_USE:
                self._not_before = asyncio.get_running_loop().time() + BETWEEN
            raise
        finally:
            # when cancelled as well: half a page may have been read
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
        if page is not None and page.behind_seconds is not None:
            page.behind_seconds += self._age
        return page

    def _note_age(self, asked_at: float, came_at: float) -> None:
        """The page may have lain here as long as nobody looked, and those behind it nearly as long: none of them says
        anything about now, until one had to be waited for longer than that.
        """
        away, waited = asked_at - self._left_at, came_at - asked_at
        self._left_at = came_at
        self._age = 0.0 if waited >= max(away, WAITED) else self._age + away

    def _begin(self, opened: Subscription) -> None:
        now = asyncio.get_running_loop().time()
        self._open, self._begins = opened, True
        self._not_before = now + BETWEEN
        self._left_at, self._age = now, 0.0
        self._stream.clock.observe(opened.date, now)

    async def close(self) -> None:
        """See `Pages.close`."""
        opened, self._open = self._open, None
        if opened is not None:
            await opened.close()
