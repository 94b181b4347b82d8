"""Where a mapping at LATEST starts: the tips of the shards that are open then.

The stored instant has whole seconds, so reading from it would bring up to a second of the past. At the mapping's first
start each shard is therefore read from an iterator, or a subscription, at its tip. The instant is used where reading
has to start again before the first record.
"""

import asyncio
from collections.abc import Iterable

from poller.sources.sharded.api import PolledApi, Position, Shard, Subscription, Subscriptions
from poller.support.rate_limited_log import RateLimitedLog
from poller.values.errors import PollerError
from poller.values.texts import counted

AT_ONCE = 10
"""Shards whose tips are requested at the same time."""
WITHIN = 5.0
"""Seconds for all shards; a mapping is ready after ten."""
LATEST = Position("LATEST")


class Tips:
    """Iterators and subscriptions at the tip that are not used yet, by shard."""

    def __init__(self) -> None:
        self.iterators: dict[str, str] = {}
        self.subscriptions: dict[str, Subscription] = {}

    async def take(
        self, shards: Iterable[Shard], api: PolledApi | None, subscriptions: Subscriptions | None, log: RateLimitedLog
    ) -> None:
        """Get the tips of the open shards. A shard without a tip is read from the instant."""
        turns = asyncio.Semaphore(AT_ONCE)

        async def begin(shard: Shard) -> None:
            async with turns:
                if subscriptions is not None:
                    self.subscriptions[shard.id] = await subscriptions.open(shard.id, LATEST)
                elif api is not None:
                    self.iterators[shard.id] = await api.iterator(shard.id, LATEST)

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
            which = counted(len(failures) + len(late), "shard")
            text = f"read from the instant of the start, not from the tip: {which}; {text}"
            log.repeating("call_failed", asyncio.get_running_loop().time(), text=text)

    async def close(self) -> None:
        """Close the subscriptions that were not used."""
        left, self.subscriptions = self.subscriptions, {}
        self.iterators.clear()
        for subscription in left.values():
            await subscription.close()
