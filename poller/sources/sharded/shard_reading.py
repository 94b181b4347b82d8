"""What a lane and a reader ask of the shard they belong to, without knowing it."""

from typing import Protocol

from poller.ports.source import Unsettled
from poller.ports.status import Reason
from poller.runtime.stop import Stop
from poller.sources.sharded.api import Shard, ShardPage


class Reading(Protocol):
    """What a lane asks of the shard it belongs to."""

    stop: Stop
    """The shard's own."""

    @property
    def over(self) -> bool:
        """Whether nothing more will be dealt."""
        ...

    @property
    def failed(self) -> bool:
        """Whether nothing more will be dealt before the shard is entered again."""
        ...

    @property
    def read_to(self) -> str | None:
        """Position of the last record dealt to any lane, or passed over."""
        ...

    @property
    def read_from(self) -> str | None:
        """Sequence number of the first record that was read, whoever's it was; None before."""
        ...

    def release(self, size: int) -> None:
        """So many bytes are no longer held."""
        ...

    def changed(self) -> int:
        """Progress of the lane is to be stored; the number of this change."""
        ...

    async def durable(self, change: int) -> Unsettled | None:
        """Return None when a change is stored, or at the stop; else why the last try failed, after each."""
        ...


class Reads(Protocol):
    """Who takes what is read."""

    stop: Stop
    """Nothing more is to be read from here on."""

    @property
    def full(self) -> bool:
        """Whether so much is held that reading must wait."""
        ...

    @property
    def empty(self) -> bool:
        """Whether nothing is held."""
        ...

    @property
    def urgent(self) -> bool:
        """Whether what is held already waits for what is read next."""
        ...

    def take(self, page: ShardPage) -> bool:
        """The next page, whose bytes `ShardReader.room` has reserved; False when nothing further is wanted."""
        ...

    def end(self, children: tuple[Shard, ...]) -> None:
        """The shard has no more."""
        ...

    def show(self, reason: Reason | None) -> None:
        """Why nothing is read."""
        ...
