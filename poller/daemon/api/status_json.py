"""The daemon's status as the JSON that `GET /status` and `poller status --json` show.

Decides names and shapes; reads the status values and changes nothing. What is not known
is null, times are ISO 8601 in UTC.
"""

from collections.abc import Callable, Iterator

from poller.daemon.api import elsewhere, health
from poller.daemon.api.fleet import fleet_json
from poller.daemon.api.isolation import Isolation
from poller.daemon.api.moments import iso
from poller.daemon.api.notes import notes
from poller.daemon.api.shown_reasons import lane_reason, reason_text, state_of
from poller.policy.waiting import Waiting
from poller.policy.windows import Window
from poller.ports.daemon_status import ConfigurationStatus, DaemonStatus
from poller.ports.status import Account, Lag, LastFailure, MappingStatus, PartitionStatus, Reason
from poller.support import codec

Json = dict[str, object]
ToWall = Callable[[float | None], str | None]


def rendered(
    status: DaemonStatus, time: Callable[[], float], wall: Callable[[], float], isolation: Isolation
) -> Iterator[bytes]:
    """The JSON of everything, in parts: each mapping as it is when its part is made."""
    head: Json = {
        "version": status.version,
        "started_at": iso(status.started_at),
        "unhealthy": health.problems(status, time()),
        "configuration": _configuration(status.configuration),
        "fleet": None if status.fleet is None else fleet_json(status.fleet, time(), wall()),
    }
    yield codec.dumps(head)[:-1] + b',"mappings":['
    for number, mapping in enumerate(list(status.mappings)):
        now = time()
        isolation.sample((mapping,), now)
        yield (b"," if number else b"") + codec.dumps(mapping_json(mapping, now, wall(), isolation))
    yield b"]}"


def mapping_json(mapping: MappingStatus, now: float, wall: float, isolation: Isolation) -> Json:
    """One mapping. `now` is the loop's time, `wall` the seconds since the epoch at the same moment."""

    def to_wall(moment: float | None) -> str | None:
        return None if moment is None else iso(wall - now + moment)

    return isolation.ask(mapping, lambda: _mapping(mapping, now, to_wall), lambda problem: _untold(mapping, problem))


def _untold(mapping: MappingStatus, problem: str) -> Json:
    """What can be said of a mapping without asking its source's code."""
    return {
        **identity(mapping),
        "state": mapping.state.value,
        "reason": None,
        "notes": [{"code": "status_not_told", "text": f"the status of this mapping could not be told: {problem}"}],
        "counters": mapping.account.counters(),
        "in_flight": None,
        "unaccounted": None,
        "lag": dict.fromkeys(("records", "hidden", "seconds", "expires_in_seconds", "drained_in_seconds")),
        "invocations": _invocations(mapping.account),
        "shadow": _shadow(mapping),
        "last_result": mapping.last_result,
        "last_success_at": None,
        "last_failure": None,
        "partitions": [],
    }


def identity(mapping: MappingStatus) -> Json:
    """What it is."""
    return {
        "name": mapping.name,
        "uuid": mapping.uuid,
        "event_source_arn": mapping.event_source_arn,
        "function": mapping.function,
        "tags": dict(mapping.tags),
    }


def _configuration(configuration: ConfigurationStatus | None) -> Json | None:
    if configuration is None:
        return None
    refused = configuration.refused_at
    return {
        "loaded_at": iso(configuration.loaded_at),
        "refused_at": None if refused is None else iso(refused),
        "problems": list(configuration.problems),
    }


def _mapping(mapping: MappingStatus, now: float, to_wall: ToWall) -> Json:
    in_flight, reason = mapping.in_flight(), elsewhere.fleet_reason(mapping, now)
    lag, there = elsewhere.worst(mapping, now)
    told = (*notes(mapping, lag, there), *elsewhere.notes(mapping, now))
    return {
        **identity(mapping),
        "state": state_of(mapping, reason).value,
        "reason": reason_json(reason, now, to_wall),
        "notes": [{"code": code, "text": text} for code, text in told],
        "counters": mapping.account.counters(),
        "in_flight": in_flight,
        "unaccounted": mapping.account.unaccounted(in_flight),
        "lag": lag_json(mapping, lag, there),
        "invocations": _invocations(mapping.account),
        "shadow": _shadow(mapping),
        "last_result": mapping.last_result,
        "last_success_at": to_wall(mapping.last_success),
        "last_failure": _failure(mapping.last_failure, to_wall),
        "partitions": [_partition(*one, now, to_wall) for one in elsewhere.by_partition(mapping, now)],
    }


def lag_json(mapping: MappingStatus, lag: Lag, there: elsewhere.Found | None) -> Json:
    """How far it is behind: here, or `there`. What stands still is not drained."""
    drained = None if there is not None and lag.records is None else mapping.trend.drained_in
    return {
        "records": lag.records,
        "hidden": lag.hidden,
        "seconds": lag.seconds,
        "expires_in_seconds": lag.expires_in_seconds,
        "drained_in_seconds": drained,
    }


def _invocations(account: Account) -> Json:
    """How many took place, and how long all of them took."""
    duration = account.invocation_duration
    return {"count": sum(duration.buckets), "seconds": duration.total}


def _shadow(mapping: MappingStatus) -> Json | None:
    """What became of the copies that a second function gets."""
    shadow = mapping.shadow
    if shadow is None:
        return None
    return {"function": shadow.function, "counters": shadow.counts(), "last_failure": shadow.last_failure or None}


def _failure(failure: LastFailure | None, to_wall: ToWall) -> Json | None:
    if failure is None:
        return None
    return {
        "at": to_wall(failure.at),
        "text": failure.text,
        "request_id": failure.request_id,
        "logs": failure.logs,
    }


def _partition(
    partition: PartitionStatus, reason: Reason | None, there: list[elsewhere.Found], now: float, to_wall: ToWall
) -> Json:
    return {
        "id": partition.id,
        "position": partition.position,
        "window": _window(partition.window),
        "behind_seconds": _behind(partition, there, now),
        "reason": reason_json(reason, now, to_wall),
        "lanes": [reason_json(lane_reason(lane, now), now, to_wall) for lane in partition.lanes],
        "elsewhere": [_elsewhere(name, waiting, now, to_wall) for name, waiting in there],
    }


def _behind(partition: PartitionStatus, there: list[elsewhere.Found], now: float) -> float | None:
    """How far it is behind on the member on which it is farthest."""
    told = [max(0.0, now - one.oldest) for _, one in there if one.oldest is not None]
    own = partition.behind()
    return max(told if own is None else (own, *told), default=None)


def _elsewhere(name: str, waiting: Waiting, now: float, to_wall: ToWall) -> Json:
    """A batch that waits on another member of the fleet."""
    batch = waiting.batch
    return {
        "member": name,
        "lane": batch.lane,
        "first": batch.first,
        "last": batch.last,
        "records": batch.records,
        "tried": batch.tried,
        "discards": batch.discards,
        "awaits_destination": batch.awaiting,
        "keys": waiting.keys,
        "behind_seconds": None if waiting.oldest is None else max(0.0, now - waiting.oldest),
        "expires_in_seconds": None if waiting.expires is None else max(0.0, waiting.expires - now),
        "reason": reason_json(elsewhere.reason_of(waiting), now, to_wall),
    }


def _window(window: Window | None) -> Json | None:
    if window is None:
        return None
    return {"start": iso(window.start), "end": iso(window.end), "records": window.records}


def reason_json(reason: Reason | None, now: float, to_wall: ToWall) -> Json | None:
    """Why, and since and until when."""
    if reason is None:
        return None
    # one that is due is being tried
    next_try = None if reason.next_try is None or reason.next_try <= now else reason.next_try
    return {
        "code": reason.code.value,
        "text": reason_text(reason),
        "causes": [*reason.causes],
        "since": to_wall(reason.since),
        "until": to_wall(reason.until),
        "next_try_at": to_wall(next_try),
    }
