"""What `Ref` and `Fn::GetAtt` give for the resources that mappings name, as far as a template tells."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from poller.configuration.reading.tree import Node
from poller.importers.draft import Hole, join

Resolve = Callable[[Node], Any]
PARTITION, REGION, ACCOUNT = "AWS::Partition", "AWS::Region", "AWS::AccountId"
LABEL = "1970-01-01T00:00:00.000"
"""In the place of the label of a table's stream, which is the time of its creation."""


@dataclass(frozen=True, slots=True)
class ResourceType:
    """One type of resource. Texts are formats with the fields `p`, `r`, `a` (partition, region, account) and `name`."""

    title: str
    name_key: str
    """The property that names it."""
    ref: str
    attributes: dict[str, str]
    unknown: dict[str, str]
    """Attributes that no template tells, with the reason."""


_QUEUE_ARN = "arn:{p}:sqs:{r}:{a}:{name}"
_TOPIC_ARN = "arn:{p}:sns:{r}:{a}:{name}"
_STREAM_ARN = "arn:{p}:kinesis:{r}:{a}:stream/{name}"
_TABLE_ARN = "arn:{p}:dynamodb:{r}:{a}:table/{name}"
_FUNCTION_ARN = "arn:{p}:lambda:{r}:{a}:function:{name}"
_CLUSTER_ARN = "arn:{p}:rds:{r}:{a}:cluster:{name}"
_LABELLED = {"StreamArn": "the ARN of a table's stream ends in the time of its creation"}


def _table() -> ResourceType:
    attributes = {"Arn": _TABLE_ARN, "StreamArn": f"{_TABLE_ARN}/stream/{LABEL}"}
    return ResourceType("table", "TableName", "{name}", attributes, _LABELLED)


_FUNCTION = ResourceType("function", "FunctionName", "{name}", {"Arn": _FUNCTION_ARN}, {})
TYPES: dict[str, ResourceType] = {
    "AWS::SQS::Queue": ResourceType(
        "queue",
        "QueueName",
        "https://sqs.{r}.amazonaws.com/{a}/{name}",
        {"Arn": _QUEUE_ARN, "QueueName": "{name}", "QueueUrl": "https://sqs.{r}.amazonaws.com/{a}/{name}"},
        {},
    ),
    "AWS::SNS::Topic": ResourceType(
        "topic", "TopicName", _TOPIC_ARN, {"TopicArn": _TOPIC_ARN, "TopicName": "{name}"}, {}
    ),
    "AWS::S3::Bucket": ResourceType("bucket", "BucketName", "{name}", {"Arn": "arn:{p}:s3:::{name}"}, {}),
    "AWS::Kinesis::Stream": ResourceType("stream", "Name", "{name}", {"Arn": _STREAM_ARN}, {}),
    "AWS::DynamoDB::Table": _table(),
    "AWS::DynamoDB::GlobalTable": _table(),
    "AWS::Serverless::SimpleTable": _table(),
    "AWS::Lambda::Function": _FUNCTION,
    "AWS::Serverless::Function": _FUNCTION,
    "AWS::DocDB::DBCluster": ResourceType("cluster", "DBClusterIdentifier", "{name}", {"ClusterArn": _CLUSTER_ARN}, {}),
}
LOWER = frozenset({"bucket", "cluster"})
"""What has a name in lower-case letters only."""
CONSUMER, ALIAS, VERSION = "AWS::Kinesis::StreamConsumer", "AWS::Lambda::Alias", "AWS::Lambda::Version"


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of the template."""

    logical_id: str
    type: str
    node: Node
    properties: Node


def resource_of(logical_id: str, node: Node) -> Resource:
    """Whatever is written there; a resource without a type has the empty one."""
    kind = node.get("Type")
    properties = node.get("Properties")
    typed = kind.value if kind is not None and isinstance(kind.value, str) else ""
    held = properties if properties is not None and isinstance(properties.value, dict) else Node({}, node.origin)
    return Resource(logical_id, typed, node, held)


def attribute(resource: Resource, name: str | None, resolve: Resolve, pseudo: Callable[[str], Any]) -> Any:
    """`Ref` where `name` is None, else `Fn::GetAtt`; a hole for what only the deployed stack knows."""
    if resource.type == CONSUMER:
        return _consumer(resource, resolve)
    if resource.type == ALIAS:
        return _qualified(resource, "Name", resolve)
    if resource.type == VERSION:
        function = _qualified(resource, "", resolve)
        return join([function, ":", Hole.of("1", f"the number of the version {resource.logical_id}")])
    kind = TYPES.get(resource.type)
    shown = resource.logical_id if name is None else f"{resource.logical_id}.{name}"
    form = None if kind is None else kind.ref if name is None else kind.attributes.get(name)
    if kind is None or form is None:
        return Hole.of(resource.logical_id, f"{shown} ({resource.type or 'no type'}) is known once it is deployed")
    made = _filled(form, _name_of(resource, kind, resolve), pseudo)
    if name in kind.unknown:
        return join([made, Hole.of("", f"{shown}: {kind.unknown[name]}")])
    return made


def _name_of(resource: Resource, kind: ResourceType, resolve: Resolve) -> Any:
    written = resource.properties.get(kind.name_key)
    value = None if written is None else resolve(written)
    if value is not None:
        return value
    sketch = resource.logical_id.lower() if kind.title in LOWER else resource.logical_id
    fifo = resource.properties.get("FifoQueue") or resource.properties.get("FifoTopic")
    if fifo is not None and resolve(fifo) in (True, "true"):
        sketch += ".fifo"
    return Hole.of(sketch, f"the {kind.title} {resource.logical_id} has no {kind.name_key}: its stack names it")


def _filled(form: str, name: Any, pseudo: Callable[[str], Any]) -> Any:
    fields = {"{p}": PARTITION, "{r}": REGION, "{a}": ACCOUNT}
    pieces = form.replace("{", "\0{").replace("}", "}\0").split("\0")
    return join(
        [name if piece == "{name}" else pseudo(fields[piece]) if piece in fields else piece for piece in pieces]
    )


def _consumer(resource: Resource, resolve: Resolve) -> Any:
    stream, name = (resource.properties.get(key) for key in ("StreamARN", "ConsumerName"))
    parts = [
        "" if stream is None else resolve(stream),
        "/consumer/",
        resource.logical_id if name is None else resolve(name),
        ":0",
        Hole.of("", f"the ARN of the consumer {resource.logical_id} ends in the time of its creation"),
    ]
    return join(parts)


def _qualified(resource: Resource, key: str, resolve: Resolve) -> Any:
    """A function with an alias of it."""
    function, qualifier = resource.properties.get("FunctionName"), resource.properties.get(key)
    named = Hole.of(resource.logical_id, f"{resource.logical_id} names no function")
    parts = [named if function is None else resolve(function)]
    return join([*parts, ":", resolve(qualifier)] if qualifier is not None else parts)
