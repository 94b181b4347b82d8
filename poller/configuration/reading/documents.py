"""Reads a YAML, JSON or TOML file into a tree. It decides which text is valid, and does not know the keys."""

import json
import re
import tomllib
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.resolver import Resolver

from poller.configuration.reading.regular import read_text
from poller.configuration.reading.tree import Node, Origin, grow, joined

SUFFIXES = (".yaml", ".yml", ".toml", ".json")
SCHEMA = "$schema"
"""The key by which editors find the schema of a JSON, YAML or TOML file, at its top level."""
MOST_ALIASED = 200_000
"""Most values that aliases may add. Far above any real configuration: only aliases of aliases reach it."""

_CORE = "tag:yaml.org,2002:"
_TAGS = frozenset(_CORE + name for name in ("null", "bool", "int", "float", "str", "timestamp", "map", "seq"))
CLOUDFORMATION_TAG = re.compile(
    r"!(And|Base64|Cidr|Condition|Equals|FindInMap|GetAZs|GetAtt|If|ImportValue|Join|Not|Or|Ref|Select|Split|Sub|Transform)"
)


FastLoader: Any = yaml.SafeLoader
"""Uses libyaml's parser where it is installed, because it is many times faster. Nodes are composed in Python, because
libyaml's own composer overflows the stack of the process on deeply nested text.
"""
if yaml.__with_libyaml__:
    from yaml.cyaml import CParser  # type: ignore[attr-defined]

    class FastLoader(Composer, CParser, Resolver):  # type: ignore[no-redef]
        def __init__(self, stream: str) -> None:
            CParser.__init__(self, stream)
            Composer.__init__(self)
            Resolver.__init__(self)


class UnreadableError(Exception):
    """The reason why a file gives no tree, with the line if it is known."""

    def __init__(self, text: str, line: int | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.line = line


def read_document(path: Path) -> tuple[Node, list[str]]:
    """The tree of a file and its problems; an empty tree for an unusable file."""
    origin = Origin(str(path), path.absolute().parent)
    reader = DocumentReader(origin)
    try:
        root = reader.read(path)
    except UnreadableError as error:
        where = origin.label if error.line is None else f"{origin.label}:{error.line}"
        return Node({}, origin, broken=True), [*reader.problems, f"{where}: {error.text}"]
    return root, reader.problems


def read_block(path: Path, key: str) -> Node | None:
    """A top-level key of a YAML file with its values, even if the file as a whole is unreadable.

    An empty tree where the file does not have that key; None where that cannot be told.
    """
    origin = Origin(str(path), path.absolute().parent)
    try:
        lines = _text(path).splitlines(keepends=True)
        starts = [index for index, line in enumerate(lines) if re.match(rf"{key}\s*:", line, re.IGNORECASE)]
        if not starts or path.suffix.lower() not in (".yaml", ".yml"):
            return None if any(key in line.lower() for line in lines) else Node({}, origin)
        below = takewhile(lambda line: line[0].isspace() or line.startswith("#"), lines[starts[0] + 1 :])
        return DocumentReader(origin).from_yaml("".join([lines[starts[0]], *below]))
    except (UnreadableError, RecursionError):
        return None


class DocumentReader:
    """Builds the tree of one file; `problems` collects what is wrong with single values. Raises UnreadableError."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.problems: list[str] = []
        self.built: set[int] = set()
        self.aliased = 0
        self.entered: list[yaml.Node] = []
        self.flattened: set[int] = set()
        self.loader = yaml.SafeLoader("")

    def read(self, path: Path) -> Node:
        if path.suffix.lower() not in SUFFIXES:
            raise UnreadableError(f"is not named {', '.join('*' + suffix for suffix in SUFFIXES)}; rename it")
        return self.parsed(_text(path), path.suffix.lower())

    def parsed(self, text: str, suffix: str) -> Node:
        try:
            if suffix == ".toml":
                root = grow(_toml(text), self.origin)
            elif suffix == ".json":
                root = self.from_json(text)
            else:
                root = self.from_yaml(text)
        except RecursionError as error:
            raise UnreadableError("is nested too deeply") from error
        if not isinstance(root.value, dict):
            raise UnreadableError(
                "holds no keys; write `key: value` lines, such as `event_source_mappings:`", root.line
            )
        return root

    def from_yaml(self, text: str) -> Node:
        node = _compose(text)
        return Node({}, self.origin) if node is None else self.build(node)

    def from_json(self, text: str) -> Node:
        """The JSON parser gives the values. The YAML parser, which reads nearly all JSON, gives the lines."""
        try:
            values = json.loads(text, parse_constant=_refuse_constant)
        except json.JSONDecodeError as error:
            raise UnreadableError(f"is not JSON: {error.msg}", error.lineno) from error
        except ValueError as error:
            raise UnreadableError(f"is not JSON: {error}") from error
        try:
            node = _compose(text.replace("\t", " "))
        except UnreadableError:
            node = None
        return self.with_lines(grow(values, self.origin), node)

    def with_lines(self, tree: Node, node: yaml.Node | None, path: str = "") -> Node:
        if isinstance(tree.value, dict) and isinstance(node, yaml.MappingNode):
            self.check_repeats(node, path)
            pairs = {key.value: (key, value) for key, value in node.value}
            children = {}
            for key, child in tree.value.items():
                key_node, value_node = pairs.get(key, (node, None))
                children[key] = replace(self.with_lines(child, value_node, joined(path, key)), line=_line(key_node))
            return replace(tree, value=children, line=_line(node))
        if isinstance(tree.value, list) and isinstance(node, yaml.SequenceNode):
            pairs_of_items = zip(tree.value, node.value, strict=True)
            items = [self.with_lines(*pair, joined(path, index)) for index, pair in enumerate(pairs_of_items)]
            return replace(tree, value=items, line=_line(node))
        return replace(tree, line=None if node is None else _line(node), written=_unquoted(node))

    def build(self, node: yaml.Node, path: str = "", key: str = "", line: int | None = None) -> Node:
        """`key` is the key above the node, and `line` that key's line."""
        self.aliased += id(node) in self.built
        self.built.add(id(node))
        if self.aliased > MOST_ALIASED:
            raise UnreadableError(f"grows by more than {MOST_ALIASED} values through its aliases", _line(node))
        if any(node is parent for parent in self.entered):
            raise UnreadableError("holds an alias of something that contains it", _line(node))
        if node.tag not in _TAGS:
            return self.tagged(node, path, key, line or _line(node))
        self.entered.append(node)
        value: Any
        broken = False
        if isinstance(node, yaml.MappingNode):
            value = self.mapping(node, path)
        elif isinstance(node, yaml.SequenceNode):
            value = [self.build(item, joined(path, index)) for index, item in enumerate(node.value)]
        else:
            said = len(self.problems)
            value = self.scalar(node, path)
            broken = len(self.problems) > said
        self.entered.pop()
        return Node(value, self.origin, line or _line(node), key, written=_unquoted(node), broken=broken)

    def mapping(self, node: yaml.MappingNode, path: str) -> dict[str, Node]:
        if id(node) not in self.flattened:
            # an aliased mapping comes here again, already with the keys that it merges
            self.check_repeats(node, path)
            self.flatten(node)
        children = {}
        for key, value in node.value:
            name = self.scalar(key, path) if isinstance(key, yaml.ScalarNode) else None
            if isinstance(name, str):
                children[name] = self.build(value, joined(path, name), name, _line(key))
            else:
                written = key.value if isinstance(key, yaml.ScalarNode) else "a list or mapping"
                self.say(key, path, f"the key {written!r} is not text; put it in quotes")
        return children

    def flatten(self, node: yaml.MappingNode) -> None:
        """Replace `<<` by the keys of the mappings that it names."""
        self.flattened.add(id(node))
        try:
            self.loader.flatten_mapping(node)
        except yaml.MarkedYAMLError as error:
            raise _unreadable_yaml(error) from error

    def check_repeats(self, node: yaml.MappingNode, path: str) -> None:
        first: dict[str, yaml.Node] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in first:
                twice = f"is written twice, first in line {_line(first[key.value])}; remove one"
                self.say(key, joined(path, key.value), twice)
            first.setdefault(key.value, key)

    def scalar(self, node: yaml.Node, path: str) -> Any:
        try:
            return self.loader.construct_object(node)
        except (yaml.YAMLError, ValueError):
            self.say(node, path, f"{node.value!r} is not a valid {node.tag.removeprefix(_CORE)}; put text in quotes")
            return None

    def tagged(self, node: yaml.Node, path: str, key: str, line: int) -> Node:
        """The value of a node with a tag that is not YAML's own."""
        if CLOUDFORMATION_TAG.fullmatch(node.tag):
            self.say(
                node,
                path,
                f"{node.tag} is a CloudFormation function, which only CloudFormation can resolve; write the value",
            )
        else:
            self.say(
                node, path, f"the YAML tag {node.tag.replace(_CORE, '!!')} is not supported; write the plain value"
            )
        return Node(None, self.origin, line, key, broken=True)

    def say(self, node: yaml.Node, path: str, text: str) -> None:
        where = f"{self.origin.label}:{_line(node)}: "
        self.problems.append(f"{where}{path}: {text}" if path else where + text)


def _text(path: Path) -> str:
    try:
        return read_text(path, "utf-8-sig")
    except OSError as error:
        raise UnreadableError(f"cannot be read ({error.strerror or type(error).__name__})") from error
    except UnicodeDecodeError as error:
        raise UnreadableError("is not UTF-8 text") from error


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except ValueError as error:
        raise UnreadableError(f"is not TOML: {error}") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _compose(text: str) -> yaml.Node | None:
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=FastLoader)
    except yaml.YAMLError:
        # the slower parser has better error messages
        return _compose_slowly(text)
    return node


def _compose_slowly(text: str) -> yaml.Node | None:
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise _unreadable_yaml(error, text) from error
    except yaml.YAMLError as error:
        raise UnreadableError(f"is not YAML: {' '.join(str(error).split())}") from error
    return node


def _unreadable_yaml(error: yaml.MarkedYAMLError, text: str = "") -> UnreadableError:
    mark = error.problem_mark or error.context_mark
    tab = _indenting_tab(text, mark)
    if tab is not None:
        return UnreadableError("is indented with a tab, which YAML does not allow; use spaces", tab)
    said = ", ".join(text for text in (error.context, error.problem, error.note) if text)
    return UnreadableError(f"is not YAML: {said}", None if mark is None else mark.line + 1)


def _indenting_tab(text: str, mark: yaml.Mark | None) -> int | None:
    """The line near `mark` that begins with a tab; the parser's own message names only the consequence."""
    lines = text.splitlines()
    for number in (mark.line, mark.line + 1) if mark is not None else ():
        if number < len(lines) and "\t" in lines[number][: len(lines[number]) - len(lines[number].lstrip())]:
            return number + 1
    return None


def _unquoted(node: yaml.Node | None) -> str | None:
    return str(node.value) if isinstance(node, yaml.ScalarNode) and not node.style else None


def _line(node: yaml.Node) -> int:
    line: int = node.start_mark.line
    return line + 1
