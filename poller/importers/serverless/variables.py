"""Replaces the variables of serverless.yml, `${self:custom.stage, 'dev'}`, as far as files and options tell."""

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from poller.configuration.reading.tree import Node
from poller.importers.cloudformation.tags import TemplateReader
from poller.importers.draft import Hole, join
from poller.importers.given import Given, tree_of
from poller.values.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_INNERMOST = re.compile(r"\$\{([^${}]+)\}")
_MOST = 60
"""Replacements in one text, and variables within variables: a circle ends here."""
_MOST_IN_ALL = 10_000
"""Variables of one file, those within variables counted as often as they are needed."""
_MISSING = object()
_STAGE, _REGION = "dev", "us-east-1"
"""The framework's own defaults."""


class Variables:
    """The variables of one file."""

    def __init__(self, root: Node, given: Given) -> None:
        self._root = root
        self._given = given
        self._depth = 0
        self._open: set[str] = set()
        self._replaced = 0
        self._files: dict[Path, Node | None] = {}

    @property
    def stage(self) -> Any:
        """`--stack`, else the file's own, else the default."""
        return self._given.stack or self._provider("stage", _STAGE)

    @property
    def region(self) -> Any:
        """`--region`, else the file's own, else the default."""
        return self._given.region or self._provider("region", _REGION)

    def _provider(self, key: str, default: str) -> Any:
        found = self._at(self._root, f"provider.{key}")
        value = default if found is None else self.expanded(found).value
        return value if isinstance(value, str | Hole) else default

    def expanded(self, node: Node) -> Node:
        """The tree with every variable replaced; what stays unknown is a node whose value is a hole."""
        self._depth += 1
        try:
            if self._depth > _MOST:
                return replace(node, value=Hole.of("", "variables refer to each other in a circle"), written=None)
            if isinstance(node.value, dict):
                return replace(node, value={key: self.expanded(child) for key, child in node.value.items()})
            if isinstance(node.value, list):
                return replace(node, value=[self.expanded(child) for child in node.value])
            return self._text(node) if isinstance(node.value, str) and "${" in node.value else node
        finally:
            self._depth -= 1

    def _text(self, node: Node) -> Node:
        text, holes = node.value, []
        for _ in range(_MOST):
            found = next((each for each in _INNERMOST.finditer(text) if not _of_cloudformation(each[1])), None)
            if found is None:
                break
            value = self._variable(found[1], node)
            if found[0] == text:
                return (
                    replace(value, line=node.line, key=node.key) if isinstance(value, Node) else self._bare(node, value)
                )
            plain = value.value if isinstance(value, Node) else value
            if isinstance(plain, dict | list):
                plain = Hole.of("", f"${{{found[1]}}} is no text")
            if isinstance(plain, Hole):
                holes.append(plain)
                plain = plain.sketch
            text = f"{text[: found.start()]}{plain}{text[found.end() :]}"
        reasons = tuple(reason for hole in holes for reason in hole.reasons)
        return self._bare(node, Hole(text, reasons) if reasons else text)

    def _bare(self, node: Node, value: Any) -> Node:
        return replace(node, value=value, written=None)

    def _variable(self, text: str, node: Node) -> Any:
        """The first of its sources, separated by commas, that has a value."""
        self._replaced += 1
        if text in self._open or self._replaced > _MOST_IN_ALL:
            return Hole.of("", "variables refer to each other in a circle, or are too many")
        self._open.add(text)
        try:
            return self._first(text, node)
        finally:
            self._open.discard(text)

    def _first(self, text: str, node: Node) -> Any:
        reasons: list[str] = []
        for source in re.split(r",(?=(?:[^']*'[^']*')*[^']*$)", text):
            found = self._source(source.strip(), node)
            if found is not _MISSING and not isinstance(found, Hole):
                return found
            reasons += found.reasons if isinstance(found, Hole) else [f"${{{source.strip()}}} has no value here"]
        return Hole(re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-"), tuple(reasons))

    def _source(self, source: str, node: Node) -> Any:
        if source[:1] in ("'", '"') and source[-1:] == source[:1]:
            return source[1:-1]
        if re.fullmatch(r"-?\d+|true|false|null", source):
            return {"true": True, "false": False, "null": None}.get(
                source, int(source) if source[-1].isdigit() else None
            )
        kind, _, rest = source.partition(":")
        simple: dict[str, Callable[[], Any]] = {
            "self": lambda: self._path(self._root, rest),
            "opt": lambda: self._option(rest),
            "param": lambda: self._given.parameters.get(rest, _MISSING),
            "env": lambda: self._given.parameters.get(rest, _MISSING),
            "sls": lambda: self.stage if rest == "stage" else _MISSING,
            "aws": lambda: {"region": self.region, "accountId": self._given.account}.get(rest) or _MISSING,
        }
        if kind in simple:
            return simple[kind]()
        if source.startswith("file("):
            return self._file(source, node)
        return Hole.of("", f"${{{source}}} is resolved by the framework only")

    def _option(self, name: str) -> Any:
        own = {"stage": self._given.stack, "region": self._given.region}.get(name)
        return own or self._given.parameters.get(name, _MISSING)

    def _path(self, root: Node, path: str) -> Any:
        found = self._at(root, path)
        return _MISSING if found is None else self.expanded(found)

    def _at(self, root: Node, path: str) -> Node | None:
        node: Node | None = root
        for step in path.split(".") if path else ():
            if node is not None and isinstance(node.value, str) and "${" in node.value:
                node = self.expanded(node)
            if node is None:
                return None
            listed = isinstance(node.value, list) and step.isdecimal() and int(step) < len(node.value)
            node = node.value[int(step)] if listed else node.get(step)
        return node

    def _file(self, source: str, node: Node) -> Any:
        found = re.fullmatch(r"file\(([^)]+)\)(?::(.+))?", source)
        if found is None:
            return Hole.of("", f"${{{source}}} is not understood")
        path = node.origin.directory / found[1].strip()
        if path.suffix not in (".yml", ".yaml", ".json"):
            return Hole.of("", f"${{{source}}} runs a program, which is not done here")
        if path not in self._files:
            try:
                self._files[path] = tree_of(path, TemplateReader)[0]
            except ConfigurationError:
                self._files[path] = None
        tree = self._files[path]
        if tree is None:
            return Hole.of("", f"${{{source}}}: {found[1].strip()} cannot be read")
        return self._path(tree, found[2] or "")


def _of_cloudformation(name: str) -> bool:
    """`${AWS::Region}` and `${Queue.Arn}` belong to `Fn::Sub`."""
    return ":" not in name.replace("::", "") and "(" not in name


def text_of_node(node: Node | None, default: Any = None) -> Any:
    """A scalar's value or hole."""
    return default if node is None or isinstance(node.value, dict | list) else node.value


def named(*parts: Any) -> Any:
    """A name made of parts, some of which may be holes."""
    return join(list(parts))
