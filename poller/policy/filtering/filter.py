"""Filter criteria of one mapping: compiled once, asked for every record.

Decides whether a record passes. `Members` names the payload of a kind of source. This file knows how the format of
the payload and the pattern's must agree; it does not know what happens to records that do not pass.

A record is given in two parts: `view`, the members a pattern may name beside the payload, and the payload itself,
as it came (SQS: the body; Kinesis: the data after base64). DynamoDB records are all view.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from poller.policy.filtering.compile import Alternative, read_patterns
from poller.policy.filtering.errors import PatternError
from poller.policy.filtering.match import satisfied
from poller.policy.filtering.needles import Needles, needles
from poller.policy.filtering.payload import NOT_JSON, Loads, as_text, decode
from poller.policy.filtering.tree import Node, Tree, build


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """The members of one kind of source's records, as patterns see them."""

    names: tuple[str, ...] = field(kw_only=False)
    """The members at the top of a record. The first one holds the user's data."""
    records: str
    """The kind's name, for sentences about its records."""
    payload: str | None = None
    """The member that is given apart, as text or bytes; None for records without one."""
    json_only: str | None = None
    """The member whose content is always JSON: a pattern compares its fields, never the whole."""


class Verdict(Enum):
    """The judgement of the filter criteria on one record."""

    MATCH = "match"
    NO_MATCH = "no match"
    NOT_JSON = "not JSON"
    """No match, and only because the pattern asks for fields of a payload that is not JSON. It is counted
    separately."""

    def __bool__(self) -> bool:
        return self is Verdict.MATCH


# Attribute access on the enum dominates small records, so its members are cached.
_MATCH, _NO_MATCH, _NOT_JSON = Verdict.MATCH, Verdict.NO_MATCH, Verdict.NOT_JSON


class Filter:
    """Any filter that matches lets the record pass; without filters every record does."""

    __slots__ = (
        "_exact",
        "_for_fields",
        "_for_neither",
        "_loads",
        "_metadata",
        "_payload",
        "_tree",
        "alternatives",
        "members",
        "needles",
    )

    def __init__(self, alternatives: Sequence[Sequence[Alternative]], members: Members, loads: Loads | None) -> None:
        self.alternatives = alternatives
        """By filter; what `explain` reads."""
        self.members = members
        self._loads = loads
        self._tree: Tree | None = build(one for several in alternatives for one in several) if alternatives else None
        nodes = self._tree.root.children if self._tree else {}
        key = members.payload
        self._payload: Node | None = nodes.get(key) if key else None
        self._for_fields = self._for_neither = 0
        self.needles: Needles | None = None
        """Rule out a payload before it is parsed; None where no text can."""
        if key is not None and self._payload is not None:
            with_payload = (one for several in alternatives for one in several if _names(one, key))
            self.needles = needles(with_payload, key)
            fields, text = self._payload.any_below, self._payload.claims.any
            self._for_fields, self._for_neither = fields & ~text, ~(fields | text)
        self._metadata = [(name, node) for name, node in nodes.items() if node is not self._payload]
        self._exact = self._payload is not None and _looks_at_numbers(self._payload)

    @property
    def needs_payload(self) -> bool:
        """Whether a pattern looks into the payload. Otherwise it need be neither given nor decoded."""
        return self._payload is not None

    @property
    def needs_view(self) -> bool:
        """Whether a pattern looks at other members. Otherwise an empty view is enough."""
        return bool(self._metadata)

    @property
    def top_level_keys(self) -> frozenset[str]:
        """The members that patterns name, for warnings about names that no record of the source has."""
        return frozenset(self._tree.root.children) if self._tree else frozenset()

    def match(self, view: Mapping[str, Any], payload: str | bytes = "") -> Verdict:
        """The judgement on a record. Never raises for anything that a record can hold."""
        tree = self._tree
        if tree is None:
            return _MATCH
        try:
            left = tree.everything
            for name, node in self._metadata:
                left = satisfied(view[name], node, tree, left) if name in view else left & node.empty
                if not left:
                    return _NO_MATCH
            return _MATCH if self._payload is None else self._judge(payload, self._payload, tree, left)
        except RecursionError:
            return _NOT_JSON

    def _judge(self, payload: str | bytes, node: Node, tree: Tree, left: int) -> Verdict:
        """`left` are the alternatives that hold except for the payload. Its format and the pattern's must agree."""
        for_fields = left & self._for_fields
        if left & self._for_neither:
            return _MATCH
        if self.needles is not None and self.needles.rule_out(payload):
            return _NO_MATCH
        document = decode(payload, self._loads, exact=self._exact)
        if document is not NOT_JSON:
            return _MATCH if for_fields and satisfied(document, node, tree, for_fields) else _NO_MATCH
        for_text = left & node.claims.any & ~node.any_below
        if for_text and node.table is not None:
            text = as_text(payload)
            if text is not None and node.table.at(text) & for_text:
                return _MATCH
        return _NOT_JSON if for_fields else _NO_MATCH


def compile_filters(
    patterns: Sequence[str | Mapping[str, Any]], members: Members, *, loads: Loads | None = None
) -> Filter:
    """The filter criteria of one mapping. An empty list is no filter.

    A pattern is JSON text as AWS takes it, or the same as plain objects and lists. `loads` is a faster JSON parser
    than the standard library's (orjson.loads), used where it makes no difference. Raises `PatternError`.
    """
    alternatives = read_patterns(patterns)
    json_only = members.json_only
    for index, several in enumerate(alternatives):
        if json_only and any(json_only in alternative for alternative in several):
            reason = f"{members.records} records have JSON there; write an object of fields, not a list of values"
            raise PatternError(reason, json_only, index=index)
    return Filter(alternatives, members, loads)


def _names(alternative: Alternative, key: str) -> bool:
    return any(path.partition(".")[0] == key for path in alternative)


def _looks_at_numbers(node: Node) -> bool:
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if node.table is not None and node.table.looks_at_numbers:
            return True
        waiting += node.children.values()
    return False
