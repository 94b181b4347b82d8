"""Explains why a record passes or not: each condition of each filter, with the values that it was compared with.

It is for people, and need not be fast: every condition is judged by itself, which is slower than `Filter.match` and
tells more.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from poller.policy.filtering.compile import Alternative
from poller.policy.filtering.conditions import Condition
from poller.policy.filtering.filter import Filter, Verdict
from poller.policy.filtering.match import undotted
from poller.policy.filtering.numeric import RawNumber
from poller.policy.filtering.payload import NOT_JSON, as_text, decode
from poller.policy.filtering.tree import Node, build

# Values shown of one field, and characters of each.
_MOST_VALUES = 5
_MOST_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition of one filter, or, with an empty `path`, a remark on the filter as a whole."""

    filter: int
    """The filter's position, counted from 0."""
    path: str
    wanted: str
    """The condition as the pattern has it, as JSON."""
    found: tuple[str, ...]
    """The first values of the field, as JSON; none when it is missing."""
    holds: bool
    note: str = ""


def explain(criteria: Filter, view: Mapping[str, Any], payload: str | bytes = "") -> list[Clause]:
    """All conditions of all filters in the order of the patterns, each once, and notes on what they do not show."""
    event = dict(view)
    key = criteria.members.payload
    text = as_text(payload)
    document = decode(payload, None, exact=True)
    if key is not None:
        event[key] = text if document is NOT_JSON else document
    clauses: list[Clause] = []
    for number, alternatives in enumerate(criteria.alternatives):
        judged: dict[tuple[str, Condition], Clause] = {}
        for alternative in alternatives:
            for path, condition in alternative.items():
                if (path, condition) not in judged:
                    judged[path, condition] = _judge(
                        number, path, condition, event, key, is_json=document is not NOT_JSON
                    )
        clauses += judged.values()
        single = Filter([alternatives], criteria.members, None)
        clauses += _remarks(number, single.match(view, payload), alternatives, judged)
    return clauses


def _remarks(
    number: int, verdict: Verdict, alternatives: Sequence[Alternative], judged: dict[tuple[str, Condition], Clause]
) -> list[Clause]:
    if verdict:
        return []
    if any(all(judged[item].holds for item in alternative.items()) for alternative in alternatives):
        note = "each condition holds somewhere, but not all of them within one element of the same array"
        return [Clause(number, "", "", (), holds=False, note=note)]
    return []


def _judge(
    number: int, path: str, condition: Condition, event: dict[str, Any], payload_key: str | None, *, is_json: bool
) -> Clause:
    keys = path.split(".")
    clause = Clause(number, path, condition.wanted, (), holds=False)
    note = ""
    if keys[0] == payload_key and is_json != (len(keys) > 1):
        what = "is JSON, the pattern compares it as text" if is_json else "is not JSON, the pattern asks for its fields"
        note = f"the {payload_key} {what}"
    node = build([{path: condition}]).root
    values = _values(event, keys, node)
    for _ in keys:
        (node,) = node.children.values()
    assert node.table is not None
    holds = any(node.table.at(value) for value in values) or (condition.absent and not values)
    shown = tuple(_show(value) for value in values[:_MOST_VALUES])
    return Clause(number, path, clause.wanted, shown, holds=holds and not note, note=note)


def _values(event: dict[str, Any], keys: list[str], node: Node) -> list[Any]:
    """All leaves of the event under the path, arrays opened."""
    level: list[Any] = [event]
    for key in keys:
        level = [undotted(value, node)[key] for value in level if type(value) is dict and key in undotted(value, node)]
        level = _opened(level)
        node = node.children[key]
    return [value for value in level if type(value) is not dict]


def _opened(values: list[Any]) -> list[Any]:
    opened: list[Any] = []
    waiting = list(reversed(values))
    while waiting:
        value = waiting.pop()
        if type(value) is list:
            waiting += reversed(value)
        else:
            opened.append(value)
    return opened


def _show(value: Any) -> str:
    text = value.text if isinstance(value, RawNumber) else json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"
