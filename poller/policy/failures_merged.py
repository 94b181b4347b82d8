"""`GET /failures` of several processes as one: of workers of a daemon, and of members of a fleet. Pure."""

from collections.abc import Iterable, Sequence
from typing import Any

from poller.policy.failures import MOST_CHARACTERS
from poller.values.texts import clean

LONGEST_NAME = 100
"""Characters of the type of an error, the name of a mapping or of a function, as members say them to each other."""

Json = dict[str, Any]


def merged(documents: Sequence[Json]) -> Json:
    """One cause is one group, with the names of all members on which it was seen."""
    found: dict[str, list[Json]] = {}
    for one in (one for document in documents for one in document["mappings"]):
        found.setdefault(one["uuid"], []).append(one)
    return {
        "mappings": [_of_mapping(same) for same in found.values()],
        "more": [one for document in documents for one in document["more"]],
        "silent": _union(name for document in documents for name in document["silent"]),
        "asking": any(document["asking"] for document in documents),
    }


def _of_mapping(same: Sequence[Json]) -> Json:
    groups: dict[tuple[str, str], Json] = {}
    for group in (group for one in same for group in one["groups"]):
        # as a member says it to another one
        key = clean(str(group["error"]), LONGEST_NAME), clean(str(group["template"]), MOST_CHARACTERS)
        groups[key] = _group(groups[key], group) if key in groups else group
    ordered = sorted(groups.values(), key=lambda group: str(group["last"]["at"]), reverse=True)
    kept = {event["id"]: event for one in same for event in one["kept"]}
    return {
        **same[0],
        "forgotten": sum(one["forgotten"] for one in same),
        "groups": ordered,
        "kept": sorted(kept.values(), key=lambda event: str(event["at"]), reverse=True),
    }


def _group(one: Json, other: Json) -> Json:
    return {
        **one,
        "members": _union([*one["members"], *other["members"]]),
        "count": one["count"] + other["count"],
        "records": one["records"] + other["records"],
        "first": min(one["first"], other["first"], key=lambda failure: str(failure["at"])),
        "last": max(one["last"], other["last"], key=lambda failure: str(failure["at"])),
        "smallest": min(one["smallest"], other["smallest"], key=lambda failure: failure["records"]),
    }


def _union(values: Iterable[str]) -> list[str]:
    return [*dict.fromkeys(values)]
