"""How the pages of a shard are got, polled or pushed."""

from typing import Protocol

from poller.sources.sharded.api import Position, ShardPage


class Pages(Protocol):
    """A way to get the pages of one shard."""

    call: str
    """The name of the operation, for messages."""

    def wait(self, now: float) -> float:
        """Seconds until the next page may be requested; `now` is the loop's time."""
        ...

    async def next(self, position: Position) -> ShardPage:
        """The next page. A new iterator or subscription starts at `position`.

        Raises IteratorExpired, PositionTrimmed, ShardGone, StreamGone, CallError; NoRoom where it is
        larger than reserved.
        """
        ...

    async def close(self) -> None:
        """Nothing further is wanted."""
        ...
