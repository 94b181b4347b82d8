"""The conditions of a template."""

from collections.abc import Callable
from typing import Any

from poller.configuration.reading.tree import Node
from poller.importers.draft import Findings, Hole, Remark, has_hole, reasons_in, text_of

Holds = bool | Hole


class Conditions:
    """Which of them hold; a hole for one that hangs on something unknown."""

    def __init__(self, node: Node | None, value: Callable[[Node], Any]) -> None:
        self._named: dict[str, Node] = node.value if node is not None and isinstance(node.value, dict) else {}
        self._value = value
        self._entered: set[str] = set()
        self._decided: dict[str, Holds] = {}

    def holds(self, name: str) -> Holds:
        """The condition of that name."""
        if name in self._decided:
            return self._decided[name]
        if name not in self._named or name in self._entered:
            return Hole.of("", f"the condition {name} cannot be decided")
        self._entered.add(name)
        try:
            self._decided[name] = self._test(self._named[name])
            return self._decided[name]
        finally:
            self._entered.discard(name)

    def _test(self, node: Node) -> Holds:
        if isinstance(node.value, dict) and len(node.value) == 1:
            [(function, inside)] = node.value.items()
            listed = inside.value if isinstance(inside.value, list) else []
            if function == "Condition":
                return self.holds(text_of(inside.value))
            if function == "Fn::Equals" and len(listed) == 2:
                sides = [self._value(child) for child in listed]
                return Hole("", reasons_in(sides)) if has_hole(sides) else text_of(sides[0]) == text_of(sides[1])
            if function == "Fn::Not" and len(listed) == 1:
                inner = self._test(listed[0])
                return inner if isinstance(inner, Hole) else not inner
            if function in ("Fn::And", "Fn::Or") and listed:
                return self._all([self._test(child) for child in listed], deciding=function == "Fn::Or")
        return Hole.of("", "a condition that is not understood")

    def _all(self, tests: list[Holds], *, deciding: bool) -> Holds:
        """Of `Or` one that holds decides, of `And` one that does not."""
        if any(test is deciding for test in tests):
            return deciding
        unknown = [test for test in tests if isinstance(test, Hole)]
        return unknown[0] if unknown else not deciding


def present(node: Node, place: str, title: str, conditions: Conditions, found: Findings) -> bool:
    """Whether its condition lets it be; one that cannot be decided is taken for true, and said."""
    condition = node.get("Condition")
    if condition is None:
        return True
    holds = conditions.holds(str(condition.value))
    if isinstance(holds, Hole):
        text = f"{title}: taken, though its condition {condition.value} is not known: {holds.reasons[0]}"
        found.remarks.append(Remark(place, text))
    elif not holds:
        found.refuse(place, f"{title}: its condition {condition.value} is false")
    return holds is not False
