"""The engine's definition of a match, spelt out: slow, obvious, and written apart from the code it is compared with.

An event is its leaves, each with its path and the array elements it lies in. An alternative matches when its fields,
taken in the order of their names, can each choose a leaf so that no two chosen leaves lie in different elements of one
array; a field that must be missing has no leaf that would still agree with the choices made so far.
"""

import itertools
from typing import Any

from poller.policy.filtering.compile import read_pattern
from poller.policy.filtering.values import ValueTable


def leaves(event):
    found = []
    numbers = itertools.count()

    def visit(value, path, membership):
        if isinstance(value, dict):
            for name, inner in value.items():
                visit(inner, [*path, name], membership)
        elif isinstance(value, list):
            array = next(numbers)
            for index, inner in enumerate(value):
                inside = {**membership, array: index} if isinstance(inner, dict | list) else membership
                visit(inner, path, inside)
        else:
            found.append((".".join(path), value, membership))

    visit(event, [], {})
    return found


def agree(one, other):
    return all(other.get(array, index) == index for array, index in one.items())


def matches(pattern, event):
    by_path: dict[Any, Any] = {}
    for path, value, membership in leaves(event):
        by_path.setdefault(path, []).append((value, membership))

    def search(fields, chosen):
        if not fields:
            return True
        (path, condition), *rest = fields
        within = [(value, lies) for value, lies in by_path.get(path, []) if agree(chosen, lies)]
        if condition.absent and not within and search(rest, chosen):
            return True
        table = ValueTable([(condition, 1)], 1)
        return any(table.at(value) and search(rest, {**chosen, **lies}) for value, lies in within)

    def by_name(field):
        return field[0].encode("utf-16-be", "surrogatepass")

    return any(search(sorted(alternative.items(), key=by_name), {}) for alternative in read_pattern(pattern))
