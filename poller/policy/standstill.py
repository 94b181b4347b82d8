"""What of a stream's mapping stands still, and since when.

A lane is read in order, so a batch that waits in it holds up all that lies behind.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard that is read."""

    lanes: int
    still: int = 0
    """Lanes that stand still."""
    since: float | None = None
    """When the first of them came to a stop; None if that is not known."""


@dataclass(frozen=True, slots=True)
class Stuck:
    """Shards that stand still, whole or in some of their lanes."""

    shards: int
    lanes: int
    of_lanes: int
    """All lanes of these shards."""
    elsewhere: int
    """More shards that stand still, which other members of the fleet read."""
    since: float | None


def stuck(shards: Sequence[Shard], elsewhere: Sequence[Sequence[float | None]] = ()) -> Stuck | None:
    """None where nothing stands still. `elsewhere` has for each shard of other members since when its batches wait."""
    found = [shard for shard in shards if shard.still]
    if not found and not elsewhere:
        return None
    times = [shard.since for shard in found] + [time for times in elsewhere for time in times]
    since = min((time for time in times if time is not None), default=None)
    lanes, of_lanes = sum(one.still for one in found), sum(one.lanes for one in found)
    return Stuck(len(found), lanes, of_lanes, len(elsewhere), since)


def stuck_words(shards: int, of: int, lanes: int, of_lanes: int, elsewhere: int) -> str:
    """In words, as a person would say it: `stuck: 1 of 4 shards`. Of other members only the shards are known."""
    some = f"{lanes:,} of {of_lanes:,} lanes" if lanes < of_lanes and not elsewhere else ""
    where = f"{shards + elsewhere:,} of {of:,} shards" if of > 1 else ""
    told = ", in ".join(filter(None, (some, where)))
    return f"stuck: {told}" if told else "stuck"
