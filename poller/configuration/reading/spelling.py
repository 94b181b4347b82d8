"""Normalizes a tree: PascalCase keys become snake_case, `{env: NAME}` and `{file: PATH}` become their values.

Knows no key by itself: which keys are names, data or secrets is handed in.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from poller.configuration.reading.secrets import Secret
from poller.configuration.reading.tree import Node, joined
from poller.values.errors import ConfigurationError

_NUMBER = re.compile(r"[+-]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|[+-]?\.(?:inf|nan)", re.IGNORECASE)
"""Numbers that YAML 1.1, YAML 1.2 and JSON read alike. The model of the key refuses infinity."""
_PASCAL = re.compile(r"[A-Z][A-Za-z0-9]*")
_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def snake_case(key: str) -> str:
    """`BatchSize` and `KMSKeyArn` become `batch_size` and `kms_key_arn`; anything else stays."""
    return _WORD_START.sub("_", key).lower() if _PASCAL.fullmatch(key) else key


@dataclass(frozen=True, slots=True)
class Keys:
    """Which keys are not spelled like the others, in snake_case."""

    named: frozenset[str]
    """The keys below are the user's names, and below those the known keys begin again."""
    data: frozenset[str]
    """The keys below are the user's own, and hold values."""
    opaque: frozenset[str]
    """Nothing below is read here, at any depth."""
    secrets: frozenset[tuple[str, ...]]
    """Secrets that stay secrets, because they are read again each time they are needed: ends of paths."""
    secret_data: frozenset[str]
    """The values below are such secrets."""

    @property
    def free(self) -> frozenset[str]:
        """The keys below are not spelled by us."""
        return self.named | self.data

    def is_secret(self, path: tuple[str, ...]) -> bool:
        """`path` as of `Speller.spell`; the items of a list have no names of their own."""
        named = tuple(step for step in path if step)
        return named[-2:] in self.secrets or named[-1:] in self.secrets or bool(self.secret_data & {*named[-2:-1]})


class Speller:
    """Normalizes the tree of one document; `problems` collects the errors."""

    def __init__(self, environ: Mapping[str, str], keys: Keys) -> None:
        self.environ = environ
        self.known = keys
        self.problems: list[str] = []

    def spell(self, node: Node, path: tuple[str, ...] = (), written: str = "") -> Node:
        """`path` holds normalized keys; `written` is the path as the user wrote it, for problems."""
        here = path[-1] if path else ""
        if here in self.known.opaque:
            return node
        if isinstance(node.value, list):
            items = [self.spell(item, (*path, ""), joined(written, index)) for index, item in enumerate(node.value)]
            return replace(node, value=items)
        if not isinstance(node.value, dict):
            return self.number(node, written)
        if path and here not in self.known.free and len(node.value) == 1:
            [(key, child)] = node.value.items()
            if key in ("env", "file") and isinstance(child.value, str):
                return self.secret(node, key, child.value, path, written)
            if key == "Ref" or key.startswith("Fn::"):
                self.problems.append(
                    f"{node.place}: {written}: {key} is a CloudFormation function, which only CloudFormation can "
                    "resolve; write the value"
                )
                return replace(node, broken=True)
        return replace(node, value=self.keys(node, path, written))

    def number(self, node: Node, written: str) -> Node:
        """Refuses numbers that YAML 1.1 reads otherwise than people do: `010` as 8, `1:30` as 90."""
        if node.written is None or isinstance(node.value, bool) or not isinstance(node.value, int | float):
            return node
        if _NUMBER.fullmatch(node.written):
            return node
        meant = [str(node.value)]
        if node.written.lstrip("+-").isdecimal():
            meant.append(str(int(node.written)))
        self.problems.append(
            f"{node.place}: {written}: is {node.written}, which YAML reads as {node.value}; write "
            f"{' or '.join(meant)}, or put text in quotes"
        )
        return replace(node, broken=True)

    def keys(self, node: Node, path: tuple[str, ...], written: str) -> dict[str, Node]:
        spelled: dict[str, Node] = {}
        for key, child in node.value.items():
            name = key if path and path[-1] in self.known.free else snake_case(key)
            below = joined(written, key)
            if name in spelled:
                first = spelled[name]
                self.problems.append(
                    f"{child.place}: {below}: is the same key as {first.key} at {first.place}; remove one"
                )
                continue
            # a name such as `headers` given to a function must not be taken for the key
            step = f"<{name}>" if path and path[-1] in self.known.named else name
            found = self.spell(child, (*path, step), below)
            spelled[name] = found if found.key == key else replace(found, key=key)
        return spelled

    def secret(self, node: Node, key: str, where: str, path: tuple[str, ...], written: str) -> Node:
        place = str(node.origin.directory / where) if key == "file" else where
        secret = Secret("file" if key == "file" else "env", place, self.environ)
        try:
            value = secret.read()
        except ConfigurationError as error:
            self.problems.append(f"{node.place}: {written}: {error.problems[0]}")
            return replace(node, value="", broken=True)
        return replace(node, value=secret if self.known.is_secret(path) else value, hidden=True)
