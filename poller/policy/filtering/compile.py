"""A pattern, from text or plain YAML to its alternatives: for each way to satisfy it, a condition per field.

`$or` multiplies alternatives, exactly as the engine does it, because fields inside and outside of it must agree on the
array elements they come from. A field is named by its keys joined with dots; `{"a.b": …}` and `{"a": {"b": …}}` are one
field. Where one alternative names a field twice, the later one in the text holds.
"""

import json
from collections.abc import Iterator, Mapping, Sequence

from poller.policy.filtering.conditions import Condition, read_condition
from poller.policy.filtering.errors import PatternError
from poller.policy.filtering.numeric import RawNumber, comparable, parse_float

# CreateEventSourceMapping's limits: filters of one mapping, and characters of one pattern. Five filters are a quota of
# the account, no bound of the API's model, so that they stand here alone.
MOST_FILTERS = 5
MOST_CHARACTERS = 4096
# EventBridge's limit on the combinations that `$or` makes of one pattern.
MOST_ALTERNATIVES = 1000

OR = "$or"
# Names the engine keeps for itself inside `$or`, in use or reserved for later.
_RESERVED = frozenset(
    (
        *("exactly", "equals-ignore-case", "prefix", "suffix", "anything-but", "exists", "wildcard", "numeric", "cidr"),
        *("=", "<", "<=", ">", ">=", "regex", "not-wildcard", "not-equals-ignore-case"),
        *("date-after", "date-on-or-after", "date-before", "date-on-or-before", "in-date-range"),
        *("ip-address-in-range", "ip-address-not-in-range"),
    )
)

Alternative = dict[str, Condition]


def read_pattern(pattern: str | Mapping[str, object]) -> list[Alternative]:
    """The alternatives of one pattern; raises `PatternError`."""
    if isinstance(pattern, Mapping):
        pattern = _as_json(pattern)
    elif not isinstance(pattern, str):
        raise PatternError(f"a pattern is JSON text or an object, not {_kind(pattern)}")
    if len(pattern) > MOST_CHARACTERS:
        raise PatternError(f"{len(pattern):,} characters; a pattern has at most {MOST_CHARACTERS:,}")
    parsed = _parse(pattern)
    if not isinstance(parsed, dict):
        raise PatternError(f"a pattern is a JSON object, not {_kind(parsed)}")
    return _expand(parsed)


def _refuse_constant(text: str) -> None:
    raise PatternError(f"{text} is not JSON")


def _parse_int(text: str) -> float | RawNumber:
    return comparable(int(text)) if len(text) <= 400 else RawNumber(text)  # a float holds no more than 309 digits


def _parse(text: str) -> object:
    try:
        return json.loads(text, parse_float=parse_float, parse_int=_parse_int, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        shown = "it is empty" if not text.strip() else f"{error.msg} at line {error.lineno}, column {error.colno}"
        raise PatternError(f"not JSON: {shown}") from None
    except RecursionError:
        raise PatternError("nested too deeply") from None


def _expand(pattern: Mapping[str, object]) -> list[Alternative]:
    """Walks the objects in the order of the text, without recursion: they may nest hundreds deep."""
    alternatives: list[Alternative] = [{}]
    # What is still open: the members left to read, the path so far, whether this is inside an `$or`, and for a branch
    # of one the alternatives before it and those its earlier branches left.
    open_objects = [_Object(pattern, "", inside_or=False)]
    while open_objects:
        current = open_objects[-1]
        member = next(current.members, None)
        if member is None:
            open_objects.pop()
            alternatives = current.close(alternatives)
            continue
        name, value = member
        path = f"{current.path}.{name}" if current.path else name
        if name == OR:
            branches = _branches(value, current.path)
            base = alternatives
            done: list[Alternative] = []
            opened = [_Object(branch, current.path, inside_or=True, base=base, done=done) for branch in branches]
            opened[-1].last = True
            open_objects += reversed(opened)
            alternatives = [dict(alternative) for alternative in base]
            continue
        if current.inside_or and name in _RESERVED:
            raise PatternError(f"{name!r} is an operator and cannot be the name of a field inside {OR}", path)
        if isinstance(value, dict):
            open_objects.append(_Object(value, path, inside_or=current.inside_or))
        elif isinstance(value, list):
            condition = read_condition(value, path)
            for alternative in alternatives:
                alternative[path] = condition
        else:
            raise PatternError(
                f"must be a list of values or an object, not {_kind(value)}: write [{_show(value)}]", path
            )
    return alternatives


class _Object:
    """An object of the pattern that is being read. As a branch of `$or` it collects alternatives instead of adding to
    one.
    """

    __slots__ = ("base", "done", "inside_or", "last", "members", "path")

    def __init__(
        self,
        given: Mapping[str, object],
        path: str,
        *,
        inside_or: bool,
        base: list[Alternative] | None = None,
        done: list[Alternative] | None = None,
    ) -> None:
        if not given:
            raise PatternError("an empty object matches nothing; name at least one field", path)
        self.members: Iterator[tuple[str, object]] = iter(given.items())
        self.path = path
        self.inside_or = inside_or
        self.base = base
        self.done = done
        self.last = False

    def close(self, alternatives: list[Alternative]) -> list[Alternative]:
        """What follows this object: after the last branch of an `$or`, the alternatives of all branches."""
        if self.base is None or self.done is None:
            return alternatives
        self.done += alternatives
        if len(self.done) > MOST_ALTERNATIVES:
            raise PatternError(f"{OR} makes more than {MOST_ALTERNATIVES:,} combinations", self.path)
        return self.done if self.last else [dict(alternative) for alternative in self.base]


def _branches(value: object, path: str) -> list[Mapping[str, object]]:
    where = f"{path}.{OR}" if path else OR
    if not isinstance(value, list) or len(value) < 2:
        raise PatternError("needs a list of at least two objects", where)
    for number, branch in enumerate(value):
        if not isinstance(branch, dict):
            raise PatternError(f"every branch is an object, not {_kind(branch)}", f"{where}[{number}]")
    return value


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number" if isinstance(value, int | float | RawNumber) else type(value).__name__)


def _show(value: object) -> str:
    return value.text if isinstance(value, RawNumber) else json.dumps(value, ensure_ascii=False)[:100]


def _as_json(pattern: Mapping[str, object]) -> str:
    """The pattern, given as plain YAML, as the JSON text whose length the limit counts."""
    left = MOST_CHARACTERS
    waiting: list[tuple[object, str]] = [(pattern, "")]
    while waiting:
        value, path = waiting.pop()
        left -= 1
        if left < 0:  # every value takes at least one character; this also ends a pattern that contains itself
            raise PatternError(f"a pattern has at most {MOST_CHARACTERS:,} characters")
        if isinstance(value, Mapping):
            for key, inner in value.items():
                if not isinstance(key, str):
                    raise PatternError(f"the key {key!r} is not text; put it in quotes", path)
                waiting.append((inner, f"{path}.{key}" if path else key))
        elif isinstance(value, list | tuple):
            waiting += ((inner, f"{path}[{number}]") for number, inner in enumerate(value))
        elif not isinstance(value, str | int | float | None):
            raise PatternError(f"{value} is a {type(value).__name__}, not JSON; put it in quotes", path)
    try:
        return json.dumps(pattern, ensure_ascii=False, separators=(",", ":"), allow_nan=True, default=dict)
    except (RecursionError, ValueError):
        raise PatternError("nested too deeply") from None


def read_patterns(patterns: Sequence[str | Mapping[str, object]]) -> list[list[Alternative]]:
    """The alternatives of every pattern of one mapping; raises `PatternError` naming the filter."""
    if len(patterns) > MOST_FILTERS:
        raise PatternError(f"{len(patterns)} filters; a mapping has at most {MOST_FILTERS}")
    read = []
    for index, pattern in enumerate(patterns):
        try:
            read.append(read_pattern(pattern))
        except PatternError as error:
            raise error.at(index) from None
    return read
