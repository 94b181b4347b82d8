"""Entries of `functions`, and functions that a mapping names itself, to FunctionConfig."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from poller.configuration.model.aws import AwsSettings, ServiceSettings
from poller.configuration.model.fields import is_name
from poller.configuration.model.function_models import (
    EMULATOR_CONCURRENCY,
    LAMBDA_MOST_SECONDS,
    LOCAL_SECONDS,
    TYPES,
    WrittenLambda,
    WrittenStepFunctions,
    types_with,
)
from poller.configuration.model.functions import (
    EMULATOR_NAME,
    EVENT_PAYLOAD_BYTES,
    SYNCHRONOUS_PAYLOAD_BYTES,
    WORKFLOW_PAYLOAD_BYTES,
    FunctionConfig,
)
from poller.configuration.model.read_function_types import common, read_function_url, read_http, read_runtime
from poller.configuration.reading.explain import Report, similar
from poller.configuration.reading.tree import Node
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
    model = report.validated(TYPES[kind], node.without(foreign))
    return None if model is None else _READERS[kind](key, model, node, aws, report)


def implied_function(
    function_name: str, aws: AwsSettings, report: Report, known: Iterable[str]
) -> FunctionConfig | None:
    """A Lambda function that a mapping names without an entry in `functions`."""
    try:
        parse_function_name(function_name)
    except ValueError as error:
        close = similar(function_name, known)
        hint = f"; did you mean {close}, a key of functions?" if close else ""
        report.say(f"{error}, nor a key of functions{hint}", "function_name")
        return None
    model = WrittenLambda(type="lambda", function_name=function_name)
    return _lambda(function_name, model, report.root, aws, report)


def _listed(kinds: Iterable[str]) -> str:
    *most, last = kinds
    return f"{', '.join(most)} or {last}" if most else last


def _type_of(node: Node, report: Report) -> str | None:
    if not isinstance(node.value, dict):
        report.say("must hold the keys of a function, such as type and function_name")
        return None
    possible = _listed(TYPES)
    type_node = node.get("type")
    if type_node is None:
        report.say(f"is missing; it can be {possible}", "type")
    elif not isinstance(type_node.value, str) or type_node.value not in TYPES:
        report.say(f"is {type_node.plain()!r}; it can be {possible}", "type")
    else:
        return type_node.value
    return None


def _with_endpoint(service: str, endpoint_url: str | None, own: AwsSettings, aws: AwsSettings) -> AwsSettings:
    if endpoint_url is None:
        return own.merged_over(aws)
    services = {service: ServiceSettings(endpoint_url=endpoint_url)}
    return AwsSettings(services=services).merged_over(own.merged_over(aws))


def _lambda(key: str, model: WrittenLambda, _node: Node, aws: AwsSettings, report: Report) -> FunctionConfig | None:
    try:
        name = parse_function_name(model.function_name)
    except ValueError as error:
        report.say(str(error), "function_name")
        return None
    merged = _with_endpoint("lambda", model.endpoint_url, model.aws, aws)
    has_endpoint = merged.for_service("lambda")[0] is not None
    if model.rie and not has_endpoint:
        report.say("needs an endpoint_url: the emulator runs somewhere of its own", "rie")
    rie = (has_endpoint and name.name == EMULATOR_NAME) if model.rie is None else model.rie
    event = model.invocation_type == "Event"
    if rie and event:
        report.say("Event is not supported by the Runtime Interface Emulator, which has no queue", "invocation_type")
    if event and model.log_type == "Tail":
        report.say("Tail needs the function's answer, which invocation_type Event does not wait for", "log_type")
    given = common(key, model)
    given["timeout_seconds"] = model.timeout_seconds or (LOCAL_SECONDS if event else LAMBDA_MOST_SECONDS)
    given["concurrency"] = model.concurrency or (EMULATOR_CONCURRENCY if rie else None)
    return FunctionConfig(
        **given,
        function_name=name.unqualified,
        qualifier=name.qualifier,
        invocation_type=model.invocation_type,
        log_type=model.log_type,
        rie=rie,
        payload_limit=EVENT_PAYLOAD_BYTES if event else SYNCHRONOUS_PAYLOAD_BYTES,
        aws=merged,
    )


def _step_functions(
    key: str, model: WrittenStepFunctions, _node: Node, aws: AwsSettings, _report: Report
) -> FunctionConfig:
    return FunctionConfig(
        **common(key, model),
        state_machine_arn=model.state_machine_arn,
        payload_limit=WORKFLOW_PAYLOAD_BYTES,
        aws=_with_endpoint("stepfunctions", model.endpoint_url, model.aws, aws),
    )


_READERS: Mapping[str, Callable[[str, Any, Node, AwsSettings, Report], FunctionConfig | None]] = {
    "lambda": _lambda,
    "function_url": read_function_url,
    "http": read_http,
    "runtime": read_runtime,
    "step_functions": _step_functions,
}
