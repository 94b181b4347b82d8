"""One leaf of a pattern: the list of values and operators for one field, read and checked.

This file decides which operators exist and what each may be given; what they do with a value is in `values.py`.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from poller.policy.filtering.address import parse_address, parse_cidr
from poller.policy.filtering.errors import PatternError
from poller.policy.filtering.folding import Anchor
from poller.policy.filtering.numeric import Interval, RawNumber
from poller.policy.filtering.wildcard import parse_wildcard


@dataclass(frozen=True, slots=True)
class Text:
    """A string: equal, or beginning or ending with `text`."""

    text: str
    anchor: Anchor = Anchor.WHOLE
    ignore_case: bool = False


@dataclass(frozen=True, slots=True)
class Wildcard:
    """A string of these fixed parts with anything between them."""

    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Literal:
    """true, false, null, or a number that only its own text equals."""

    value: bool | RawNumber | None


@dataclass(frozen=True, slots=True)
class AddressRange:
    """A string that is an IP address from `low` to `high`."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Present:
    """Any leaf at all."""


@dataclass(frozen=True, slots=True)
class AnythingBut:
    """Any leaf that none of these holds for. As in the engine that includes null, booleans and the other type."""

    tests: tuple["Positive", ...]


Positive = Text | Wildcard | Literal | Interval | AddressRange
Test = Positive | Present | AnythingBut


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """What one field must be: any of `tests`, or missing when `absent`."""

    tests: tuple[Test, ...]
    absent: bool
    wanted: str = field(repr=False)
    """The leaf as the user wrote it, as JSON, for explanations."""


def read_condition(values: Sequence[object], where: str) -> Condition:
    """The leaf `values`, found at `where`, which only the error text needs."""
    if not values:
        raise PatternError("an empty list matches nothing; name at least one value", where)
    tests: list[Test] = []
    absent = False
    for number, value in enumerate(values):
        place = f"{where}[{number}]"
        if isinstance(value, Mapping) and list(value) == ["exists"] and value["exists"] is False:
            absent = True
        elif isinstance(value, Mapping):
            tests.append(_operator(value, place))
        else:
            tests.append(_plain(value, place))
    return Condition(tuple(tests), absent, json.dumps(values, default=_raw, ensure_ascii=False))


def _raw(value: object) -> object:
    assert isinstance(value, RawNumber)
    return value.text


def _plain(value: object, where: str) -> Positive:
    if isinstance(value, str):
        address = parse_address(value)
        return Text(value) if address is None else AddressRange(address, address)
    if isinstance(value, bool | RawNumber | None):
        return Literal(value)
    if isinstance(value, int | float):
        return Interval(value, value)
    raise PatternError("a list inside a list; values are strings, numbers, true, false, null or an operator", where)


def _single(given: Mapping[str, object], where: str, what: str) -> tuple[str, object]:
    if len(given) != 1:
        names = ", ".join(given) or "none"
        raise PatternError(f"{what} takes exactly one operator, here: {names}; use one object for each", where)
    return next(iter(given.items()))


def _operator(given: Mapping[str, object], where: str) -> Test:
    name, operand = _single(given, where, "an object in a list of values")
    read = _OPERATORS.get(name)
    if read is None:
        raise PatternError(f"unknown operator {name!r}{_suggest(name, _OPERATORS)}", where)
    return read(operand, f"{where}.{name}")


def _suggest(name: str, known: Mapping[str, object]) -> str:
    close = get_close_matches(name[:40], known, 1)
    return f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(known)}"


def _string(operand: object, where: str) -> str:
    if not isinstance(operand, str):
        raise PatternError("needs a string", where)
    return operand


def _exactly(operand: object, where: str) -> Test:
    return Text(_string(operand, where))


def _equals_ignore_case(operand: object, where: str) -> Test:
    return Text(_string(operand, where), ignore_case=True)


def _affix(anchor: Anchor) -> Callable[[object, str], Test]:
    def read(operand: object, where: str) -> Test:
        if not isinstance(operand, Mapping):
            return Text(_string(operand, where), anchor)
        name, text = _single(operand, where, "a nested operator")
        if name != "equals-ignore-case":
            raise PatternError(f"takes a string or equals-ignore-case, not {name!r}", where)
        return Text(_string(text, f"{where}.{name}"), anchor, ignore_case=True)

    return read


def _wildcard(operand: object, where: str) -> Wildcard:
    try:
        return Wildcard(parse_wildcard(_string(operand, where)))
    except PatternError:
        raise
    except ValueError as error:
        raise PatternError(str(error), where) from None


def _cidr(operand: object, where: str) -> Test:
    try:
        return AddressRange(*parse_cidr(_string(operand, where)))
    except PatternError:
        raise
    except ValueError as error:
        raise PatternError(str(error), where) from None


def _exists(operand: object, where: str) -> Test:
    # `{"exists": false}` never comes here, because it is a property of the condition and not a test of a value
    if operand is not True:
        raise PatternError("needs true or false", where)
    return Present()


def _number(operand: object, where: str) -> float:
    if isinstance(operand, RawNumber):
        raise PatternError(f"{operand.text} cannot be compared: no 64-bit float holds it exactly", where)
    if isinstance(operand, bool) or not isinstance(operand, int | float):
        raise PatternError("needs a number", where)
    return operand


def _numeric(operand: object, where: str) -> Interval:
    if not isinstance(operand, list) or len(operand) not in (2, 4):
        raise PatternError('needs a list such as ["=", 5], ["<", 10] or [">", 0, "<=", 5]', where)
    bound = _number(operand[1], f"{where}[1]")
    match operand[0]:
        case "=" if len(operand) == 2:
            return Interval(bound, bound)
        case "<" | "<=" if len(operand) == 2:
            return Interval(None, bound, high_open=operand[0] == "<")
        case ">" | ">=" if len(operand) == 2:
            return Interval(bound, None, low_open=operand[0] == ">")
        case ">" | ">=" if operand[2] in ("<", "<="):
            top = _number(operand[3], f"{where}[3]")
            if bound >= top:
                raise PatternError(f"the lower bound {bound} is not below the upper bound {top}", where)
            return Interval(bound, top, low_open=operand[0] == ">", high_open=operand[2] == "<")
        case _:
            reason = 'comparisons are =, <, <=, >, >=; a range is written lower bound first: [">", 0, "<=", 5]'
            raise PatternError(reason, where)


def _anything_but(operand: object, where: str) -> Test:
    if isinstance(operand, Mapping):
        name, inner = _single(operand, where, "anything-but")
        read = _NEGATED.get(name)
        if read is None:
            raise PatternError(f"cannot negate {name!r}{_suggest(name, _NEGATED)}", where)
        values = inner if isinstance(inner, list) else [inner]
        if not values:
            raise PatternError("an empty list excludes nothing; name at least one value", where)
        return AnythingBut(tuple(read(value, f"{where}.{name}") for value in values))
    values = operand if isinstance(operand, list) else [operand]
    texts = [value for value in values if isinstance(value, str)]
    if texts and len(texts) == len(values):
        return AnythingBut(tuple(Text(text) for text in texts))
    if not values or any(isinstance(value, str | bool | list | dict | None) for value in values):
        raise PatternError("needs strings or numbers, one or a list of one kind", where)
    numbers = [_number(value, where) for value in values]
    return AnythingBut(tuple(Interval(number, number) for number in numbers))


def _negated_affix(anchor: Anchor) -> Callable[[object, str], Positive]:
    def read(operand: object, where: str) -> Positive:
        text = _string(operand, where)
        if not text:
            raise PatternError("an empty string excludes every string", where)
        return Text(text, anchor)

    return read


_OPERATORS: dict[str, Callable[[object, str], Test]] = {
    "prefix": _affix(Anchor.START),
    "suffix": _affix(Anchor.END),
    "equals-ignore-case": _equals_ignore_case,
    "anything-but": _anything_but,
    "numeric": _numeric,
    "exists": _exists,
    "wildcard": _wildcard,
    "cidr": _cidr,
    "exactly": _exactly,
}

_NEGATED: dict[str, Callable[[object, str], Positive]] = {
    "prefix": _negated_affix(Anchor.START),
    "suffix": _negated_affix(Anchor.END),
    "equals-ignore-case": lambda operand, where: Text(_string(operand, where), ignore_case=True),
    "wildcard": _wildcard,
}
