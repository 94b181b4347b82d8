"""Configuration given as Python values by a program that embeds the engine: checked as files are, with one report."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from poller.configuration.load import FUNCTIONS, MAPPINGS, SETTINGS, Configuration, Loader
from poller.configuration.model.functions import FunctionConfig
from poller.configuration.model.mapping import EventSourceMapping
from poller.configuration.model.read_functions import read_function
from poller.configuration.model.read_mappings import Functions, asynchronous_mappings, read_mapping, report_duplicates
from poller.configuration.model.settings import Settings
from poller.configuration.reading.explain import Report, unknown_key
from poller.configuration.reading.tree import Node, Origin, grow
from poller.configuration.warnings import taken_for_lambda, warnings_of
from poller.values.errors import ConfigurationError, capped

LABEL = "keyword arguments"
OF_THE_PROCESS = ("api", "log")
"""Settings of the daemon's process, which a program that embeds the engine has itself."""
GIVEN_SETTINGS = tuple(key for key in SETTINGS if key not in OF_THE_PROCESS)


def read_given(
    settings: Mapping[str, Any],
    functions: Mapping[str, Mapping[str, Any]],
    mappings: Sequence[Mapping[str, Any]],
    callables: Mapping[str, FunctionConfig],
) -> Configuration:
    """All of it, nested as in a file. `callables` are functions that no file can describe. Without `state`, positions
    live in memory. Raises ConfigurationError with all problems at once.
    """
    given = {**settings, FUNCTIONS: dict(functions), MAPPINGS: list(mappings)}
    loader, root = _spelled(given)
    for key in settings:
        if key in OF_THE_PROCESS:
            _say(loader, root, f"{key}: is a setting of the daemon's process; a program that embeds poller has its own")
        elif key not in GIVEN_SETTINGS:
            _say(loader, root, unknown_key(key, [*GIVEN_SETTINGS, FUNCTIONS, MAPPINGS]), key)
    own = replace(root, value={key: root.value[key] for key in GIVEN_SETTINGS if key in root.value})
    read = Report(root, (), loader.problems).validated(Settings, grow({"state": "memory:"} | own.plain(), root.origin))
    checked = read or Settings(state="memory:")
    declared: dict[str, FunctionConfig | None] = dict(callables)
    reports = {key: Report(root, (FUNCTIONS, key), loader.problems) for key in root.value[FUNCTIONS].value}
    for key, node in root.value[FUNCTIONS].value.items():
        declared[key] = read_function(key, node, checked.aws, reports[key])
    known = Functions(declared)
    found = [
        (mapping, report)
        for index, node in enumerate(root.value[MAPPINGS].value)
        for report in [Report(root, (MAPPINGS, index), loader.problems)]
        if (mapping := read_mapping(node, known, checked.aws, report)) is not None
    ]
    written = dict(_by_name(found, mappings))
    found += asynchronous_mappings(known, checked.aws, reports, loader.problems)
    return _whole(loader, checked, known, found, written=written)


def with_mapping(
    present: Configuration,
    parameters: Mapping[str, Any],
    callables: Mapping[str, FunctionConfig],
    *,
    replacing: str = "",
) -> Configuration:
    """The configuration with one more mapping, or with another one in the place of that named `replacing`. Raises
    ConfigurationError.
    """
    loader, root = _spelled(parameters)
    declared = {key: present.functions[key] for key in present.declared}
    known = Functions({**declared, **callables})
    report = Report(root, (), loader.problems)
    mapping = read_mapping(root, known, present.settings.aws, report)
    if mapping is None:
        raise ConfigurationError(loader.problems)
    found = [
        (mapping, report) if other.name == replacing else (other, _report_of(other, loader.problems))
        for other in present.mappings
    ]
    if not replacing:
        found.append((mapping, report))
    written = {name: own for name, own in present.written.items() if name != replacing}
    whole = _whole(loader, present.settings, known, found, written={**written, mapping.name: dict(parameters)})
    return replace(whole, functions={**present.functions, **whole.functions}, sources=present.sources)


def without_mapping(present: Configuration, name: str) -> Configuration:
    """The configuration without the mapping of that name."""
    written = {other: own for other, own in present.written.items() if other != name}
    return replace(present, mappings=[one for one in present.mappings if one.name != name], written=written)


Found = list[tuple[EventSourceMapping, Report]]


def _spelled(given: Mapping[str, Any]) -> tuple[Loader, Node]:
    loader, here = Loader(os.environ), Path.cwd()
    root = loader.spelled(grow(dict(given), Origin(LABEL, here)))
    if (listed := root.get(MAPPINGS)) is not None:
        # another mapping's problem names it by this
        placed = [replace(one, origin=Origin(f"{MAPPINGS}[{index}]", here)) for index, one in enumerate(listed.value)]
        root.value[MAPPINGS] = replace(listed, value=placed)
    return loader, root


def _say(loader: Loader, root: Node, text: str, *below: str) -> None:
    Report(root, (), loader.problems).say(text, *below)


def _report_of(mapping: EventSourceMapping, problems: list[str]) -> Report:
    """For a mapping that was read before; a problem with it is one of the new mapping."""
    return Report(Node({}, Origin(f"mapping {mapping.name}", Path.cwd())), (), problems)


def _by_name(found: Found, mappings: Sequence[Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    return [(mapping.name, mappings[int(report.at[1])]) for mapping, report in found]


def _whole(
    loader: Loader, settings: Settings, functions: Functions, found: Found, *, written: Mapping[str, Mapping[str, Any]]
) -> Configuration:
    report_duplicates(found)
    if loader.problems:
        raise ConfigurationError(loader.problems)
    warnings = [
        *taken_for_lambda(functions.taken_for_lambda, functions.declared),
        *warnings_of([(mapping, report.place) for mapping, report in found]),
    ]
    mappings, declared = [mapping for mapping, _ in found], frozenset(functions.declared)
    return Configuration(settings, functions.all(), mappings, capped(warnings), [], declared=declared, written=written)
