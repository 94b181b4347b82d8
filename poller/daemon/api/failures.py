"""`GET /failures`: what functions failed of since the start, grouped by cause, with the smallest batch that failed."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from poller.daemon.api.moments import iso
from poller.daemon.api.status_json import Json
from poller.policy.failed_events import FailedEvent
from poller.policy.failures import Failure, FailureGroup, began
from poller.policy.failures_merged import merged
from poller.policy.failures_told import Told
from poller.ports.daemon_status import ConfigurationStatus
from poller.ports.failures_elsewhere import NOBODY, FailuresElsewhere
from poller.ports.status import MappingStatus
from poller.values.texts import counted


def failures_json(
    mappings: Sequence[MappingStatus],
    configuration: ConfigurationStatus | None,
    kept: Sequence[FailedEvent],
    now: float,
    wall: float,
    *,
    others: FailuresElsewhere = NOBODY,
) -> Json:
    """Groups of each mapping, the one that failed last first, with those of the `others` in the fleet. `now` is the
    loop's time, `wall` the seconds since the epoch at the same moment.
    """

    def to_wall(moment: float) -> float:
        return wall - now + moment

    members = [] if others.member is None else [others.member]
    here: Json = {
        "mappings": [_of_mapping(mapping, configuration, kept, to_wall, members) for mapping in mappings],
        "more": [],
        "silent": [*others.silent],
        "asking": others.asking,
    }
    return merged([here, *(_told(name, told) for name, told in others.told)])


def _told(member: str, told: Told) -> Json:
    """What another member said, in the form of what is told here."""
    mappings = [
        {
            "name": of.name,
            "uuid": of.uuid,
            "function": of.function,
            "forgotten": 0,
            "groups": [_group(group, None, lambda at: at, [member])],
            "kept": [],
        }
        for of, group in told.groups
    ]
    more = [{"member": member, "causes": told.more}] if told.more else []
    return {"mappings": mappings, "more": more, "silent": [], "asking": False}


def missing(told: Mapping[str, Any]) -> list[str]:
    """What the answer does not have, in sentences."""
    lines = [f"{name} gave no answer: what failed there is not shown." for name in told.get("silent", ())]
    lines += [
        f"{one['member']} has {counted(one['causes'], 'more cause')}, which it shows itself."
        for one in told.get("more", ())
    ]
    return [*lines, *(["The other members of the fleet are being asked."] if told.get("asking") else [])]


def _of_mapping(
    mapping: MappingStatus,
    configuration: ConfigurationStatus | None,
    kept: Sequence[FailedEvent],
    to_wall: Callable[[float], float],
    members: Sequence[str],
) -> Json:
    return {
        "name": mapping.name,
        "uuid": mapping.uuid,
        "function": mapping.function,
        "forgotten": mapping.failures.forgotten,
        "groups": [_group(group, configuration, to_wall, members) for group in mapping.failures.newest_first()],
        "kept": [_kept(event) for event in kept if event.uuid == mapping.uuid],
    }


def _group(
    group: FailureGroup,
    configuration: ConfigurationStatus | None,
    to_wall: Callable[[float], float],
    members: Sequence[str],
) -> Json:
    first = to_wall(group.first.at)
    return {
        "number": group.number,
        "error": group.error,
        "template": group.template,
        "members": [*members],
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
