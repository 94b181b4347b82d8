"""The patterns of `filter_criteria`, from JSON text or plain YAML to JSON text that the engine has accepted.

Plain YAML reads some words otherwise than JSON does (`NO` is false, `1e3` is text), and a filter that is nearly right
deletes messages it should have kept. So what both do not read alike is refused.
"""

import json
import re
from typing import Any, NoReturn

from poller.configuration.model.mapping_keys import WrittenMapping
from poller.configuration.reading.explain import Report
from poller.configuration.reading.tree import Node
from poller.policy.filtering import PatternError, compile_filters
from poller.policy.filtering.errors import AWS_MESSAGE
from poller.sources.kinds import KINDS
from poller.values.arns import EventSource

_INDEX = re.compile(r"\[(\d+)\]\.?")
_AT = ("filter_criteria", "filters")


def read_patterns(node: Node, written: WrittenMapping, source: EventSource, report: Report) -> tuple[str, ...]:
    """The patterns of the mapping at `node`, compiled for this source. Their problems are reported."""
    if written.filter_criteria is None or not written.filter_criteria.filters:
        return ()
    patterns = []
    members = KINDS[source.kind].members
    for index in range(len(written.filter_criteria.filters)):
        pattern: Node = node.value[_AT[0]].value[_AT[1]].value[index].value["pattern"]
        try:
            given = _text(pattern, "") if isinstance(pattern.value, dict) else pattern.value
            compile_filters([given], members)
        except PatternError as error:
            steps, rest = _steps(pattern, error.where)
            text = f"{AWS_MESSAGE} {rest}: {error.message}" if rest else f"{AWS_MESSAGE} {error.message}"
            report.say(text, *_AT, index, "pattern", *steps)
        else:
            patterns.append(given)
    return tuple(patterns)


def _text(node: Node, where: str) -> str:
    """Plain YAML as JSON text. Raises PatternError."""
    if isinstance(node.value, dict):
        members = (
            f"{_dumps(key, where)}:{_text(child, f'{where}.{key}' if where else key)}"
            for key, child in node.value.items()
        )
        return f"{{{','.join(members)}}}"
    if isinstance(node.value, list):
        return f"[{','.join(_text(child, f'{where}[{index}]') for index, child in enumerate(node.value))}]"
    return _dumps(node.value, where) if node.written is None else _scalar(node.value, node.written, where)


def _scalar(value: Any, written: str, where: str) -> str:
    try:
        as_json = json.loads(written, parse_constant=_refuse)
    except ValueError:
        if isinstance(value, str):
            return _dumps(value, where)
    else:
        if type(as_json) is type(value) and as_json == value:
            return written  # kept as written: a number may have more digits than a float holds
    meant = "empty" if not written else f"{written}, which YAML reads as {_named(value)}"
    raise PatternError(f"is {meant}; put text in quotes, and write numbers, true, false and null as JSON does", where)


def _named(value: Any) -> str:
    names = {True: "true", False: "false", None: "null"}
    if isinstance(value, str):
        return "text"
    return names[value] if value is None or isinstance(value, bool) else str(value)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _dumps(value: Any, where: str) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except TypeError:
        raise PatternError(f"{value} is a {type(value).__name__}, not JSON; put it in quotes", where) from None


def _steps(node: Node, where: str) -> tuple[list[str | int], str]:
    """The steps into a plain pattern as far as they exist in it, and the rest of the path."""
    steps: list[str | int] = []
    rest = where
    while rest:
        step: str | int | None = None
        length = 0
        if isinstance(node.value, list) and (found := _INDEX.match(rest)):
            step, length = int(found[1]), found.end()
        elif isinstance(node.value, dict):
            step = next((key for key in node.value if re.match(re.escape(key) + r"(?:\.|\[|$)", rest)), None)
            length = len(step or "") + rest[len(step or "") :].startswith(".")
        if step is None:
            return [], where
        steps.append(step)
        rest, node = rest[length:], node.value[step]
    return steps, ""
