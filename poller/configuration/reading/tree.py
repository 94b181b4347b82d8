"""The configuration as a tree in which every value has its place, so that a problem found late can name it.

Merges trees. It does not know the keys.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

Location = Sequence[str | int]
"""Keys and list indexes from the root."""


@dataclass(frozen=True, slots=True)
class Origin:
    label: str
    """A file as the user named it, or `environment variable NAME`, or `command line`."""
    directory: Path
    """The directory to which relative paths refer."""


@dataclass(frozen=True, slots=True)
class Node:
    value: Any
    """A dict of nodes by key, a list of nodes, or a scalar."""
    origin: Origin
    line: int | None = None
    key: str = ""
    """The key of the value, as the user spelled it."""
    hidden: bool = False
    """The value comes from a secret and must not be shown."""
    written: str | None = None
    """The text of an unquoted scalar, from which YAML may read another value than JSON would."""
    broken: bool = False
    """A problem of the value is reported already; further problems would only follow from it."""

    @property
    def as_written(self) -> str | None:
        """The text of a scalar that YAML reads as something else than text or a number: `no`, a date."""
        if self.written is None or self.value is None:
            return None
        return None if isinstance(self.value, str) or type(self.value) in (int, float) else self.written

    @property
    def place(self) -> str:
        return self.origin.label if self.line is None else f"{self.origin.label}:{self.line}"

    def get(self, key: str) -> "Node | None":
        return self.value.get(key) if isinstance(self.value, dict) else None

    def plain(self) -> Any:
        """The bare values."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value

    def without(self, keys: Iterable[str]) -> "Node":
        dropped = set(keys)
        return replace(self, value={key: child for key, child in self.value.items() if key not in dropped})


def grow(value: Any, origin: Origin) -> Node:
    """A tree of plain values that all come from one place."""
    if isinstance(value, dict):
        return Node({str(key): replace(grow(child, origin), key=str(key)) for key, child in value.items()}, origin)
    if isinstance(value, list | tuple):
        return Node([grow(child, origin) for child in value], origin)
    return Node(value, origin)


def overlay(base: Node, top: Node) -> Node:
    """`top` over `base`, key by key; lists and scalars as a whole."""
    if not (isinstance(base.value, dict) and isinstance(top.value, dict)):
        return top
    merged = dict(base.value)
    for key, child in top.value.items():
        merged[key] = overlay(merged[key], child) if key in merged else child
    return replace(base, value=merged)


def clashes(one: Node, other: Node, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Node, Node]]:
    """Where both trees give one setting a value: `(location, node, node)`."""
    if not (isinstance(one.value, dict) and isinstance(other.value, dict)):
        yield path, one, other
        return
    for key, child in other.value.items():
        if key in one.value:
            yield from clashes(one.value[key], child, (*path, key))


def joined(path: str, step: str | int) -> str:
    """`event_source_mappings[0].batch_size`, one step at a time."""
    if isinstance(step, int):
        return f"{path}[{step}]"
    return f"{path}.{step}" if path else step


def find(root: Node, location: Location) -> tuple[Node, str]:
    """The deepest node there is on the way to `location`, and the whole way in the user's own spelling."""
    node, path, lost = root, "", False
    for step in location:
        child: Node | None = None
        if not lost and isinstance(step, int) and isinstance(node.value, list) and step < len(node.value):
            child = node.value[step]
        elif not lost and isinstance(node.value, dict):
            child = node.value.get(step)
        lost = child is None
        path = joined(path, step if isinstance(step, int) else (child.key if child else "") or step)
        node = child or node
    return node, path
