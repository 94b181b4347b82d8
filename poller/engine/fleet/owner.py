"""The member, as the shards of a mapping see it."""

from typing import TYPE_CHECKING, Protocol

from poller.engine.fleet.life import Life
from poller.engine.fleet.listings import Listings
from poller.engine.fleet.saving import Saving
from poller.ports.fleet_status import Cause

if TYPE_CHECKING:
    from collections.abc import Iterable

    from poller.engine.fleet.hold import MemberHold
    from poller.engine.fleet.shards import MemberShards


class Owner(Protocol):
    """What the shards of a mapping ask of their member."""

    life: Life
    saving: Saving
    listings: Listings
    checkpoint_interval: float
    """Seconds between two saves of a shard that can wait."""

    def opened(self, shards: "MemberShards") -> None:
        """The mapping's stream is read from now on."""
        ...

    def closed(self, shards: "MemberShards") -> None:
        """The run of the mapping has ended."""
        ...

    def release(self, holds: "Iterable[MemberHold]") -> None:
        """Nothing works on these any more, and others may have them."""
        ...

    def conflict(self, uuid: str, event_source_arn: str) -> str | None:
        """Why the mapping must not run here; see `Holdings.conflict`."""
        ...

    def name_of(self, member: str) -> str | None:
        """A member's name for people; None for one that is not known."""
        ...

    def moved(self, uuid: str, shard_id: str, cause: Cause, other: str | None) -> None:
        """A shard left this member."""
        ...

    def look(self) -> None:
        """What may be claimed has changed."""
        ...

    def runs(self, uuid: str) -> bool:
        """Whether the mapping runs here, or will again in a moment."""
        ...
