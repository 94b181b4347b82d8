"""What a member of a fleet says of what its functions failed of, when another one asks. Pure.

The answer stands in the row of the member, which all others read, so it says the most frequent causes alone, with texts
that are cut. The other one may run another version, so whatever is read counts only as far as it has the right form.
Times are seconds since the epoch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from poller.policy.failures import MOST_CHARACTERS, Failure, FailureGroup
from poller.policy.failures_merged import LONGEST_NAME
from poller.policy.waiting import is_count, is_name, moment
from poller.values.texts import clean

MOST_SAID = 20
"""Causes of a member, of all its mappings together."""
LONGEST_TEXT = 200
"""Characters of what a function said."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Of:
    """The mapping of a cause."""

    uuid: str
    name: str
    function: str


@dataclass(frozen=True, slots=True)
class Told:
    """Of one member."""

    groups: Sequence[tuple[Of, FailureGroup]]
    more: int
    """Causes that it did not say."""


def said(found: Sequence[tuple[Of, FailureGroup]], to_wall: Callable[[float], float]) -> Json:
    """What another member is told; `to_wall` gives seconds since the epoch."""
    frequent = sorted(found, key=lambda one: one[1].count, reverse=True)[:MOST_SAID]
    return {
        "groups": [_written(of, group, to_wall) for of, group in frequent],
        "more": len(found) - len(frequent),
    }


def _written(of: Of, group: FailureGroup, to_wall: Callable[[float], float]) -> Json:
    return {
        "uuid": of.uuid,
        "mapping": clean(of.name, LONGEST_NAME),
        "function": clean(of.function, LONGEST_NAME),
        "error": clean(group.error, LONGEST_NAME),
        "template": clean(group.template, MOST_CHARACTERS),
        "count": group.count,
        "records": group.records,
        **{name: _failure(getattr(group, name), to_wall) for name in ("first", "last", "smallest")},
    }


def _failure(one: Failure, to_wall: Callable[[float], float]) -> Json:
    return {
        "at": round(to_wall(one.at), 3),
        "text": clean(one.text, LONGEST_TEXT),
        "records": one.records,
        "failed": one.failed,
        "first": one.first if is_name(one.first) else None,
        "request": one.request_id if is_name(one.request_id) else None,
        "partition": clean(one.partition, LONGEST_TEXT),
    }


def read(answer: Any, now: float) -> Told | None:
    """What a member answered, as far as it has the right form; None for another answer than `said`. Never raises."""
    groups = answer.get("groups") if isinstance(answer, dict) else None
    if not isinstance(groups, list):
        return None
    found = [group for one in groups[:MOST_SAID] if (group := _group(one, now)) is not None]
    more = answer.get("more")
    return Told(found, more if is_count(more) else 0)


def _group(one: Any, now: float) -> tuple[Of, FailureGroup] | None:
    if not isinstance(one, dict) or not (
        is_name(one.get("uuid")) and is_count(one.get("count")) and is_count(one.get("records"))
    ):
        return None
    error = _text(one.get("error"), LONGEST_NAME)
    first, last, smallest = (_read(one.get(name), error, now) for name in ("first", "last", "smallest"))
    if first is None or last is None or smallest is None:
        return None
    of = Of(one["uuid"], _text(one.get("mapping"), LONGEST_NAME), _text(one.get("function"), LONGEST_NAME))
    template = _text(one.get("template"), MOST_CHARACTERS)
    return of, FailureGroup(0, error, template, first, last, smallest, one["count"], one["records"])


def _read(one: Any, error: str, now: float) -> Failure | None:
    if not isinstance(one, dict) or not (is_count(one.get("records")) and is_count(one.get("failed"))):
        return None
    if (at := moment(one.get("at"), now)) is None:
        return None
    first, request = one.get("first"), one.get("request")
    return Failure(
        error,
        _text(one.get("text"), LONGEST_TEXT),
        one["records"],
        one["failed"],
        first if is_name(first) else None,
        request if is_name(request) else None,
        _text(one.get("partition"), LONGEST_TEXT),
        # clocks differ
        min(at, now),
    )


def _text(value: Any, most: int) -> str:
    return clean(value, most) if isinstance(value, str) else ""
