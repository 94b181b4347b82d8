"""What another member of the fleet says of a mapping's batches that wait there."""

from collections.abc import Sequence
from dataclasses import dataclass

from poller.policy.waiting import Waiting


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Of one member. Times are the loop's."""

    member: str
    """Its id."""
    name: str
    """For people."""
    until: float
    """Until when it counts as alive. After that nobody knows what waits there."""
    waiting: Sequence[Waiting]
    more: int
    """How many more batches wait there."""
