"""What screens show of the mappings of this process, as JSON: where a daemon has several, theirs are put together."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from poller.daemon.api import elsewhere
from poller.daemon.api.isolation import Isolation
from poller.daemon.api.moments import iso
from poller.daemon.api.shown_reasons import state_of
from poller.daemon.api.status_json import ToWall, identity, lag_json, mapping_json, reason_json
from poller.policy.standstill import Shard, stuck
from poller.ports.held import Held
from poller.ports.status import NO_PROBLEM, MappingStatus, PartitionStatus, ReasonCode

Shown = dict[str, Any]
"""One mapping, as in `/status` and with more that only screens show."""
MOST_HELD = 50
MOST_KEYS = 20
GOES_ON = NO_PROBLEM | {ReasonCode.STARTING, ReasonCode.STOPPING, ReasonCode.STREAM_DISABLED, ReasonCode.NOT_MINE}
"""Reasons of a shard that do not keep it from being read here, or that leave it to another process."""


def row(mapping: MappingStatus, rates: Sequence[float], isolation: Isolation, now: float, offset: float) -> Shown:
    """What the screen of all mappings shows of one. `rates` are its pace over the last minutes, `offset` that of the
    seconds since the epoch to the loop's time.
    """

    def to_wall(moment: float | None) -> str | None:
        return None if moment is None else iso(offset + moment)

    def told() -> Shown:
        reason = elsewhere.fleet_reason(mapping, now)
        return {
            **identity(mapping),
            "state": state_of(mapping, reason).value,
            "reason": reason_json(reason, now, to_wall),
            "lag": lag_json(mapping, *elsewhere.worst(mapping, now)),
            "rates": rates,
            "stuck": _stuck(mapping, now, to_wall),
            "untold": None,
        }

    return isolation.ask(mapping, told, lambda problem: _untold(mapping, problem))


def _untold(mapping: MappingStatus, problem: str) -> Shown:
    text = f"the status of this mapping could not be told: {problem}"
    return {
        **identity(mapping),
        "state": mapping.state.value,
        "reason": None,
        "lag": dict.fromkeys(("records", "hidden", "seconds", "expires_in_seconds", "drained_in_seconds")),
        "rates": [],
        "stuck": None,
        "untold": text,
    }


def whole(mapping: MappingStatus, rates: Sequence[float], isolation: Isolation, now: float, wall: float) -> Shown:
    """What the screen of one mapping shows."""

    def to_wall(moment: float | None) -> str | None:
        return None if moment is None else iso(wall - now + moment)

    shown: Shown = dict(mapping_json(mapping, now, wall, isolation))
    untold = [note["text"] for note in shown["notes"] if note["code"] == "status_not_told"]
    more: Shown = {
        "rates": rates,
        "stuck": isolation.ask(mapping, lambda: _stuck(mapping, now, to_wall), lambda _: None),
        "untold": untold[0] if untold else None,
        "looks": mapping.looks,
        "seeks": mapping.seeks,
        "destination": mapping.destination,
    }
    batches = isolation.ask(mapping, lambda: _batches(mapping, to_wall), lambda _: [])
    return {**shown, **more, "batches": batches[:MOST_HELD], "more_batches": len(batches[MOST_HELD:])}


def _stuck(mapping: MappingStatus, now: float, to_wall: ToWall) -> Shown | None:
    """What of a stream stands still. The failed messages of a queue go back to it, and hold up no other."""
    if not mapping.seeks:
        return None
    there: dict[str, list[float | None]] = {}
    for _, waiting in elsewhere.batches(mapping, now):
        there.setdefault(waiting.batch.partition, []).append(waiting.since)
    found = stuck([_shard(one) for one in mapping.partitions], [*there.values()])
    if found is None:
        return None
    return {**asdict(found), "of": len(mapping.partitions) + len(mapping.waiting), "since": to_wall(found.since)}


def _shard(partition: PartitionStatus) -> Shard:
    lanes, own = max(1, len(partition.lanes)), partition.reason
    if own is not None and own.code not in GOES_ON:
        return Shard(lanes, lanes, own.since)
    waiting = [since for _, since in filter(None, (lane.waiting_for for lane in partition.lanes))]
    return Shard(lanes, len(waiting), min(waiting, default=None))


def _batches(mapping: MappingStatus, to_wall: ToWall) -> list[Shown]:
    found: list[Shown] = []
    for partition in mapping.partitions:
        for number, lane in enumerate(partition.lanes):
            if lane.held is not None:
                where = {"partition": partition.id, "lane": number, "text": lane.text}
                about = _batch(lane.held) if len(found) < MOST_HELD else {}
                found.append({**where, "next_try_at": to_wall(lane.next_try), **about})
    return found


def _batch(held: Held) -> Shown:
    return {
        "first": held.first,
        "last": held.last,
        "records": len(held.part.records),
        "discards": held.discards,
        "awaits_destination": held.awaits_destination,
        "keys": held.keys_to_offer(MOST_KEYS),
    }
