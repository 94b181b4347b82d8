"""The fleet as `GET /status` and `GET /metrics` show it."""

from collections.abc import Iterator

from poller.daemon.api.exposition import Family, labelled
from poller.daemon.api.moments import iso
from poller.ports.fleet_status import FleetStatus
from poller.values.histogram import Histogram

MOST_NAMED = 5
"""Members that the head of a screen names."""
Samples = Iterator[tuple[str, float]]


def fleet_json(fleet: FleetStatus, now: float, wall: float) -> dict[str, object]:
    """The members and the latest moves. `now` is the loop's time, `wall` the seconds since the epoch then."""
    since, count, growth = fleet.suspended_since, sum(fleet.seconds.buckets), fleet.written.growth
    return {
        "name": fleet.name,
        "member": fleet.member,
        "id": fleet.id or None,
        "suspended_since": None if since is None else iso(wall - now + since),
        "lives": fleet.lives,
        "members": [
            {"id": one.id, "name": one.name, "version": one.version, "state": one.state, "shards": one.shards}
            for one in fleet.members
        ],
        "moves": [
            {
                "at": iso(wall - now + one.at),
                "mapping": one.mapping,
                "shard": one.shard,
                "cause": one.cause.value,
                "other": one.other,
            }
            for one in reversed(fleet.moves)
        ],
        "store": {
            **fleet.calls,
            "writes": fleet.writes,
            "writes_a_minute": None if growth is None else round(60 * growth, 1),
            "seconds": round(fleet.seconds.total, 6),
            "mean_seconds": round(fleet.seconds.total / count, 6) if count else None,
        },
    }


def fleet_words(fleet: FleetStatus | None) -> str | None:
    """Which daemon of which fleet this is, and with whom; None for a daemon by itself."""
    if fleet is None:
        return None
    others = sorted(one.name for one in fleet.members if one.id != fleet.id)
    more = f" and {len(others) - MOST_NAMED:,} more" if len(others) > MOST_NAMED else ""
    return f"{fleet.member} of fleet {fleet.name}, " + (
        f"with {', '.join(others[:MOST_NAMED])}{more}" if others else "by itself"
    )


def fleet_families(fleet: FleetStatus | None) -> Iterator[tuple[Family, Samples]]:
    """Every metric of the fleet but the histogram; none for a daemon by itself."""
    if fleet is None:
        return
    label = labelled(fleet=fleet.name)
    held = sum(one.shards for one in fleet.members if one.id == fleet.id)
    for name, text, value in (
        ("fleet_members", "Daemons of the fleet that are alive", len(fleet.members)),
        ("lease_valid", "1 while this daemon may begin work, 0 while it is suspended", int(not fleet.suspended_since)),
        ("lease_shards", "Shards that this daemon holds", held),
    ):
        yield Family(f"poller_{name}", text), iter([(label, value)])
    moves = Family("poller_lease_moves", "Shards that came to this daemon or left it, by cause", "counter")
    yield moves, ((f"{label},{labelled(cause=cause.value)}", count) for cause, count in fleet.moved.items())
    lives = Family("poller_lease_lives", "How often this daemon joined the fleet", "counter")
    yield lives, iter([(label, fleet.lives)])
    calls = Family("poller_fleet_store_requests", "Calls of the fleet's store, by outcome", "counter")
    yield calls, ((f"{label},{labelled(outcome=outcome)}", count) for outcome, count in fleet.calls.items())
    writes = Family("poller_fleet_store_writes", "Calls of the fleet's store that write", "counter")
    yield writes, iter([(label, fleet.writes)])


def fleet_histograms(fleet: FleetStatus | None) -> Iterator[tuple[Family, Iterator[tuple[str, Histogram]]]]:
    """How long the store takes; none for a daemon by itself."""
    if fleet is not None:
        family = Family("poller_fleet_store_seconds", "Time a call of the fleet's store took", "histogram")
        yield family, iter([(labelled(fleet=fleet.name), fleet.seconds)])
