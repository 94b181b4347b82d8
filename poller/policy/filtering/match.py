"""Walks through an event along the tree and says which alternatives it satisfies.

Arrays are transparent: every element is tried, and what one alternative asks below an array must be found within one
element of it. Each part of the event is visited once, whatever the number of filters and of array elements, because
the answer for an array is the union of the answers for its elements.

A field that must be missing is judged as the engine judges it: fields in the order of their names, and within the array
elements that earlier fields have chosen; while none is chosen it must be missing from all elements.
"""

from collections.abc import Iterator
from typing import Any

from poller.policy.filtering.tree import Form, Node, Tree


def satisfied(value: Any, node: Node, tree: Tree, wanted: int) -> int:
    """Those of the alternatives `wanted` whose conditions at and below `node` hold for `value`.

    Raises RecursionError for an event nested almost as deep as the interpreter can go.
    """
    return _Ordered(tree).judge(value, node)[0] & wanted if tree.ordered else _judge(value, node, wanted)


def _judge(value: Any, node: Node, wanted: int) -> int:
    """Where the order of fields does not matter."""
    found = node.empty & wanted
    if type(value) is dict:
        return found | _members(value, node, wanted & ~found)
    for element in _flat(value) if type(value) is list else (value,):
        if found == wanted:
            break
        if type(element) is dict:
            found |= _members(element, node, wanted & ~found)
        elif node.table is not None:
            found |= node.table.at(element) & wanted
    return found


_MISSING = object()


def _members(given: dict[str, Any], node: Node, wanted: int) -> int:  # noqa: C901  (a part of it would be one more frame)
    """Those of the alternatives `wanted` that ask nothing of the value here, and all of whose conditions below hold
    for one object. One frame per key of a path, for patterns may nest hundreds deep: so arrays are opened here too.
    """
    holds = wanted & node.empty_here
    if len(given) < node.least:
        return 0
    if node.tall:
        given = undotted(given, node)
    present = node.pairs
    if node.many:
        holds, present = node.split(given, holds)
    for name, child in present:
        if not holds:
            break
        inner = given.get(name, _MISSING)
        kind = type(inner)
        found = holds & child.empty
        table = child.table
        if kind is dict or kind is list:
            for element in (inner,) if kind is dict else _flat(inner):
                if found == holds:
                    break
                if type(element) is dict:
                    found |= _members(element, child, holds & ~found)
                elif table is not None:
                    found |= table.at(element) & holds
        elif inner is not _MISSING and table is not None:
            found |= table.at(inner) & holds
        holds = found
    return holds


def _flat(array: list[Any]) -> Iterator[Any]:
    """The elements of an array and of the arrays in it, in no particular order."""
    waiting = [array]
    while waiting:
        for element in waiting.pop():
            if type(element) is list:
                waiting.append(element)
            else:
                yield element


# For a value at a node: the alternatives that hold here and below, those that hold below, the fields that are present.
_Judgement = tuple[int, int, int]


class _Ordered:
    """The walk where a field may have to be missing, or may have a value and members at once."""

    __slots__ = ("_claims", "_everything")

    def __init__(self, tree: Tree) -> None:
        self._everything = tree.everything
        self._claims = tree.claims

    def judge(self, value: Any, node: Node) -> _Judgement:
        if type(value) is list:
            return self._array(value, node)
        if type(value) is not dict:
            here = node.unclaimed if node.table is None else node.unclaimed | node.table.at(value)
            return here & node.empty_below, node.empty_below, node.order
        given = undotted(value, node) if node.tall else value
        below, present = node.split(given, self._everything)
        seen = 0
        for name, child in present:
            inner = given[name]
            if type(inner) is dict or type(inner) is list:
                holds, _, fields = self.judge(inner, child)
                below &= holds
                seen |= fields
            else:
                table = child.table
                here = child.unclaimed if table is None else child.unclaimed | table.at(inner)
                below &= here & child.empty_below
                seen |= child.order
        return below & node.empty_here, below, seen

    def _array(self, array: list[Any], node: Node) -> _Judgement:
        direct = seen = 0
        # of many elements, most are alike
        parts: set[_Judgement] = set()
        # An array in an array is an element like any other only where a value and members can come from it together.
        for element in array if node.mixed else _flat(array):
            if type(element) is dict or type(element) is list:
                part = self.judge(element, node)
                parts.add(part)
                seen |= part[2]
            elif node.table is not None:
                direct |= node.table.at(element)
                seen |= node.order
        below = self._below(parts, seen & ~node.order, node)
        claims = node.claims
        here = node.unclaimed | direct
        if not seen & node.order:
            here |= claims.only_absent | claims.either
        both = here & below
        if node.mixed:
            for holds, _, fields in parts:
                if fields & node.order:
                    both |= holds & claims.any
        return both, below, seen

    def _below(self, parts: set[_Judgement], seen: int, node: Node) -> int:
        """The alternatives that one element satisfies, given which fields are present in any of them.

        For each alternative the first of its fields that is present anywhere decides: one that must be missing rules
        the alternative out, any other chooses the element, which must therefore have it.
        """
        undecided = self._everything
        ruled_out = must_have = choosing = 0
        deciding: dict[int, int] = {}
        while seen and undecided:
            field = seen & -seen
            seen ^= field
            claims = self._claims[field.bit_length() - 1]
            decided = undecided & claims.any
            ruled_out |= decided & claims.only_absent
            if decided & claims.either:
                deciding[field] = decided & claims.either
                must_have |= deciding[field]
                choosing |= field
            undecided &= ~decided
        found = undecided & node.empty_below
        for _, below, fields in parts:
            holds = below & ~ruled_out
            if holds & must_have:
                chosen, left = 0, fields & choosing
                while left:
                    field = left & -left
                    left ^= field
                    chosen |= deciding[field]
                holds &= ~must_have | chosen
            found |= holds
        return found


def undotted(given: dict[str, Any], node: Node) -> dict[str, Any]:
    """The object with keys like `a.b` nested as the pattern's are; both spellings name one field.

    A key that meets a value under its path (`a.b` beside an array `a`) stands like one more element of an array there.
    """
    if not node.tall or "." not in "".join(given):
        return given
    form = node.form(tuple(given))
    return _collided(given, node) if form is None else _filled(form, given)


def _filled(form: Form, given: dict[str, Any]) -> dict[str, Any]:
    return {key: given[name] if isinstance(name, str) else _filled(name, given) for key, name in form.items()}


def _collided(given: dict[str, Any], node: Node) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    dotted = []
    for name, value in given.items():
        if "." not in name:
            nested[name] = value
        elif route := node.route(name):
            dotted.append((route, value))
    grafts: dict[tuple[int, str], dict[str, Any]] = {}
    for route, value in dotted:
        target = nested
        for key in route[:-1]:
            graft = grafts.get((id(target), key))
            if graft is None:
                known = target.get(key)
                graft = grafts[id(target), key] = dict(known) if type(known) is dict else {}
                target[key] = graft if type(known) is dict or key not in target else [*_listed(known), graft]
            target = graft
        last = route[-1]
        target[last] = value if last not in target else [*_listed(target[last]), *_listed(value)]
    return nested


def _listed(value: Any) -> list[Any]:
    return value if type(value) is list else [value]
