"""The interfaces of a shard towards its lanes and its reader."""

from typing import Protocol

from poller.ports.holdings import Permit
from poller.ports.source import Unsettled
from poller.ports.status import Reason
from poller.runtime.stop import Stop
from poller.sources.sharded.api import Shard, ShardPage


class Reading(Protocol):
    """The shard as its lanes see it."""

    stop: Stop
    """The stop of the shard."""

    @property
    def over(self) -> bool:
        """Whether no more records will come."""
        ...

    @property
    def failed(self) -> bool:
        """Whether no more records will come before the shard is entered again."""
        ...

    @property
    def read_to(self) -> str | None:
        """Position of the last record given to any lane, or skipped."""
        ...

    @property
    def read_from(self) -> str | None:
        """Sequence number of the first record that was read, for any lane or none; None before."""
        ...

    def release(self, size: int) -> None:
        """So many bytes are no longer held."""
        ...

    def changed(self, *, at_once: bool) -> int:
        """Store the progress of the lane, at once or soon. Returns the number of this change."""
        ...

    async def durable(self, change: int, *, at_once: bool) -> Unsettled | None:
        """See `Checkpointing.durable`."""
        ...


class Reads(Protocol):
    """The shard as its reader sees it."""

    stop: Stop
    """A soft stop of it ends the reading."""
    permit: Permit | None
    """The right to read; None where it always stands."""

    @property
    def full(self) -> bool:
        """Whether so much is held that reading must wait."""
        ...

    def wait_for_room(self) -> None:
        """It waits for that now."""
        ...

    @property
    def empty(self) -> bool:
        """Whether nothing is held."""
        ...

    @property
    def urgent(self) -> bool:
        """Whether the held records wait for the next page."""
        ...

    def take(self, page: ShardPage) -> bool:
        """Take the next page, whose bytes `ShardReader.room` has reserved. Returns False when no more is wanted."""
        ...

    def end(self, children: tuple[Shard, ...]) -> None:
        """The shard has no more records."""
        ...

    def show(self, reason: Reason | None) -> None:
        """Show why nothing is read; None for no reason."""
        ...
