"""The events of `AWS::Serverless::Function` that SAM turns into event source mappings."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from poller.configuration.reading.tree import Node, overlay
from poller.importers.cloudformation.conditions import present
from poller.importers.cloudformation.resources import ACCOUNT, LABEL, PARTITION, REGION, Resource, attribute
from poller.importers.draft import (
    FUNCTION_URL,
    Draft,
    Findings,
    Hole,
    Remark,
    has_hole,
    join,
    no_mapping,
    reasons_in,
    sketch_of,
)

if TYPE_CHECKING:
    from poller.importers.cloudformation.intrinsics import Resolver

EXAMPLES = {
    "SQS": "arn:aws:sqs:us-east-1:000000000000:QUEUE",
    "Kinesis": "arn:aws:kinesis:us-east-1:000000000000:stream/STREAM",
    "DynamoDB": f"arn:aws:dynamodb:us-east-1:000000000000:table/TABLE/stream/{LABEL}",
    "DocumentDB": "arn:aws:rds:us-east-1:000000000000:cluster:CLUSTER",
}
SOURCES = {"SQS": "Queue", "Kinesis": "Stream", "DynamoDB": "Stream", "DocumentDB": "Cluster"}
"""Types of events that are mappings here, with the property that names the source."""
BROKERS = ("MSK", "MQ", "SelfManagedKafka")
DOCUMENTS = ("DatabaseName", "CollectionName", "FullDocument")
"""Properties of a DocumentDB event that the API keeps in an object of their own."""
OF_PERMISSIONS = ("SecretsManagerKmsKeyId",)
"""Properties from which SAM only makes permissions."""
_UNKNOWN = "is an event whose Type is not known here"
NOTIFIED_BATCH = 10
"""SAM's default for queues that a topic writes to."""


def take(function: Resource, root: Node, resolver: "Resolver", found: Findings, *, title: str, run_here: bool) -> None:
    """Every event that is a mapping; one of another kind is refused."""
    properties = overlay(_globals(root), function.properties)
    url = properties.get("FunctionUrlConfig")
    if url is not None and present(function.node, url.place, title, resolver.conditions, found):
        found.refuse(url.place, f"{title}.Properties.FunctionUrlConfig: {FUNCTION_URL}")
    events = properties.get("Events")
    if events is None or not isinstance(events.value, dict):
        return
    name = _function(function, properties, resolver)
    for event, node in events.value.items():
        kind = node.get("Type")
        held = node.get("Properties")
        typed = kind.value if kind is not None else None
        below = f"{title}.Properties.Events.{event}"
        given_properties = held if held is not None and isinstance(held.value, dict) else Node({}, node.origin)
        if not present(function.node, node.place, below, resolver.conditions, found):
            continue
        if not _is_mapping(typed, given_properties):
            found.refuse(node.place, f"{below}: {no_mapping(typed) if isinstance(typed, str) else _UNKNOWN}")
            continue
        if typed in BROKERS:
            found.refuse(node.place, f"{below}: {typed} is not a source here")
            continue
        draft = Draft(
            name=f"{function.logical_id}-{event}",
            place=node.place,
            title=below,
            parameters={},
            places={key: child.place for key, child in given_properties.value.items()},
            example_arn=EXAMPLES.get(str(typed)),
        )
        values = resolver.value(given_properties)
        if not isinstance(values, dict):
            found.refuse(node.place, f"{below}: its properties are not known: {'; '.join(reasons_in(values))}")
            continue
        _fill(draft, str(typed), event, values, resolver)
        draft.parameters["FunctionName"] = name
        found.drafts.append(draft)
    if run_here:
        _run_here(function, properties, resolver, found)


def _is_mapping(kind: Any, properties: Node) -> bool:
    return kind in (*SOURCES, *BROKERS) or (kind == "SNS" and properties.get("SqsSubscription") is not None)


def _globals(root: Node) -> Node:
    found = root.get("Globals")
    shared = found.get("Function") if found is not None else None
    return shared if shared is not None and isinstance(shared.value, dict) else Node({}, root.origin)


def _function(function: Resource, properties: Node, resolver: "Resolver") -> Any:
    name = attribute(function, None, resolver.value, resolver.pseudo)
    alias = properties.get("AutoPublishAlias")
    return name if alias is None else join([name, ":", resolver.value(alias)])


def _fill(draft: Draft, kind: str, event: str, values: dict[str, Any], resolver: "Resolver") -> None:
    if kind == "SNS":
        _notified(draft, event, values, resolver)
        return
    if SOURCES[kind] in values:
        draft.parameters["EventSourceArn"] = values.pop(SOURCES[kind])
        draft.places = {**draft.places, "EventSourceArn": draft.places[SOURCES[kind]]}
    documents = {key: values.pop(key) for key in DOCUMENTS if key in values}
    if documents:
        draft.parameters["DocumentDBEventSourceConfig"] = documents
    for key in OF_PERMISSIONS:
        values.pop(key, None)
    failure = values.get("DestinationConfig")
    target = failure.get("OnFailure") if isinstance(failure, dict) else None
    if isinstance(target, dict):
        target.pop("Type", None)
    if "KmsKeyArn" in values:
        values["KMSKeyArn"] = values.pop("KmsKeyArn")
    draft.parameters |= values


def _notified(draft: Draft, event: str, values: dict[str, Any], resolver: "Resolver") -> None:
    """The mapping of a queue that SAM puts between a topic and the function."""
    draft.example_arn = EXAMPLES["SQS"]
    subscription = values["SqsSubscription"]
    if isinstance(subscription, dict):
        draft.parameters["EventSourceArn"] = subscription.get("QueueArn")
        draft.parameters["BatchSize"] = subscription.get("BatchSize", NOTIFIED_BATCH)
        draft.parameters["Enabled"] = subscription.get("Enabled", True)
        return
    fifo = ".fifo" if str(sketch_of(values.get("Topic"))).endswith(".fifo") else ""
    queue = f"{draft.name.removesuffix('-' + event)}{event}Queue{fifo}"
    region, account = resolver.pseudo(REGION), resolver.pseudo(ACCOUNT)
    named = Hole.of(queue, f"the queue {queue}, which SAM creates and the stack names")
    draft.parameters["EventSourceArn"] = join(
        ["arn:", resolver.pseudo(PARTITION), ":sqs:", region, ":", account, ":", named]
    )
    draft.parameters["BatchSize"] = NOTIFIED_BATCH


def _run_here(function: Resource, properties: Node, resolver: "Resolver", found: Findings) -> None:
    """An entry of type `runtime` with the function's own code, under the name that the drafts use."""
    drafts = [draft for draft in found.drafts if draft.title.startswith(f"Resources.{function.logical_id}.")]
    values = {
        key: resolver.value(node)
        for key in ("Runtime", "Handler", "CodeUri", "Timeout", "MemorySize", "ReservedConcurrentExecutions")
        if (node := properties.get(key)) is not None
    }
    place = function.node.place
    runtime, code = str(values.get("Runtime", "")), values.get("CodeUri")
    if not runtime.startswith(("python", "provided")):
        found.remarks.append(Remark(place, f"{function.logical_id}: {runtime or 'an image'} is not run here"))
        return
    if not isinstance(code, str) or "://" in code or not Path(function.node.origin.directory / code).is_dir():
        found.remarks.append(Remark(place, f"{function.logical_id}: CodeUri is no folder of this machine"))
        return
    entry: dict[str, Any] = {"type": "runtime", "code": str(function.node.origin.directory / code)}
    if runtime.startswith("python"):
        entry["handler"] = values.get("Handler")
    named = {"timeout_seconds": "Timeout", "memory_size": "MemorySize", "concurrency": "ReservedConcurrentExecutions"}
    entry |= {key: values[name] for key, name in named.items() if name in values and not has_hole(values[name])}
    variables = properties.get("Environment")
    written = variables.get("Variables") if variables is not None else None
    held = resolver.value(written) if written is not None and isinstance(written.value, dict) else {}
    entry["environment"] = {key: str(value) for key, value in held.items() if not has_hole(value)}
    for key in held.keys() - entry["environment"].keys():
        found.remarks.append(Remark(place, f"{function.logical_id}: the variable {key} is not known; add it"))
    found.functions[function.logical_id] = entry
    for draft in drafts:
        draft.parameters["FunctionName"] = function.logical_id
