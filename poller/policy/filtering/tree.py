"""The alternatives of all filters, merged into one tree of keys with precomputed sets of alternatives.

A set of alternatives is an int with a bit for each, so that one walk through an event judges all filters together.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from poller.policy.filtering.compile import Alternative
from poller.policy.filtering.conditions import Condition
from poller.policy.filtering.values import ValueTable

# Up to this number of children, asking an object for each is cheaper than going through its keys.
_FEW = 8
# How far members are counted, see `Node.least`.
_MOST_COUNTED = 16
# Answers kept about sets of present members, and about names with dots.
_MOST_REMEMBERED = 1000


Form = dict[str, "str | Form"]
"""How an object with dots in its keys nests: where the value of each key goes."""


@dataclass(slots=True)
class Claims:
    """The alternatives with a condition on one field, by what they say about its absence."""

    any: int = 0
    only_absent: int = 0
    """The field must be missing."""
    either: int = 0
    """The field may be missing, or have one of some values."""

    def add(self, condition: Condition, bits: int) -> None:
        self.any |= bits
        if condition.absent and condition.tests:
            self.either |= bits
        elif condition.absent:
            self.only_absent |= bits


class Node:
    """A key, or the root. "Here" is the value under this path itself, "below" is everything deeper."""

    __slots__ = (
        "_content",
        "_forms",
        "_lacking",
        "_places",
        "_routes",
        "_runs",
        "any_below",
        "children",
        "claims",
        "conditions",
        "empty",
        "empty_below",
        "empty_here",
        "least",
        "many",
        "order",
        "pairs",
        "table",
        "tall",
        "unclaimed",
    )

    def __init__(self) -> None:
        self.children: dict[str, Node] = {}
        self.conditions: list[tuple[Condition, int]] = []
        self.table: ValueTable | None = None
        self.claims = Claims()
        self.order = 0
        """This field's bit among all fields, in the order in which the engine judges them; 0 without a condition."""
        self.empty_here = self.empty_below = 0
        """The alternatives that hold with no value here, and nothing below."""
        self.empty = 0
        """The alternatives that hold with neither."""
        self.unclaimed = 0
        """The alternatives without a condition here."""
        self.any_below = 0
        """The alternatives with a condition below."""
        self.least = 0
        """Objects with fewer members satisfy nothing below that a missing value would not."""
        self.tall = False
        """Whether a child has children: only then can a key with dots in it mean something."""
        self.pairs: list[tuple[str, Node]] = []
        """The children, to go through."""
        self.many = False
        """Whether it is cheaper to go through an object's keys than to ask it for each child."""
        self._content = False
        """Whether every alternative holds with all children missing."""
        self._places: dict[str, int] = {}
        self._lacking: dict[tuple[str, ...], int] = {}
        self._runs: list[list[int]] = []
        self._routes: dict[str, tuple[str, ...]] = {}
        self._forms: dict[tuple[str, ...], Form | None] = {}

    @property
    def mixed(self) -> bool:
        """Whether one alternative has a condition both here and below: then values and members share arrays."""
        return bool(self.claims.any & self.any_below)

    def finish(self, everything: int, width: int) -> None:
        """Compute the sets; all children are finished."""
        for condition, bits in self.conditions:
            self.claims.add(condition, bits)
        if self.conditions:
            self.table = ValueTable(self.conditions, width)
        self.unclaimed = everything & ~self.claims.any
        self.empty_here = everything & (~self.claims.any | self.claims.only_absent | self.claims.either)
        self.empty_below = everything
        for child in self.children.values():
            self.empty_below &= child.empty
            self.any_below |= child.claims.any | child.any_below
            self.tall = self.tall or bool(child.children)
        self.empty = self.empty_here & self.empty_below
        self.pairs = list(self.children.items())
        self._content = self.empty_below == everything
        self.least = self._count()
        if len(self.children) > _FEW:
            self.many = True
            self._prepare_runs()

    def split(self, given: Mapping[str, Any], wanted: int) -> tuple[int, list[tuple[str, "Node"]]]:
        """Those of `wanted` content with the children that `given` lacks, and the others."""
        children = self.children
        if self._content:
            return wanted, [(name, children[name]) for name in given if name in children]
        if self._places:
            names = tuple([name for name in given if name in children])  # in a list first: half the time
            lacking = self._lacking.get(names)
            if lacking is None:
                if len(self._lacking) >= _MOST_REMEMBERED:
                    self._lacking = {}
                lacking = self._lacking[names] = self._without(sorted(self._places[name] for name in names))
            return wanted & lacking, [(name, children[name]) for name in names]
        present = []
        for name, child in children.items():
            if name in given:
                present.append((name, child))
            else:
                wanted &= child.empty
        return wanted, present

    def route(self, name: str) -> tuple[str, ...]:
        """The keys of a name with dots, where children of children bear them; otherwise none."""
        keys = self._routes.get(name)
        if keys is None:
            if len(self._routes) >= _MOST_REMEMBERED:
                self._routes = {}
            keys = self._routes[name] = tuple(name.split("."))
            node = self
            for key in keys:
                if key not in node.children:
                    keys = self._routes[name] = ()
                    break
                node = node.children[key]
        return keys

    def form(self, names: tuple[str, ...]) -> Form | None:
        """For an object with these keys; None if one of them stands in another's way, so that its values decide."""
        try:
            return self._forms[names]
        except KeyError:
            if len(self._forms) >= _MOST_REMEMBERED:
                self._forms = {}
            form = self._forms[names] = self._formed(names)
            return form

    def _formed(self, names: tuple[str, ...]) -> Form | None:
        form: Form = {}
        for name in names:
            route = self.route(name) if "." in name else (name,)
            place: str | Form = form
            for key in route[:-1]:
                place = place.setdefault(key, {}) if isinstance(place, dict) else place
            if not isinstance(place, dict) or (route and route[-1] in place):
                return None
            if route:
                place[route[-1]] = name
        return form

    def _count(self) -> int:
        """The fewest children that an alternative with a condition below needs, as far as they are counted."""
        needing = [self.any_below] + [0] * _MOST_COUNTED
        for child in self.children.values():
            more = ~child.empty
            for number in range(_MOST_COUNTED - 1, -1, -1):
                needing[number + 1] |= needing[number] & more
                needing[number] &= ~more
        return next((number for number, bits in enumerate(needing) if bits), _MOST_COUNTED)

    def _prepare_runs(self) -> None:
        """`_runs[k][i]` is what the 2**k children from the i-th on have in common when they are all missing."""
        self._places = {name: place for place, name in enumerate(self.children)}
        self._runs = [[child.empty for child in self.children.values()]]
        span = 1
        while 2 * span <= len(self.children):
            shorter = self._runs[-1]
            self._runs.append([shorter[i] & shorter[i + span] for i in range(len(shorter) - span)])
            span *= 2

    def _without(self, present: Sequence[int]) -> int:
        """The alternatives content with all children missing but those at the sorted places `present`.

        Time by the number of present children, not of missing ones: events may hold tens of thousands of small objects
        and a pattern hundreds of fields.
        """
        found, start = -1, 0
        for place in (*present, len(self.children)):
            if place > start:
                level = (place - start).bit_length() - 1
                run = self._runs[level]
                found &= run[start] & run[place - (1 << level)]
            start = place + 1
        return found


@dataclass(frozen=True, slots=True)
class Tree:
    """Everything that is computed before the first event."""

    root: Node
    everything: int
    """All alternatives."""
    claims: list[Claims]
    """By field, in the order of the bits `Node.order`."""
    ordered: bool
    """Whether the order of the fields matters: one may have to be missing, or has both a value and members."""


def build(alternatives: Iterable[Alternative]) -> Tree:
    masks: dict[tuple[str, Condition], int] = {}
    width = 0
    for alternative in alternatives:
        for item in alternative.items():
            masks[item] = masks.get(item, 0) | 1 << width
        width += 1
    root = Node()
    nodes = [root]
    fields: dict[str, Node] = {}
    for (path, condition), bits in masks.items():
        if path not in fields:
            fields[path] = _plant(root, path, nodes)
        fields[path].conditions.append((condition, bits))
    everything = (1 << width) - 1
    for node in reversed(nodes):
        node.finish(everything, width)
    # The engine sorts fields by name, and Java sorts text by UTF-16.
    by_name = sorted(fields.items(), key=lambda field: field[0].encode("utf-16-be", "surrogatepass"))
    for number, (_, node) in enumerate(by_name):
        node.order = 1 << number
    ordered = any(node.claims.only_absent or node.claims.either or node.mixed for node in fields.values())
    return Tree(root, everything, [node.claims for _, node in by_name], ordered)


def _plant(root: Node, path: str, nodes: list[Node]) -> Node:
    """The node for `path`, made if need be; `nodes` has parents before children."""
    node = root
    for key in path.split("."):
        child = node.children.get(key)
        if child is None:
            child = node.children[key] = Node()
            nodes.append(child)
        node = child
    return node
