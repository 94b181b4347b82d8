"""Which conditions of one field a value satisfies, for all filters at once.

The answer is a set of bits, one per combination of conditions ("alternative", see `compile.py`). All tests of one kind
share one table, so that the time for a value does not grow with the number of tests. An `anything-but` is looked up
like what it negates: its hits are bits of their own above those of the alternatives, and taken off at the end.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from poller.policy.filtering.address import parse_address
from poller.policy.filtering.conditions import (
    AddressRange,
    AnythingBut,
    Condition,
    Literal,
    Positive,
    Present,
    Text,
    Wildcard,
)
from poller.policy.filtering.folding import Anchor, FoldedTable
from poller.policy.filtering.numeric import EXACT, Interval, RawNumber, StepTable, comparable
from poller.policy.filtering.wildcard import wildcard_lookup

# Answers of `_unless` kept before they are forgotten; real patterns need a handful.
_MOST_ANSWERS = 10_000


@dataclass(slots=True)
class _Tests:
    """The tests of one field by kind, each with its bits."""

    exact: dict[str, int] = field(default_factory=dict)
    prefixes: dict[str, int] = field(default_factory=dict)
    suffixes: dict[str, int] = field(default_factory=dict)
    folded: dict[Anchor, list[tuple[str, int]]] = field(default_factory=dict)
    wildcards: list[tuple[tuple[str, ...], int]] = field(default_factory=list)
    addresses: list[tuple[Interval, int]] = field(default_factory=list)
    numbers: list[tuple[Interval, int]] = field(default_factory=list)
    literals: dict[bool | RawNumber | None, int] = field(default_factory=dict)

    def add(self, test: Positive, bits: int) -> None:
        match test:
            case Text(text, anchor, ignore_case=True):
                self.folded.setdefault(anchor, []).append((text, bits))
            case Text(text, anchor):
                table = {Anchor.WHOLE: self.exact, Anchor.START: self.prefixes, Anchor.END: self.suffixes}[anchor]
                table[text] = table.get(text, 0) | bits
            case Wildcard(parts):
                self.wildcards.append((parts, bits))
            case AddressRange(low, high):
                self.addresses.append((Interval(low, high), bits))
            case Literal(value):
                self.literals[value] = self.literals.get(value, 0) | bits
            case _:
                self.numbers.append((test, bits))


class ValueTable:
    """Built once per field from its conditions, each with the bits of the alternatives it stands in."""

    __slots__ = (
        "_addresses",
        "_all",
        "_always",
        "_answers",
        "_by_text",
        "_exact",
        "_literals",
        "_negated",
        "_number_at",
        "_prefix_lengths",
        "_prefixes",
        "_suffix_lengths",
        "_suffixes",
        "_width",
        "looks_at_numbers",
    )

    def __init__(self, conditions: Iterable[tuple[Condition, int]], width: int) -> None:
        """`width` is the number of alternatives."""
        self._width = width
        self._all = (1 << width) - 1
        self._always = 0
        self._negated: list[int] = []
        self._answers: dict[int, int] = {}
        tests = _Tests()
        for condition, bits in conditions:
            for test in condition.tests:
                if isinstance(test, AnythingBut):
                    hit = 1 << (width + len(self._negated))
                    self._negated.append(bits)
                    for inner in test.tests:
                        tests.add(inner, hit)
                elif isinstance(test, Present):
                    self._always |= bits
                else:
                    tests.add(test, bits)
        self._fill(tests)

    def _fill(self, tests: _Tests) -> None:
        self._exact = tests.exact
        self._literals = tests.literals
        self._prefixes, self._suffixes = tests.prefixes, tests.suffixes
        self._prefix_lengths = sorted({len(text) for text in tests.prefixes})
        self._suffix_lengths = sorted({len(text) for text in tests.suffixes})
        self._addresses = StepTable(tests.addresses)
        self._number_at = StepTable(tests.numbers).lookup if tests.numbers else None
        self.looks_at_numbers = bool(tests.numbers) or any(isinstance(key, RawNumber) for key in tests.literals)
        self._by_text: list[Callable[[str], int]] = []
        if tests.prefixes:
            self._by_text.append(self._at_start)
        if tests.suffixes:
            self._by_text.append(self._at_end)
        self._by_text += [FoldedTable(anchor, patterns).at for anchor, patterns in tests.folded.items()]
        if tests.wildcards:
            self._by_text.append(wildcard_lookup(tests.wildcards))
        if tests.addresses:
            self._by_text.append(self._at_address)

    def at(self, value: Any) -> int:
        """The bits of the alternatives whose condition `value`, a leaf of an event, satisfies."""
        kind = type(value)
        if kind is str:
            found = self._exact.get(value, 0)
            for lookup in self._by_text:
                found |= lookup(value)
        elif kind is float or (kind is int and -EXACT <= value <= EXACT):
            found = 0 if self._number_at is None else self._number_at(value)
        elif value is None or kind is bool or kind is RawNumber:
            found = self._literals.get(value, 0)
        elif kind is int:
            found = self._at_large(value)
        else:
            found = 0
        if self._negated:
            hits = found >> self._width
            answer = self._answers.get(hits)
            found = (found & self._all) | (self._unless(hits) if answer is None else answer)
        return found | self._always

    def _at_start(self, value: str) -> int:
        found, size = 0, len(value)
        for length in self._prefix_lengths:
            if length > size:
                break
            found |= self._prefixes.get(value[:length], 0)
        return found

    def _at_end(self, value: str) -> int:
        found, size = 0, len(value)
        for length in self._suffix_lengths:
            if length > size:
                break
            found |= self._suffixes.get(value[size - length :], 0)
        return found

    def _at_address(self, value: str) -> int:
        address = parse_address(value)
        return 0 if address is None else self._addresses.at(address)

    def _at_large(self, value: int) -> int:
        number = comparable(value)
        if isinstance(number, RawNumber):
            return self._literals.get(number, 0)
        return 0 if self._number_at is None else self._number_at(number)

    def _unless(self, hits: int) -> int:
        """The bits of every `anything-but` that was not hit."""
        if len(self._answers) >= _MOST_ANSWERS:
            self._answers = {}
        answer = 0
        for number, bits in enumerate(self._negated):
            if not hits >> number & 1:
                answer |= bits
        self._answers[hits] = answer
        return answer
