"""The service's limits on reading a shard, shared by all mappings of this process."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from poller.support.throttle import Throttled

Limit = AbstractAsyncContextManager[None]
MakeLimit = Callable[[float], Limit]
"""Makes, for a number of calls per second, the context that each call is made in."""


class ShardLimit:
    """Limits the reads of one shard: calls before a read, bytes after it, because its size is known only then."""

    def __init__(self, calls: Limit, bytes_per_second: float) -> None:
        self.calls = calls
        self._bytes_per_second = bytes_per_second
        self._paid_at = 0.0

    def spend(self, size: int, now: float) -> None:
        """A read brought so many bytes."""
        self._paid_at = max(self._paid_at, now) + size / self._bytes_per_second

    def wait(self, now: float) -> float:
        """Seconds until a read is within the limit on bytes; one second's worth may be read in advance."""
        return max(0.0, self._paid_at - now - 1.0)


class ReadLimits:
    """The limits of all shards, by the ARN of the stream and the shard's id."""

    def __init__(self, make: MakeLimit = Throttled) -> None:
        self._make = make
        self._shards: dict[tuple[str, str], ShardLimit] = {}

    def of(self, arn: str, shard_id: str, calls_per_second: float, bytes_per_second: float) -> ShardLimit:
        """The limit of one shard."""
        key = (arn, shard_id)
        if key not in self._shards:
            self._shards[key] = ShardLimit(self._make(calls_per_second), bytes_per_second)
        return self._shards[key]

    def forget(self, arn: str, shard_id: str) -> None:
        """The shard is read no more."""
        self._shards.pop((arn, shard_id), None)
