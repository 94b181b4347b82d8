"""Batches that wait on other members of the fleet, as every member shows them beside its own.

Metrics, health and the service manager's line are of this daemon alone: else each member would report one batch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from poller.daemon.api.shown_reasons import DEGRADED, TEXTS, mapping_reason, more_telling, partition_reason
from poller.policy.waiting import Waiting
from poller.ports.elsewhere import Elsewhere
from poller.ports.status import Lag, MappingState, MappingStatus, PartitionStatus, Reason, ReasonCode

Found = tuple[str, Waiting]
"""The name of a member, and a batch that waits there."""
MOST_NAMED = 3
"""Partitions that a note names."""


def members(mapping: MappingStatus, now: float) -> list[Elsewhere]:
    """What each of the others has, as far as that is known `now`."""
    if not mapping.elsewhere:
        return []
    # a shard that is read here was another member's a moment ago
    here = {one.id for one in mapping.partitions} if mapping.seeks else set()

    def left(found: Sequence[Waiting]) -> list[Waiting]:
        return [one for one in found if one.batch.partition not in here]

    return [replace(one, waiting=left(one.waiting)) for one in mapping.elsewhere if now < one.until]


def batches(mapping: MappingStatus, now: float) -> list[Found]:
    """Those that wait elsewhere."""
    return [(one.name, waiting) for one in members(mapping, now) for waiting in one.waiting]


def worst(mapping: MappingStatus, now: float) -> tuple[Lag, Found | None]:
    """How far the mapping is behind on the member that is farthest behind, as far as they say; and the batch that waits
    there, where it is another one.
    """
    own = mapping.lag()
    told = [(one.oldest, name, one) for name, one in batches(mapping, now) if one.oldest is not None]
    if not told:
        return own, None
    oldest, name, one = min(told, key=lambda found: found[0])
    behind = max(0.0, now - oldest)
    if own.seconds is not None and own.seconds >= behind:
        return own, None
    expires = None if own.retention is None else own.retention - behind
    expires = expires if one.expires is None else one.expires - now
    left = None if expires is None else max(0.0, expires)
    return replace(own, seconds=behind, expires_in_seconds=left), (name, one)


def reason_of(waiting: Waiting) -> Reason:
    """Why a batch waits. A code that is not known here is that of a later version."""
    known = waiting.code in DEGRADED
    code = ReasonCode(waiting.code) if known else ReasonCode.RETRY
    return Reason(code, waiting.text or TEXTS[code], waiting.since, None, waiting.next_try, waiting.causes)


def fleet_reason(mapping: MappingStatus, now: float) -> Reason | None:
    """The reason of a mapping for people: that of this daemon, or of a batch that waits elsewhere where that says
    more.
    """
    own = mapping_reason(mapping, now)
    if mapping.state is not MappingState.RUNNING:
        return own
    for name, waiting in batches(mapping, now):
        there = reason_of(waiting)
        if own is None or more_telling(there, own):
            own = replace(there, text=f"on {name}: {there.text}")
    return own


def by_partition(mapping: MappingStatus, now: float) -> Iterator[tuple[PartitionStatus, Reason | None, list[Found]]]:
    """Every partition with its reason and what waits of it elsewhere, also one that is not known here yet."""
    found: dict[str, list[Found]] = {}
    for name, waiting in batches(mapping, now):
        found.setdefault(waiting.batch.partition, []).append((name, waiting))
    for partition in (*mapping.partitions, *mapping.waiting):
        there = found.pop(partition.id, [])
        yield partition, _reason(partition_reason(partition, now), there), there
    for partition_id, there in found.items():
        yield PartitionStatus(partition_id), _reason(Reason(ReasonCode.NOT_MINE), there), there


def _reason(own: Reason | None, there: list[Found]) -> Reason | None:
    if not there or (own is not None and own.code is not ReasonCode.NOT_MINE):
        return own
    name, waiting = there[0]
    reason = reason_of(waiting)
    return replace(reason, code=ReasonCode.NOT_MINE, text=f"read by {name}: {reason.text}")


def notes(mapping: MappingStatus, now: float) -> Iterator[tuple[str, str]]:
    """Code and sentence for each member that has batches that wait."""
    for one in members(mapping, now):
        count, named = len(one.waiting) + one.more, [*dict.fromkeys(found.batch.partition for found in one.waiting)]
        if count:
            wait = "1 batch waits" if count == 1 else f"{count:,} batches wait"
            where = ", ".join(named[:MOST_NAMED]) + (", …" if one.more or len(named) > MOST_NAMED else "")
            yield "waits_elsewhere", f"{wait} for another try on {one.name}" + (f": {where}" if named else "")
