"""Mappings made through Lambda's API: read as those of the files are, from the parameters of CreateEventSourceMapping.

Unlike in a file, no value is a reference: `{file: PATH}` in a request would hand out this machine's files.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from poller.configuration.load import Configuration
from poller.configuration.model.mapping import EventSourceMapping
from poller.configuration.model.read_mappings import Functions, read_mapping
from poller.configuration.model.taken_parameters import AWS_PARAMETERS
from poller.configuration.reading.explain import Report
from poller.configuration.reading.spelling import snake_case
from poller.configuration.reading.tree import Node, Origin, grow
from poller.values.arns import FunctionName, parse_function_name
from poller.values.errors import ConfigurationError, UnknownFunction

LATEST = "$LATEST"
"""The one version of a function with an entry of its own, unless that names a qualifier."""
_DATA = frozenset({"tags"})
"""Members whose keys are the user's own."""


def read_made(present: Configuration, uuid: str, parameters: Mapping[str, Any]) -> EventSourceMapping:
    """The mapping beside those of `present`. `parameters` have the names and the types of CreateEventSourceMapping.

    Raises ConfigurationError, and UnknownFunction for a qualifier that an entry of `functions` does not have.
    """
    origin = Origin(f"mapping {uuid}", Path("/"))
    root = Node({snake_case(key): _node(key, value, origin) for key, value in parameters.items()}, origin)
    written = str(parameters.get("FunctionName", ""))
    own = {
        "name": grow(uuid, origin),
        "uuid": grow(uuid, origin),
        "function_name": replace(grow(function_of(present, written) or written, origin), key="FunctionName"),
    }
    root = replace(root, value={**root.value, **own})
    report = Report(root, (), [])
    for key in root.value.keys() - AWS_PARAMETERS - own.keys():
        report.say("is not a parameter of a mapping", key)
    declared = Functions({key: present.functions[key] for key in present.declared})
    mapping = read_mapping(root, declared, present.settings.aws, report)
    if mapping is None or report.problems:
        raise ConfigurationError(report.problems)
    return mapping


def _node(key: str, value: Any, origin: Origin) -> Node:
    name = snake_case(key)
    if isinstance(value, dict) and name not in _DATA:
        return Node({snake_case(below): _node(below, child, origin) for below, child in value.items()}, origin, key=key)
    if isinstance(value, list):
        return Node([_node("", child, origin) for child in value], origin, key=key)
    return replace(grow(value, origin), key=key)


def function_of(present: Configuration, written: str) -> str | None:
    """The key of the function's entry in `functions`, by its name or its ARN; None for a function at Lambda.

    Raises UnknownFunction.
    """
    if written in present.declared:
        return written
    named = _named(written)
    if named is None or named.name not in present.declared:
        return None
    function = present.functions[named.name]
    own = None if function.name is None else function.name.qualifier
    if named.qualifier not in (None, LATEST, own):
        raise UnknownFunction(f"the function {named.name} has no version or alias {named.qualifier}")
    return named.name


def shown_arn(written: str, arn: str) -> str:
    """The function's ARN as Lambda answers it: with the qualifier as written. `arn` is that of the function called."""
    named = _named(written)
    if written.startswith("arn:") or named is None:
        return written if named is not None else arn
    bare = ":".join(arn.split(":")[:7])
    return f"{bare}:{named.qualifier}" if named.qualifier else bare


def _named(written: str) -> FunctionName | None:
    try:
        return parse_function_name(written)
    except ValueError:
        return None
