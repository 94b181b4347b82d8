"""The service's limits on reading one shard, kept for all mappings of this process together."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from poller.support.throttle import Throttled

Limit = AbstractAsyncContextManager[None]
MakeLimit = Callable[[float], Limit]
"""From calls per second to what a call is made within."""


class ShardLimit:
    """Reads of one shard: calls at once, bytes afterwards, since a read's size is known only when it is here."""

    def __init__(self, calls: Limit, bytes_per_second: float) -> None:
        self.calls = calls
        self._bytes_per_second = bytes_per_second
        self._paid_at = 0.0

    def spend(self, size: int, now: float) -> None:
        """A read brought so many bytes."""
        self._paid_at = max(self._paid_at, now) + size / self._bytes_per_second

    def wait(self, now: float) -> float:
        """Seconds until the bytes read are paid for, but for one second's worth."""
        return max(0.0, self._paid_at - now - 1.0)


class ReadLimits:
    """Every shard's limit, by the ARN of its stream and its id."""

    def __init__(self, make: MakeLimit = Throttled) -> None:
        self._make = make
        self._shards: dict[tuple[str, str], ShardLimit] = {}

    def of(self, arn: str, shard_id: str, calls_per_second: float, bytes_per_second: float) -> ShardLimit:
        """The one of a shard."""
        key = (arn, shard_id)
        if key not in self._shards:
            self._shards[key] = ShardLimit(self._make(calls_per_second), bytes_per_second)
        return self._shards[key]

    def forget(self, arn: str, shard_id: str) -> None:
        """Nobody reads it any more."""
        self._shards.pop((arn, shard_id), None)
