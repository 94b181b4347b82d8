"""Where a mapping at LATEST begins: the tips of the shards that are open then.

The instant that is stored is one of whole seconds, and reading from it brings up to a second of the past. So at the
mapping's first start each shard is read from an iterator, or a subscription, at its tip; the instant is for whoever has
to begin anew before the first record.
"""

import asyncio
from collections.abc import Iterable

from poller.sources.sharded.api import Position, Shard, ShardApi, Subscription, Subscriptions
from poller.support.rate_limited_log import RateLimitedLog
from poller.values.errors import PollerError

AT_ONCE = 10
"""Shards whose tips are asked for together."""
WITHIN = 5.0
"""Seconds for all of them; a mapping is ready after ten."""
LATEST = Position("LATEST")


class Tips:
    """What was begun with and nobody reads yet, by shard."""

    def __init__(self) -> None:
        self.iterators: dict[str, str] = {}
        self.subscriptions: dict[str, Subscription] = {}

    async def take(
        self, shards: Iterable[Shard], api: ShardApi, subscriptions: Subscriptions | None, log: RateLimitedLog
    ) -> None:
        """Of the open ones of these shards. One whose tip is not had is read from the instant."""
        turns = asyncio.Semaphore(AT_ONCE)

        async def begin(shard: Shard) -> None:
            async with turns:
                if subscriptions is None:
                    self.iterators[shard.id] = await api.iterator(shard.id, LATEST)
                else:
                    self.subscriptions[shard.id] = await subscriptions.open(shard.id, LATEST)

        tasks = [asyncio.create_task(begin(shard)) for shard in shards if not shard.closed]
        try:
            done, late = await asyncio.wait(tasks, timeout=WITHIN) if tasks else (set(), set())
        finally:
            for task in tasks:
                task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        failures = [error for task in done if (error := task.exception()) is not None]
        for error in failures:
            if not isinstance(error, PollerError):
                raise error
        if failures or late:
            text = str(failures[0]) if failures else f"no answer within {WITHIN:g} s"
            number = len(failures) + len(late)
            text = f"{number} shards are read from the instant of the start, not from their tips: {text}"
            log.repeating("call_failed", asyncio.get_running_loop().time(), text=text)

    async def close(self) -> None:
        """Let go of what nobody took."""
        left, self.subscriptions = self.subscriptions, {}
        self.iterators.clear()
        for subscription in left.values():
            await subscription.close()
