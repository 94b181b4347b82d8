"""The daemon's status as the JSON that `GET /status` and `poller status --json` show.

Decides names, shapes and the sentence for each reason; reads the status values and changes nothing. What is not known
is null, times are ISO 8601 in UTC.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from poller.control.notes import notes
from poller.policy.windows import Window
from poller.runtime.daemon_status import ConfigurationStatus, DaemonStatus
from poller.runtime.status import (
    Account,
    LaneStatus,
    LastFailure,
    MappingState,
    MappingStatus,
    PartitionStatus,
    Reason,
    ReasonCode,
)

Json = dict[str, object]
ToWall = Callable[[float | None], str | None]

TEXTS: dict[ReasonCode, str] = {
    ReasonCode.STARTING: "starting",
    ReasonCode.NO_DATA: "the source has nothing to read",
    ReasonCode.RECEIVING: "receiving",
    ReasonCode.WINDOW: "gathering a batch until its window closes",
    ReasonCode.INVOKING: "the function is running",
    ReasonCode.WAITING_FOR_SLOT: "waiting for a free slot of the function's concurrency",
    ReasonCode.THROTTLED: "asked to slow down; tried again soon",
    ReasonCode.FUNCTION_UNAVAILABLE: "the function cannot be invoked; the batch is held and tried again",
    ReasonCode.FUNCTION_NOT_STARTED: "the function cannot start",
    ReasonCode.CIRCUIT_OPEN: "the function cannot be invoked; nothing is received, and it is probed until it can",
    ReasonCode.FUNCTION_FAILING: "the function fails; the pace is lowered",
    ReasonCode.RETRY: "the batch failed; it is tried again",
    ReasonCode.DESTINATION: "the on-failure destination does not accept what was given up; it is tried again",
    ReasonCode.PARENT: "waits for its parents to be finished",
    ReasonCode.READ_AHEAD: "read as far ahead of the slowest lane as is allowed",
    ReasonCode.MEMORY: "the limit of bytes in flight is reached",
    ReasonCode.CREDENTIALS: "there are no valid AWS credentials",
    ReasonCode.ACCESS_DENIED: "access denied",
    ReasonCode.SOURCE_MISSING: "the source does not exist",
    ReasonCode.STREAM_DISABLED: "the stream is disabled; what it still holds is read",
    ReasonCode.STREAM_RECREATED: "there is a new stream of the same name",
    ReasonCode.STREAM_CHANGED: "the position stored is one in another stream",
    ReasonCode.UNREADABLE_RECORD: "the service sends a record without a sequence number",
    ReasonCode.POSITION_LEFT: "a removed mapping left a position in this stream",
    ReasonCode.STATE: "positions cannot be stored",
    ReasonCode.UNREACHABLE: "the service cannot be reached",
    ReasonCode.ERROR: "an unexpected error; restarting",
    ReasonCode.SETTLING: "settling what was delivered",
    ReasonCode.PAUSED: "paused",
    ReasonCode.DISABLED: "disabled in the configuration",
    ReasonCode.STOPPING: "stopping",
    ReasonCode.STOPPED: "stopped",
}

MOST_TELLING_FIRST = (
    ReasonCode.ERROR,
    ReasonCode.ACCESS_DENIED,
    ReasonCode.SOURCE_MISSING,
    ReasonCode.STREAM_RECREATED,
    ReasonCode.STREAM_CHANGED,
    ReasonCode.UNREADABLE_RECORD,
    ReasonCode.POSITION_LEFT,
    ReasonCode.STATE,
    ReasonCode.CREDENTIALS,
    ReasonCode.UNREACHABLE,
    ReasonCode.FUNCTION_NOT_STARTED,
    ReasonCode.CIRCUIT_OPEN,
    ReasonCode.FUNCTION_UNAVAILABLE,
    ReasonCode.THROTTLED,
    ReasonCode.DESTINATION,
    ReasonCode.RETRY,
    ReasonCode.FUNCTION_FAILING,
    ReasonCode.READ_AHEAD,
    ReasonCode.MEMORY,
    ReasonCode.STREAM_DISABLED,
    ReasonCode.PARENT,
    ReasonCode.STOPPING,
    ReasonCode.INVOKING,
    ReasonCode.WAITING_FOR_SLOT,
    ReasonCode.SETTLING,
    ReasonCode.WINDOW,
    ReasonCode.RECEIVING,
    ReasonCode.STARTING,
    ReasonCode.NO_DATA,
    ReasonCode.PAUSED,
    ReasonCode.DISABLED,
    ReasonCode.STOPPED,
)
_RANK = {code: rank for rank, code in enumerate(MOST_TELLING_FIRST)}


def render(status: DaemonStatus, now: float, wall: float) -> Json:
    """Render everything. `now` is the loop's time, `wall` the seconds since the epoch at the same moment."""

    def to_wall(moment: float | None) -> str | None:
        return None if moment is None else iso(wall - now + moment)

    return {
        "version": status.version,
        "started_at": iso(status.started_at),
        "configuration": _configuration(status.configuration),
        "mappings": [_mapping(mapping, now, to_wall) for mapping in status.mappings],
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


def iso(seconds: float) -> str:
    """Render seconds since the epoch as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def counters(account: Account) -> dict[str, int]:
    """Name the counters as the metrics do, without `poller_` and `_events_total`."""
    return {
        "polled": account.polled,
        "filtered": account.filtered,
        "delivered": account.delivered,
        "on_failure_destination_delivered": account.destination,
        "dropped": account.dropped,
        "expired": account.expired,
        "before_start": account.before_start,
        "returned": account.returned,
        "invoked": account.invoked,
        "failed_invoke": account.failed_invoke,
        "filtered_not_json": account.filtered_not_json,
        "deleted": account.deleted,
        "delete_failed": account.delete_failed,
    }


def _mapping(mapping: MappingStatus, now: float, to_wall: ToWall) -> Json:
    in_flight, lag = mapping.in_flight(), mapping.lag()
    return {
        "name": mapping.name,
        "uuid": mapping.uuid,
        "event_source_arn": mapping.event_source_arn,
        "function": mapping.function,
        "tags": dict(mapping.tags),
        "state": mapping.state.value,
        "reason": _reason(mapping_reason(mapping, now), to_wall),
        "notes": [{"code": code, "text": text} for code, text in notes(mapping, lag)],
        "counters": counters(mapping.account),
        "in_flight": in_flight,
        "unaccounted": mapping.account.unaccounted(in_flight),
        "lag": {
            "records": lag.records,
            "seconds": lag.seconds,
            "expires_in_seconds": lag.expires_in_seconds,
            "drained_in_seconds": mapping.trend.drained_in,
        },
        "last_result": mapping.last_result,
        "last_failure": _failure(mapping.last_failure, to_wall),
        "partitions": [_partition(partition, now, to_wall) for partition in (*mapping.partitions, *mapping.waiting)],
    }


def _failure(failure: LastFailure | None, to_wall: ToWall) -> Json | None:
    if failure is None:
        return None
    return {
        "at": to_wall(failure.at),
        "text": failure.text,
        "request_id": failure.request_id,
        "logs": failure.logs,
    }


def _partition(partition: PartitionStatus, now: float, to_wall: ToWall) -> Json:
    return {
        "id": partition.id,
        "position": partition.position,
        "window": _window(partition.window),
        "behind_seconds": partition.behind(),
        "reason": _reason(partition_reason(partition, now), to_wall),
        "lanes": [_reason(_lane_reason(lane, now), to_wall) for lane in partition.lanes],
    }


def _window(window: Window | None) -> Json | None:
    if window is None:
        return None
    return {"start": iso(window.start), "end": iso(window.end), "records": window.records}


def mapping_reason(mapping: MappingStatus, now: float) -> Reason | None:
    """Take the mapping's own reason, else that of its most telling partition."""
    trouble = mapping.function_trouble() if mapping.state is MappingState.RUNNING else None
    if trouble is not None:
        # before what follows from it: nothing to read, an open circuit, a batch that is held
        return trouble
    if mapping.reason is not None:
        return mapping.reason
    if mapping.state is MappingState.DISABLED:
        return Reason(ReasonCode.DISABLED)
    return _most_telling(partition_reason(partition, now) for partition in mapping.partitions)


def partition_reason(partition: PartitionStatus, now: float) -> Reason | None:
    """Take the partition's own reason, else that of its most telling lane: trouble first, then work, then quiet."""
    return partition.reason or _most_telling(_lane_reason(lane, now) for lane in partition.lanes)


def _most_telling(reasons: Iterable[Reason | None]) -> Reason | None:
    return min((reason for reason in reasons if reason), key=lambda reason: _RANK[reason.code], default=None)


def _lane_reason(lane: LaneStatus, now: float) -> Reason:
    text = lane.text
    if lane.code is ReasonCode.WINDOW and lane.until is not None and not text:
        text = f"a batch is open for {now - lane.since:.0f} of {lane.until - lane.since:.0f} s"
    return Reason(lane.code, text, lane.since, lane.until)


def reason_text(reason: Reason) -> str:
    """In a sentence."""
    return reason.text or TEXTS[reason.code]


def _reason(reason: Reason | None, to_wall: ToWall) -> Json | None:
    if reason is None:
        return None
    return {
        "code": reason.code.value,
        "text": reason_text(reason),
        "since": to_wall(reason.since),
        "until": to_wall(reason.until),
    }
