"""From files, environment and command line to one Configuration, or to one report of everything that is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from pathlib import Path
from typing import Any

from poller.configuration.model.aws import usable_aws
from poller.configuration.model.functions import FunctionConfig
from poller.configuration.model.key_roles import keys
from poller.configuration.model.mapping import EventSourceMapping
from poller.configuration.model.read_functions import read_function
from poller.configuration.model.read_mappings import Functions, asynchronous_mappings, read_mapping, report_duplicates
from poller.configuration.model.settings import Settings, absolute_address, default_state
from poller.configuration.reading.documents import SCHEMA, read_document
from poller.configuration.reading.explain import Report, unknown_key
from poller.configuration.reading.files import LOCAL, Group, distrust, expand, nothing_found, search
from poller.configuration.reading.layers import Layers
from poller.configuration.reading.spelling import Speller
from poller.configuration.reading.tree import Node, Origin, clashes, find, grow, overlay
from poller.configuration.warnings import taken_for_lambda, warnings_of
from poller.state.kinds import absolute
from poller.values.errors import ConfigurationError, capped

FUNCTIONS, MAPPINGS = "functions", "event_source_mappings"
_EMPTY = "no event source mapping is configured"
NO_SHADOW_BY_SEVERAL = (
    "would read everything in each process; give it a daemon by itself, or let the mapping that delivers have a "
    "shadow_function_name"
)
SETTINGS = tuple(Settings.model_fields)


class Need(IntEnum):
    """What a command requires of the configuration; each level includes the levels before it."""

    NOTHING = 0
    FILES = 1
    MAPPINGS = 2


@dataclass(frozen=True, slots=True)
class Configuration:
    settings: Settings
    functions: dict[str, FunctionConfig]
    """By key, including the functions that only mappings name."""
    mappings: list[EventSourceMapping]
    warnings: list[str]
    """Settings that are allowed and probably a mistake, one line each."""
    sources: list[Path]
    """The files read, in order."""
    places: Mapping[str, str] = field(default_factory=dict, compare=False)
    """The place of each setting, as `file:line`."""
    declared: frozenset[str] = frozenset()
    """The functions among them that have an entry of their own."""
    written: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, compare=False)
    """Parameters of mappings by name, as a program that embeds the engine gave them; none of those in files."""
    mapping_places: Mapping[str, str] = field(default_factory=dict, compare=False)
    """The place of each mapping that stands in a file, as `file:line`, by its uuid."""


def load(
    paths: list[Path] | None,
    *,
    environ: Mapping[str, str],
    overrides: dict[str, Any] | None = None,
    need: Need = Need.NOTHING,
) -> Configuration:
    """Read and check everything. `overrides` are settings from the command line, nested like a file's.

    Raises ConfigurationError with all problems at once.
    """
    loader = Loader(environ)
    found = loader.find(paths)
    if need >= Need.FILES and not (found or loader.problems):
        raise ConfigurationError([nothing_found()])
    groups = loader.read(found)
    settings = loader.settings(groups, overrides or {})
    functions = Functions(loader.functions(groups, settings))
    mappings = loader.mappings(groups, functions, settings)
    if loader.problems:
        raise ConfigurationError(sorted(loader.problems, key=_place))
    if not mappings:
        if need >= Need.MAPPINGS:
            raise ConfigurationError([*loader.warnings, f"{_EMPTY}; add event_source_mappings, or say --allow-empty"])
        loader.warnings.append(f"{_EMPTY}; nothing will be polled")
    declared = frozenset(functions.declared)
    files = [file for group, _ in groups for file in group.files] + loader.outside
    return Configuration(
        settings,
        functions.all(),
        mappings,
        capped(loader.warnings),
        files,
        loader.places,
        declared,
        mapping_places=loader.mapping_places,
    )


def schema_text() -> str:
    """The JSON Schema of a configuration file, as the package ships it."""
    return Path(__file__).with_name("schema.json").read_text(encoding="utf-8")


Groups = list[tuple[Group, list[Node]]]


class Loader:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self.places: dict[str, str] = {}
        self.mapping_places: dict[str, str] = {}
        self.function_reports: dict[str, Report] = {}
        self.outside: list[Path] = []
        """Files with settings outside the configuration's own files: `.env`."""

    def find(self, paths: list[Path] | None) -> list[Path]:
        """The named paths, else the first of the usual places that exists."""
        if paths is not None:
            return paths
        found = search(self.environ)
        if self.environ.get("POLLER_CONFIG") or found != [LOCAL]:
            return found
        reason = distrust(LOCAL, "name it with --config if you trust it")
        if reason is None:
            return found
        self.problems.append(reason)
        return []

    def read(self, paths: list[Path]) -> Groups:
        found, problems = expand(paths)
        self.problems += problems
        groups = []
        for group in found:
            if not group.files:
                self.warnings.append(f"{group.given}: holds no *.yaml, *.yml, *.toml or *.json file")
            groups.append((group, [self.document(file) for file in group.files]))
        return groups

    def document(self, file: Path) -> Node:
        root, problems = read_document(file)
        self.problems += problems
        root = self.spelled(root.without({SCHEMA}))
        for key in root.value:
            if key not in (*SETTINGS, FUNCTIONS, MAPPINGS):
                Report(root, (), self.problems).say(unknown_key(key, [*SETTINGS, FUNCTIONS, MAPPINGS]), key)
        return root

    def spelled(self, root: Node) -> Node:
        speller = Speller(self.environ, keys())
        root = speller.spell(root)
        self.problems += speller.problems
        return root

    def settings(self, groups: Groups, overrides: dict[str, Any]) -> Settings:
        """The settings. If one is wrong: defaults and the valid keys of `aws`, to check functions and mappings with."""
        merged = self.merged(groups, overrides)
        self.places = {key: node.place for key, node in merged.value.items()}
        report = Report(merged, (), self.problems)
        settings = report.validated(Settings, merged)
        return settings or Settings(state="memory:", aws=usable_aws(merged.get("aws")))

    def merged(self, groups: Groups, overrides: dict[str, Any]) -> Node:
        """The settings of all places by precedence, as written, with relative paths made absolute."""
        here = Path.cwd()
        merged = grow({"state": default_state(self.environ)}, Origin("default", here))
        layers = Layers(Settings)
        for tree in (
            *(self.group_settings(group, roots) for group, roots in groups),
            *layers.outside(self.environ),
            grow(overrides, Origin("command line", here)),
        ):
            merged = overlay(merged, tree)
        self.problems += layers.problems
        self.warnings += layers.warnings
        self.outside = layers.sources
        return _with_absolute_paths(merged)

    def group_settings(self, group: Group, roots: list[Node]) -> Node:
        """The settings of a file, or of a directory's files, which have no precedence among each other."""
        merged = Node({}, Origin(str(group.given), group.given))
        for root in roots:
            own = replace(root, value={key: child for key, child in root.value.items() if key in SETTINGS})
            for path, first, second in clashes(merged, own):
                _, written = find(own, path)
                self.problems.append(f"{second.place}: {written}: is set already, at {first.place}; remove one")
            merged = overlay(merged, own)
        return merged

    def functions(self, groups: Groups, settings: Settings) -> dict[str, FunctionConfig | None]:
        found: dict[str, FunctionConfig | None] = {}
        places: dict[str, str] = {}
        faces: dict[str, str] = {}
        for root in _documents(groups):
            block = root.get(FUNCTIONS)
            report = Report(root, (FUNCTIONS,), self.problems)
            if block is None or not isinstance(block.value, dict):
                if block is not None and block.value is not None:
                    report.say("must hold functions by their keys")
                continue
            for key, node in block.value.items():
                if key in found:
                    report.say(f"is defined already, at {places[key]}; remove or rename one", key)
                    continue
                places[key] = node.place
                own = Report(root, (FUNCTIONS, key), self.problems)
                found[key] = function = read_function(key, node, settings.aws, own)
                self.function_reports[key] = own
                if function is not None and (face := function.http_face) is not None:
                    if face.path in faces:
                        own.say(f"is the path of {faces[face.path]} already; choose another", "http_face", "path")
                    faces.setdefault(face.path, key)
        return found

    def mappings(self, groups: Groups, functions: Functions, settings: Settings) -> list[EventSourceMapping]:
        found: list[tuple[EventSourceMapping, Report]] = []
        for root in _documents(groups):
            block = root.get(MAPPINGS)
            if block is None or not isinstance(block.value, list):
                if block is not None and block.value is not None:
                    Report(root, (MAPPINGS,), self.problems).say("must be a list of mappings (`- name: …`)")
                continue
            for index, node in enumerate(block.value):
                report = Report(root, (MAPPINGS, index), self.problems)
                mapping = read_mapping(node, functions, settings.aws, report)
                if mapping is not None:
                    found.append((mapping, report))
                    if mapping.shadow and (settings.fleet is not None or settings.workers > 1):
                        report.say(NO_SHADOW_BY_SEVERAL, "shadow")
        found += asynchronous_mappings(functions, settings.aws, self.function_reports, self.problems)
        report_duplicates(found)
        self.warnings += taken_for_lambda(functions.taken_for_lambda, functions.declared)
        self.warnings += warnings_of([(mapping, report.place) for mapping, report in found])
        self.mapping_places = {mapping.uuid: report.place for mapping, report in found}
        return [mapping for mapping, _ in found]


def _place(problem: str) -> tuple[str, int]:
    """Sort key of a problem: file and line."""
    label, _, rest = problem.partition(":")
    line = rest.partition(":")[0]
    return label, int(line) if line.isdecimal() else 0


def _documents(groups: Groups) -> list[Node]:
    return [root for _, roots in groups for root in roots]


def _with_absolute_paths(settings: Node) -> Node:
    """Resolves relative paths here, because they are relative to their file, and only the tree knows that file."""
    for location, resolve in ((("state",), absolute), (("api", "listen"), absolute_address)):
        node: Node | None = settings
        for key in location:
            node = None if node is None else node.get(key)
        if node is not None and isinstance(node.value, str):
            settings = _replaced(settings, location, resolve(node.value, node.origin.directory))
    return settings


def _replaced(root: Node, location: tuple[str, ...], value: str) -> Node:
    head, *rest = location
    child = root.value[head]
    child = _replaced(child, tuple(rest), value) if rest else replace(child, value=value)
    return replace(root, value={**root.value, head: child})
