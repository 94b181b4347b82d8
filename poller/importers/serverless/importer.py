"""`poller import serverless`: events of type `sqs` and `stream` in serverless.yml, and mappings in its resources."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from poller.configuration.reading.tree import Node, grow
from poller.importers.cloudformation.events import EXAMPLES
from poller.importers.cloudformation.importer import of_template
from poller.importers.cloudformation.intrinsics import Resolver
from poller.importers.cloudformation.tags import TemplateReader
from poller.importers.draft import FUNCTION_URL, Draft, Findings, Hole, Remark, has_hole, join, no_mapping, reasons_in
from poller.importers.given import Given, tree_of
from poller.importers.serverless.variables import Variables, named, text_of_node
from poller.values.errors import ConfigurationError

EVENTS = ("sqs", "stream")
BROKERS = ("kafka", "msk", "activemq", "rabbitmq", "documentDB")
_BY_TYPE = {name.lower(): arn for name, arn in EXAMPLES.items()}
KEYS = {
    "batchSize": "BatchSize",
    "batchWindow": "MaximumBatchingWindowInSeconds",
    "bisectBatchOnFunctionError": "BisectBatchOnFunctionError",
    "enabled": "Enabled",
    "maximumBatchingWindow": "MaximumBatchingWindowInSeconds",
    "maximumRecordAgeInSeconds": "MaximumRecordAgeInSeconds",
    "maximumRetryAttempts": "MaximumRetryAttempts",
    "parallelizationFactor": "ParallelizationFactor",
    "startingPosition": "StartingPosition",
    "startingPositionTimestamp": "StartingPositionTimestamp",
    "arn": "EventSourceArn",
    "tumblingWindowInSeconds": "TumblingWindowInSeconds",
}
BATCH_SIZE = 10
"""The framework's default, of queues and streams."""


def read(path: Path, given: Given) -> Findings:
    """Raises ConfigurationError for a file that is none of the framework."""
    root, problems = tree_of(path, TemplateReader)
    if root.get("service") is None and root.get("functions") is None:
        raise ConfigurationError([f"{path}: names no service and no functions; is it a serverless.yml?"])
    variables = Variables(root, given)
    region = variables.region
    given = replace(given, region=region if isinstance(region, str) else given.region)
    names, unread = _functions(root, variables)
    template = _template(root, variables, {key: name for key, (_, name) in names.items()})
    found = of_template(template, given, problems, "resources.")
    for title, node in unread:
        found.refuse(node.place, f"{title}: {_unread(node)}")
    resolver = Resolver(template, given)
    for key, (node, name) in names.items():
        if (url := node.get("url")) is not None and url.value is not False:
            found.refuse(url.place, f"functions.{key}.url: {FUNCTION_URL}")
        events = node.get("events")
        if events is not None and isinstance(events.value, Hole):
            found.refuse(events.place, f"functions.{key}.events: {'; '.join(events.value.reasons)}")
        for index, event in enumerate(_listed(events)):
            _take(event, (key, name), resolver, found, title=f"functions.{key}.events[{index}]")
    return found


def _functions(root: Node, variables: Variables) -> tuple[dict[str, tuple[Node, Any]], list[tuple[str, Node]]]:
    """Node and name of each function, and, with their titles, the entries that cannot be read."""
    names: dict[str, tuple[Node, Any]] = {}
    unread: list[tuple[str, Node]] = []
    functions = variables.expanded(root.get("functions") or Node({}, root.origin))
    for each in functions.value if isinstance(functions.value, list) else [functions]:
        if not isinstance(each.value, dict):
            unread.append(("functions", each))
            continue
        for key, node in each.value.items():
            if isinstance(node.value, dict | None):
                names[key] = (node, _function_name(key, node, root, variables))
            else:
                unread.append((f"functions.{key}", node))
    return names, unread


def _unread(node: Node) -> str:
    """Why an entry of functions is refused that holds no keys."""
    return "; ".join(node.value.reasons) if isinstance(node.value, Hole) else "holds no keys"


def _function_name(key: str, node: Node, root: Node, variables: Variables) -> Any:
    written = text_of_node(node.get("name"))
    if written is not None:
        return written
    service = variables.expanded(root.get("service") or Node("service", root.origin))
    return named(text_of_node(service, "service"), "-", variables.stage, "-", key)


def _template(root: Node, variables: Variables, names: dict[str, Any]) -> Node:
    """The file's own resources, and its functions by the names that the framework gives them there."""
    written = root.get("resources")
    parts = _listed(written) if written is not None and isinstance(written.value, list) else [written]
    merged: dict[str, dict[str, Node]] = {"Resources": {}, "Conditions": {}, "Mappings": {}, "Parameters": {}}
    for part in parts:
        expanded = variables.expanded(part) if part is not None else None
        for section in merged:
            node = expanded.get(section) if expanded is not None else None
            merged[section] |= node.value if node is not None and isinstance(node.value, dict) else {}
    for key, name in names.items():
        logical = key[:1].upper() + key[1:].replace("-", "Dash").replace("_", "Underscore") + "LambdaFunction"
        resource = {"Type": "AWS::Lambda::Function", "Properties": {"FunctionName": name}}
        merged["Resources"].setdefault(logical, grow(resource, root.origin))
    return Node({section: Node(held, root.origin) for section, held in merged.items()}, root.origin)


def _listed(node: Node | None) -> list[Node]:
    return node.value if node is not None and isinstance(node.value, list) else []


def _take(event: Node, function: tuple[str, Any], resolver: Resolver, found: Findings, *, title: str) -> None:
    key, function_name = function
    [(kind, node), *more] = event.value.items() if isinstance(event.value, dict) and event.value else [(None, event)]
    if kind in BROKERS:
        found.refuse(node.place, f"{title}: {kind} is not a source here")
        return
    if kind not in EVENTS or more:
        found.refuse(event.place, f"{title}: {_unknown(event)}")
        return
    written: Any = resolver.value(node)
    values = {"arn": written} if _is_source(node) or not isinstance(written, dict) else written
    held = node.value if isinstance(node.value, dict) else {}
    draft = Draft(
        name=f"{key}-{_short(values.get('arn')) or kind}",
        place=node.place,
        title=title,
        parameters={"EventSourceArn": _source(values, key), "FunctionName": function_name, "BatchSize": BATCH_SIZE},
        places={KEYS.get(each) or each: child.place for each, child in held.items()},
        example_arn=_BY_TYPE.get(str(values.get("type", kind)), EXAMPLES["Kinesis"]),
    )
    if kind != EVENTS[0]:
        draft.parameters["StartingPosition"] = "TRIM_HORIZON"
    for name, value in values.items():
        if name in KEYS and name != "arn":
            draft.parameters[KEYS[name]] = value
        elif name not in ("arn", "type", "consumer") and not _special(draft, name, value):
            found.remarks.append(Remark(node.place, f"{title}.{name}: is not known here"))
    found.drafts.append(draft)


def _unknown(event: Node) -> str:
    """Why an event is refused that is not one key of `EVENTS`."""
    if isinstance(event.value, dict) and len(event.value) == 1:
        return no_mapping(str(next(iter(event.value))))
    if isinstance(event.value, str):
        return no_mapping(event.value)
    if isinstance(event.value, Hole):
        return "; ".join(event.value.reasons)
    return "is no event: write its kind as the one key"


def _is_source(node: Node) -> bool:
    """A function of CloudFormation stands for the ARN itself."""
    return isinstance(node.value, dict) and len(node.value) == 1 and next(iter(node.value)).startswith(("Fn::", "Ref"))


def _source(values: dict[str, Any], key: str) -> Any:
    consumer = values.get("consumer")
    if consumer is True:
        hole = Hole.of(":0", "the ARN of the consumer, which the framework registers, ends in the time of its creation")
        return join([values.get("arn") or "", f"/consumer/{key}Consumer", hole])
    return consumer or values.get("arn")


def _short(arn: Any) -> str:
    text = arn.sketch if isinstance(arn, Hole) else str(arn or "")
    parts = text.rpartition(":")[2].split("/")
    return parts[1] if len(parts) > 1 else parts[0]


def _special(draft: Draft, name: str, value: Any) -> bool:
    """Keys with a form of their own; whether this is one."""
    parameters = draft.parameters
    if name == "functionResponseType":
        parameters["FunctionResponseTypes"] = [value]
    elif name == "maximumConcurrency":
        parameters["ScalingConfig"] = {"MaximumConcurrency": value}
    elif name == "provisionedPollerConfig" and isinstance(value, dict):
        parameters["ProvisionedPollerConfig"] = {each[:1].upper() + each[1:]: inner for each, inner in value.items()}
    elif name == "filterPatterns" and isinstance(value, list):
        hole = Hole("", reasons_in(value)) if has_hole(value) else None
        patterns = [{"Pattern": json.dumps(pattern)} for pattern in value] if hole is None else [hole]
        parameters["FilterCriteria"] = {"Filters": patterns}
    elif name == "destinations" and isinstance(value, dict):
        failure = value.get("onFailure")
        target = failure.get("arn") if isinstance(failure, dict) else failure
        parameters["DestinationConfig"] = {"OnFailure": {"Destination": target}}
    else:
        return False
    return True
