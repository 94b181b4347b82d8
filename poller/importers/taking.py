"""Turns drafts into entries of `event_source_mappings` that `poller check` accepts, and says what it leaves out."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from poller.configuration.model.aws import AwsSettings
from poller.configuration.model.fields import NAME_MOST, is_name
from poller.configuration.model.mapping import EventSourceMapping
from poller.configuration.model.read_functions import read_function
from poller.configuration.model.read_mappings import Functions, read_mapping, report_duplicates
from poller.configuration.model.taken_parameters import AWS_PARAMETERS, OF_BROKERS, OWN, REFUSED
from poller.configuration.reading.explain import Report
from poller.configuration.reading.spelling import snake_case
from poller.configuration.reading.tree import Origin, grow
from poller.destinations.kinds import check_destination
from poller.importers.draft import Draft, Findings, Remark, has_hole, reasons_in, sketch_of
from poller.sources.kinds import parse_source
from poller.values.arns import parse_function_name

_SOURCE, _FUNCTION, _START = "event_source_arn", "function_name", "starting_position"
_REQUIRED = frozenset({_SOURCE, _FUNCTION, _START})
_DESTINATION = "destination_config"
_DECISIVE = frozenset({"filter_criteria", _DESTINATION})
"""Parameters without which a mapping may not run: records would be delivered, or lost, that should not be."""
_AS_WRITTEN = frozenset({"tags", "filter_criteria", _DESTINATION, _SOURCE, _FUNCTION, "name", "uuid"})
"""Values whose text is not read as a number."""
_EXAMPLE = "arn:aws:sqs:us-east-1:000000000000:QUEUE"
_WHOLE = re.compile(r"-?\d{1,18}")


@dataclass(slots=True)
class Entry:
    """One entry of `event_source_mappings`, as it is written."""

    place: str
    title: str
    values: dict[str, Any]
    holes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Why a value is missing or a mere sketch, by key."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Why a parameter was not taken, by key."""


@dataclass(slots=True)
class Imported:
    """What is written, and what is said beside it."""

    entries: list[Entry]
    functions: dict[str, dict[str, Any]]
    remarks: list[Remark]
    refused: int

    @property
    def complete(self) -> bool:
        """Whether everything was taken and nothing is left to fill in."""
        return not self.remarks and not any(entry.holes for entry in self.entries)


def take(found: Findings, directory: Path) -> Imported:
    """Check each draft as the configuration would. `directory` is where relative paths of functions begin."""
    functions = _functions(found, directory)
    taken: list[tuple[EventSourceMapping, _Collected]] = []
    entries: list[Entry] = []
    names: set[str] = set()
    for draft in found.drafts:
        entry = _entry(draft, found, names)
        if entry is None or (read := _checked(entry, functions, draft, found)) is None:
            continue
        before = len(read[1].found)
        report_duplicates([*taken, read])
        if len(read[1].found) > before:
            found.refuse(draft.place, f"{draft.title}: {read[1].found[-1][1]}")
            continue
        taken.append(read)
        entries.append(entry)
        names.add(entry.values["name"])
        places = {key: draft.places.get(_spelled(draft, key), draft.place) for key in (*entry.holes, *entry.left_out)}
        found.remarks += [
            Remark(places[key], f"{draft.title}: {key}: hole: {'; '.join(reasons)}")
            for key, reasons in entry.holes.items()
        ]
        found.remarks += [
            Remark(places[key], f"{draft.title}: {key}: not taken: {reason}") for key, reason in entry.left_out.items()
        ]
    used = {entry.values[_FUNCTION] for entry in entries}
    return Imported(
        entries, {key: value for key, value in found.functions.items() if key in used}, found.remarks, found.refused
    )


def _spelled(draft: Draft, key: str) -> str:
    return next((written for written in draft.parameters if snake_case(written) == key.partition(".")[0]), key)


class _Collected(Report):
    """Collects problems with the path of the value that each is about."""

    @classmethod
    def over(cls, values: dict[str, Any], place: str, directory: Path) -> "_Collected":
        return cls(grow(values, Origin(place, directory)), (), [])

    @property
    def found(self) -> list[tuple[tuple[str | int, ...], str]]:
        return [(tuple(text.split("\0")[:-1]), text.rpartition("\0")[2]) for text in self.problems]

    def say(self, text: str, *below: str | int) -> None:
        self.problems.append("\0".join((*map(str, below), text)))


def _functions(found: Findings, directory: Path) -> Functions:
    """The functions that the drafts bring along; what is wrong with one is a remark, and Lambda's takes its place."""
    declared = {}
    for key, values in list(found.functions.items()):
        report = _Collected.over(values, key, directory)
        config = read_function(key, report.root, AwsSettings(), report)
        if report.problems:
            del found.functions[key]
            found.remarks += [
                Remark(f"functions.{key}", f"not run here: {'.'.join(map(str, below))}: {text}")
                for below, text in report.found
            ]
        else:
            declared[key] = config
    return Functions(declared)


def _entry(draft: Draft, found: Findings, names: set[str]) -> Entry | None:
    """The draft's values in this configuration's spelling; None where it has no source that is supported."""
    entry = Entry(draft.place, draft.title, {"name": _unique(draft.name, names)})
    given = {snake_case(key): value for key, value in draft.parameters.items() if _is_set(value)}
    source = given.pop(_SOURCE, None)
    if OF_BROKERS & given.keys():
        found.refuse(draft.place, f"{draft.title}: Apache Kafka and message brokers are not sources here")
        return None
    arn = _source(entry, source, draft)
    try:
        parse_source(arn)
    except ValueError as error:
        found.refuse(draft.place, f"{draft.title}: event_source_arn {error}")
        return None
    entry.values[_SOURCE] = arn
    _take_function(entry, given.pop(_FUNCTION, None))
    for key, value in given.items():
        if key in REFUSED:
            entry.left_out[key] = REFUSED[key].removesuffix("; remove it")
        elif key not in AWS_PARAMETERS | OWN | {"uuid", "aws"}:
            entry.left_out[key] = "is no parameter of an event source mapping that is known here"
        elif has_hole(value):
            _take_hole(entry, key, value)
        else:
            entry.values[key] = _numbers(key, _snaked(key, value))
    return entry


def _source(entry: Entry, value: Any, draft: Draft) -> str:
    if value is None:
        entry.holes[_SOURCE] = ("it names no source",)
    elif has_hole(value):
        entry.holes[_SOURCE] = reasons_in(value)
    arn = "" if value is None else str(sketch_of(value))
    if _SOURCE in entry.holes:
        try:
            parse_source(arn)
        except ValueError:
            arn = draft.example_arn or _EXAMPLE
    return arn


def _take_function(entry: Entry, value: Any) -> None:
    name = "" if value is None else str(sketch_of(value))
    if value is None:
        entry.holes[_FUNCTION] = ("it names no function",)
    elif has_hole(value):
        entry.holes[_FUNCTION] = reasons_in(value)
    if _FUNCTION in entry.holes:
        try:
            parse_function_name(name)
        except ValueError:
            name = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:64] or "FUNCTION"
    entry.values[_FUNCTION] = name


def _take_hole(entry: Entry, key: str, value: Any) -> None:
    """Write the sketch where it is a possible value; else the key stays away, and its place is a comment."""
    entry.holes[key] = reasons_in(value)
    if key == _START:
        entry.values[key] = "TRIM_HORIZON"
    elif key == _DESTINATION:
        sketch = _snaked(key, sketch_of(value))
        try:
            check_destination(sketch["on_failure"]["destination"])
        except (ValueError, KeyError, TypeError, AttributeError):
            return
        entry.values[key] = sketch


def _checked(
    entry: Entry, functions: Functions, draft: Draft, found: Findings
) -> tuple[EventSourceMapping, _Collected] | None:
    """Leave out what the configuration would refuse, key by key; None where the mapping has no use without it."""
    while True:
        if entry.holes:
            entry.values["enabled"] = False
        report = _Collected.over(entry.values, draft.place, Path.cwd())
        mapping = read_mapping(report.root, functions, AwsSettings(), report)
        keys = {str(below[0]): text for below, text in report.found if below}
        if not report.problems and mapping is not None:
            return mapping, report
        droppable = {key: text for key, text in keys.items() if key in entry.values and key not in _REQUIRED}
        if not droppable or "name" in droppable:
            texts = "; ".join(f"{'.'.join(map(str, below))} {text}".strip() for below, text in report.found)
            found.refuse(draft.place, f"{draft.title}: {texts}")
            return None
        for key, text in droppable.items():
            del entry.values[key]
            if key in _DECISIVE:
                entry.holes[key] = (text,)
            else:
                entry.left_out[key] = text


def _unique(name: str, taken: set[str]) -> str:
    base = re.sub(r"[^A-Za-z0-9_.:$-]+", "-", name).strip("-")[: NAME_MOST - 4] or "mapping"
    assert is_name(base), base
    return next(each for each in _numbered(base) if each not in taken)


def _numbered(base: str) -> Iterator[str]:
    yield base
    number = 2
    while True:
        yield f"{base}-{number}"
        number += 1


def _is_set(value: Any) -> bool:
    """Whether a value says anything: templates and services have empty objects where nothing was set."""
    if isinstance(value, dict):
        return any(_is_set(child) for child in value.values())
    return value is not None and value not in ([], "")


def _snaked(key: str, value: Any) -> Any:
    """Keys in snake_case, but for those that are data; empty parts are left out."""
    if key in ("tags", "pattern"):
        return value
    if isinstance(value, dict):
        return {snake_case(name): _snaked(snake_case(name), child) for name, child in value.items() if _is_set(child)}
    return [_snaked("", child) for child in value] if isinstance(value, list) else value


def _numbers(key: str, value: Any) -> Any:
    """Numbers and truth values that were written as text, as parameters of a template are."""
    if key in _AS_WRITTEN:
        return value
    if isinstance(value, dict):
        return {name: _numbers(name, child) for name, child in value.items()}
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    return {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value
