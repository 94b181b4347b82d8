"""Warnings about mappings that are valid and probably a mistake, one line each."""

from collections.abc import Iterable, Iterator, Sequence

from poller.configuration.model.mapping import EventSourceMapping
from poller.configuration.reading.explain import similar
from poller.sources.kinds import KINDS
from poller.values.errors import SHOWN_MOST, capped

_KEYS_MOST = 10

Placed = Sequence[tuple[EventSourceMapping, str]]
"""Mappings with their places in the files."""


def warnings_of(found: Placed) -> Iterator[str]:
    yield from _shared_queues(found)
    for mapping, place in found:
        if mapping.filter_criteria:
            yield from _unknown_members(mapping, place)


def taken_for_lambda(names: Sequence[tuple[str, str]], declared: Iterable[str]) -> Iterator[str]:
    """`names` are function names of mappings, with their places, for which `functions` has no entry."""
    keys = list(declared)
    listed = ", ".join(capped(keys, _KEYS_MOST))
    for index, (name, place) in enumerate(names):
        # the comparison takes time, and only the first names are shown
        close = similar(name, keys) if index < SHOWN_MOST else None
        hint = f"did you mean {close}?" if close else f"functions defines {listed}"
        text = f"function_name {name} is no key of functions, so it is taken as the name of a Lambda function; {hint}"
        yield f"{place}: {text} (its ARN, or an entry of type lambda, says that it is meant)"


def _shared_queues(found: Placed) -> Iterator[str]:
    first: dict[str, tuple[EventSourceMapping, str]] = {}
    for mapping, place in found:
        if not KINDS[mapping.source.kind].competing or not mapping.enabled:
            continue
        other, other_place = first.setdefault(mapping.event_source_arn, (mapping, place))
        if other is mapping:
            continue
        text = f"receives from the same queue as {other.name!r} at {other_place}: each message reaches only one of them"
        if mapping.filter_criteria or other.filter_criteria:
            text += ", and what the filters of one reject the other never sees"
        yield f"{place}: {mapping.name!r} {text}"


def _unknown_members(mapping: EventSourceMapping, place: str) -> Iterator[str]:
    kind = KINDS[mapping.source.kind]
    members = kind.members.names
    for name in sorted(mapping.criteria().top_level_keys - set(members)):
        text = f"a filter of {mapping.name!r} asks for {name!r}, which no record of {kind.title} has"
        yield f"{place}: {text}; the payload is under {members[0]!r}"
