"""`GET /failures`: what functions failed of since the start, grouped by cause, with the smallest batch that failed."""

from collections.abc import Callable, Sequence

from poller.daemon.api.moments import iso
from poller.daemon.api.status_json import Json
from poller.policy.failed_events import FailedEvent
from poller.policy.failures import Failure, FailureGroup, began
from poller.ports.daemon_status import ConfigurationStatus
from poller.ports.status import MappingStatus


def failures_json(
    mappings: Sequence[MappingStatus],
    configuration: ConfigurationStatus | None,
    kept: Sequence[FailedEvent],
    now: float,
    wall: float,
) -> Json:
    """Groups of each mapping, the one that failed last first. `now` is the loop's time, `wall` the seconds since the
    epoch at the same moment.
    """

    def to_wall(moment: float) -> float:
        return wall - now + moment

    return {"mappings": [_of_mapping(mapping, configuration, kept, to_wall) for mapping in mappings]}


def _of_mapping(
    mapping: MappingStatus,
    configuration: ConfigurationStatus | None,
    kept: Sequence[FailedEvent],
    to_wall: Callable[[float], float],
) -> Json:
    return {
        "name": mapping.name,
        "uuid": mapping.uuid,
        "function": mapping.function,
        "forgotten": mapping.failures.forgotten,
        "groups": [_group(group, configuration, to_wall) for group in mapping.failures.newest_first()],
        "kept": [_kept(event) for event in kept if event.uuid == mapping.uuid],
    }


def _group(group: FailureGroup, configuration: ConfigurationStatus | None, to_wall: Callable[[float], float]) -> Json:
    first = to_wall(group.first.at)
    return {
        "number": group.number,
        "error": group.error,
        "template": group.template,
        "count": group.count,
        "records": group.records,
        "began": None if configuration is None else began(first, configuration.loaded_at, configuration.loads),
        "first": _failure(group.first, to_wall),
        "last": _failure(group.last, to_wall),
        "smallest": _failure(group.smallest, to_wall),
    }


def _kept(event: FailedEvent) -> Json:
    return {
        "id": event.id,
        "at": iso(event.at),
        "error": event.error,
        "text": event.text,
        "records": event.records,
        "partition": event.partition,
        "first_record": event.first,
        "redacted": event.redacted,
    }


def _failure(failure: Failure, to_wall: Callable[[float], float]) -> Json:
    return {
        "at": iso(to_wall(failure.at)),
        "text": failure.text,
        "records": failure.records,
        "failed": failure.failed,
        "partition": failure.partition,
        "first_record": failure.first,
        "request_id": failure.request_id,
        "logs": failure.logs.splitlines(),
    }
