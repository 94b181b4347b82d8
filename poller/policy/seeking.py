"""Seek: where the shards of a mapping are read from after a person has moved its position, and the way back.

A shard with a start and no lanes is read from that instant of the service's clock; from its horizon for an instant
before everything. Whatever a seek leaves out keeps its progress. The progress before is kept, so that a seek can be
undone: records that were delivered in between are delivered again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from poller.policy.invocation_record import iso_milliseconds
from poller.policy.positions import inside
from poller.policy.progress import LaneProgress, ShardProgress, StreamProgress

BEFORE_EVERYTHING = 0.0
"""The start of a shard that is read from its horizon."""
MOST_NAMED = 10
"""Shards that an impact names one by one."""
Where = Literal["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP", "AT_SEQUENCE_NUMBER"]
INTO_THE_PAST = ("TRIM_HORIZON", "AT_TIMESTAMP")
"""Targets by which shards that came into being after the order are read from their beginning too."""


@dataclass(frozen=True, slots=True)
class Target:
    """The position that a person wants."""

    where: Where
    timestamp: float | None = None
    """Epoch seconds, for AT_TIMESTAMP."""
    sequence_number: str | None = None
    """For AT_SEQUENCE_NUMBER: the record that is delivered next."""
    shard: str | None = None
    """One shard alone; None for all. A sequence number is of one shard."""

    @property
    def words(self) -> str:
        """The position in a sentence."""
        if self.timestamp is not None:
            return iso_milliseconds(self.timestamp)
        if self.where == "AT_SEQUENCE_NUMBER":
            return f"sequence number {self.sequence_number}"
        return "the oldest record" if self.where == "TRIM_HORIZON" else "what comes from now on"


@dataclass(frozen=True, slots=True)
class Listed:
    """A shard as the stream lists it."""

    id: str
    closed: bool


class Unreachable(ValueError):
    """The position cannot be had; the text says why."""


Before = Mapping[str, ShardProgress | None]
"""Progress of shards before a seek; None for one of which nothing was stored."""


def sought(target: Target, listed: Sequence[Listed], now: float) -> dict[str, ShardProgress]:
    """The progress of the shards that a seek moves. `now` is the service's clock, epoch seconds. Raises Unreachable."""
    shards = [shard for shard in listed if target.shard in (None, shard.id)]
    if not shards:
        names = ", ".join(shard.id for shard in listed[:MOST_NAMED]) or "none"
        raise Unreachable(f"the stream does not list a shard {target.shard}; it lists: {names}")
    if target.where == "AT_SEQUENCE_NUMBER":
        return {one.id: _at(target) for one in shards}
    if target.where == "AT_TIMESTAMP":
        assert target.timestamp is not None
        if target.timestamp > now:
            raise Unreachable("the instant is in the future")
        return {shard.id: ShardProgress(start=target.timestamp) for shard in shards}
    if target.where == "LATEST":
        # what was listed as closed before the instant holds nothing younger
        return {one.id: ShardProgress(finished=True) if one.closed else ShardProgress(start=now) for one in shards}
    return {shard.id: ShardProgress(start=BEFORE_EVERYTHING) for shard in shards}


def _at(target: Target) -> ShardProgress:
    number = target.sequence_number
    if target.shard is None:
        raise Unreachable("a sequence number is a place in one shard: say in which")
    if number is None or not (number.isascii() and number.isdecimal()):
        raise Unreachable("a sequence number is a decimal number")
    # before the first inner record of an aggregate, so that all of the record is delivered
    return ShardProgress((LaneProgress(inside(number, -1)),))


def moved(stored: StreamProgress, shards: Before) -> StreamProgress:
    """The stored progress with some shards replaced, or removed."""
    kept = {name: shard for name, shard in stored.shards.items() if name not in shards}
    placed = {name: shard for name, shard in shards.items() if shard is not None}
    return StreamProgress(stored.name, stored.event_source_arn, stored.epoch, stored.start, kept | placed)


def before(stored: StreamProgress, shards: Mapping[str, object]) -> Before:
    """The stored progress of shards that are about to be moved."""
    return {name: stored.shards.get(name) for name in shards}
