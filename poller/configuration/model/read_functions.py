"""Entries of `functions`, and functions that a mapping names itself, to FunctionConfig."""

from collections.abc import Iterable
from typing import Any

from poller.configuration.model.asynchronous import read_asynchronous
from poller.configuration.model.aws import AwsSettings
from poller.configuration.model.fields import is_name
from poller.configuration.model.functions import FunctionConfig
from poller.configuration.model.http_face import read_face
from poller.configuration.reading.explain import Report, similar
from poller.configuration.reading.tree import Node
from poller.functions.keys import LOCAL_SECONDS, Entry
from poller.functions.type import FileKeys, FunctionType
from poller.functions.types import FUNCTION_TYPES, IMPLIED, MODELS, types_with
from poller.values.arns import parse_function_name


def read_function(key: str, node: Node, aws: AwsSettings, report: Report) -> FunctionConfig | None:
    """One entry of `functions`; None with everything wrong about it reported."""
    kind = _type_of(node, report)
    if kind is None:
        return None
    foreign = {name: kinds for name in node.value if (kinds := types_with(name)) and kind not in kinds}
    for name, kinds in foreign.items():
        report.say(f"is for functions of type {_listed(kinds)}, and this one is {kind}; remove it", name)
    if not is_name(key):
        report.say("is no name for a function; use letters, digits and any of _ . : $ -")
    model = report.validated(MODELS[kind], node.without(foreign))
    if model is None:
        return None
    row = FUNCTION_TYPES[kind]
    common = _common(row, key, model) | {"asynchronous": read_asynchronous(model.asynchronous, report)}
    return _keys_of(row).read(Entry(key, model, node, aws, report, common))


def _common(row: FunctionType, key: str, model: Any) -> dict[str, Any]:
    return {
        "key": key,
        "type": row.name,
        "timeout_seconds": model.timeout_seconds or LOCAL_SECONDS,
        "concurrency": model.concurrency or row.concurrency,
        "max_requests_per_second": model.max_requests_per_second,
        "payload_limit": row.payload_limit,
        "invoke_identity_arn": model.invoke_identity_arn,
        "function_arn": model.function_arn,
        "http_face": read_face(model.http_face),
    }


def implied_function(
    function_name: str, aws: AwsSettings, report: Report, known: Iterable[str], by: str
) -> FunctionConfig | None:
    """A Lambda function that a mapping names, under the key `by`, without an entry in `functions`."""
    try:
        parse_function_name(function_name)
    except ValueError as error:
        close = similar(function_name, known)
        hint = f"; did you mean {close}, a key of functions?" if close else ""
        report.say(f"{error}, nor a key of functions{hint}", by)
        return None
    keys = _keys_of(IMPLIED)
    model = keys.model.model_validate({"type": IMPLIED.name, "function_name": function_name})
    return keys.read(Entry(function_name, model, report.root, aws, report, _common(IMPLIED, function_name, model)))


def _keys_of(row: FunctionType) -> FileKeys:
    assert row.keys is not None, "no file can name a type without keys"
    return row.keys


def _listed(kinds: Iterable[str]) -> str:
    *most, last = kinds
    return f"{', '.join(most)} or {last}" if most else last


def _type_of(node: Node, report: Report) -> str | None:
    if not isinstance(node.value, dict):
        report.say("must hold the keys of a function, such as type and function_name")
        return None
    possible = _listed(MODELS)
    type_node = node.get("type")
    if type_node is None:
        report.say(f"is missing; it can be {possible}", "type")
    elif not isinstance(type_node.value, str) or type_node.value not in MODELS:
        report.say(f"is {type_node.plain()!r}; it can be {possible}", "type")
    else:
        return type_node.value
    return None
