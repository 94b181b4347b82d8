"""ARNs of sources and names of functions, taken apart. Knows their grammar only; no service is asked."""

import re
from dataclasses import dataclass

from poller.values.partitions import partition_of

SOURCE_KINDS = {"sqs": "sqs", "kinesis": "kinesis", "dynamodb": "dynamodb", "rds": "documentdb"}
"""The service part of an event source ARN, to the kind of source."""
SUPPORTED_KINDS = frozenset({"sqs", "kinesis", "dynamodb"})
SDK_SERVICES = {"dynamodb": "dynamodbstreams"}
"""Where the SDK's name of what is called is not that of the ARN."""

_ARN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):(?P<service>[a-z0-9-]+):(?P<region>[a-z0-9-]*):(?P<account>\d*):(?P<resource>.+)"
)
_STREAM = re.compile(r"stream/[A-Za-z0-9_.-]{1,128}")
_CONSUMER = re.compile(r"stream/[A-Za-z0-9_.-]{1,128}/consumer/[A-Za-z0-9_.-]{1,128}:\d+")
_TABLE = re.compile(r"table/[A-Za-z0-9_.-]{1,255}(?:/stream/(?P<label>[^/]+))?")
_DESTINATION = re.compile(
    r"arn:aws[a-z-]*:(?:(?P<service>sqs|sns):[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}(?P<fifo>\.fifo)?"
    r"|s3:::[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])"
)
_QUEUE = re.compile(r"[A-Za-z0-9_-]{1,75}\.fifo|[A-Za-z0-9_-]{1,80}")
# After FunctionName in the API model of CreateEventSourceMapping, which would also take `NAME:ALIAS` apart as
# `REGION:NAME`; a region stands in whole ARNs only.
_FUNCTION = re.compile(
    r"(?:arn:aws[a-z-]*:lambda:(?P<region>[a-z0-9-]+):(?P<owner>\d{12}):function:|(?P<account>\d{12}):(?:function:)?)?"
    r"(?P<name>[A-Za-z0-9_-]+)(?::(?P<qualifier>\$LATEST(?:\.PUBLISHED)?|[A-Za-z0-9_-]+))?"
)
_URL = re.compile(r"[a-z0-9+.-]+://", re.IGNORECASE)
_QUEUE_URL = re.compile(
    r"https?://(?:sqs(?:-fips)?\.(?P<region>[a-z0-9-]+)\.|(?:(?P<former>[a-z0-9-]+)\.)?queue\.)?"
    r"(?:[^/]*?)(?P<china>\.com\.cn)?(?::\d+)?/(?:[^/]+/)*?(?P<account>\d{12})/(?P<name>[A-Za-z0-9_.-]+)/?"
)
_BUCKET_URL = re.compile(r"s3://([a-z0-9.-]+)(?:/.*)?")
_NAME_MOST = 64
"""Characters of a Lambda function's bare name."""


@dataclass(frozen=True, slots=True)
class EventSource:
    """What an event source ARN says."""

    arn: str
    kind: str
    """`sqs`, `kinesis`, `dynamodb`, later `documentdb`."""
    service: str
    """The SDK's name of it."""
    region: str
    account: str
    name: str
    """Of the queue, stream or cluster."""
    fifo: bool = False

    @property
    def stream_arn(self) -> str:
        """Of what is read: a stream's consumer names its stream."""
        return self.arn.partition("/consumer/")[0]

    @property
    def fan_out(self) -> bool:
        """Whether it is a consumer of a stream, which records are pushed to."""
        return self.stream_arn != self.arn


def parse_source(arn: str) -> EventSource:
    """Raises ValueError for what is no event source we know; one of a kind that is not supported is returned."""
    found = _ARN.fullmatch(arn)
    if found is None:
        raise ValueError(f"is not an ARN such as arn:aws:sqs:eu-west-1:123456789012:orders{instead_of_url(arn)}")
    service, region, account, resource = found["service"], found["region"], found["account"], found["resource"]
    kind = SOURCE_KINDS.get(service)
    if kind is None:
        known = ", ".join(service for service, kind in SOURCE_KINDS.items() if kind in SUPPORTED_KINDS)
        raise ValueError(f"is an ARN of {service!r}, which is not an event source here; it can be one of {known}")
    if not region or not account:
        whole = f"arn:{found['partition']}:{service}:{region or 'REGION'}:{account or 'ACCOUNT'}:{resource}"
        raise ValueError(f"names no region or no account; write the whole ARN, {whole}")
    if kind == "sqs" and not _QUEUE.fullmatch(resource):
        raise ValueError("does not end in a queue's name (letters, digits, - and _, at most 80)")
    if kind == "kinesis":
        _check_stream(resource)
    if kind == "dynamodb":
        _check_table(resource)
    service = SDK_SERVICES.get(service, service)
    return EventSource(arn, kind, service, region, account, _resource_name(resource), resource.endswith(".fifo"))


def instead_of_url(written: str) -> str:
    """What to write instead of a queue's URL or a bucket's, to append to a refusal; nothing if it is none of them."""
    bucket = _BUCKET_URL.fullmatch(written)
    if bucket is not None:
        return f"; that is a bucket's URL: write arn:aws:s3:::{bucket[1]}"
    queue = _QUEUE_URL.fullmatch(written)
    if queue is None:
        return "; that is a URL" if _URL.match(written) else ""
    region = queue["region"] or queue["former"] or "REGION"
    partition = partition_of(region)
    return f"; that is a queue's URL: write arn:{partition}:sqs:{region}:{queue['account']}:{queue['name']}"


def _check_stream(resource: str) -> None:
    if "/consumer/" in resource:
        if not _CONSUMER.fullmatch(resource):
            raise ValueError(
                "does not end in stream/NAME/consumer/CONSUMER:CREATED; write the ARN that RegisterStreamConsumer gave"
            )
    elif not _STREAM.fullmatch(resource):
        raise ValueError("does not end in stream/NAME")


def _check_table(resource: str) -> None:
    found = _TABLE.fullmatch(resource)
    if found is None:
        raise ValueError("does not end in table/NAME/stream/LABEL")
    if found["label"] is None:
        raise ValueError(
            "is the ARN of a table; write that of its stream, which ends in /stream/LABEL (the table's LatestStreamArn)"
        )


def check_destination(arn: str) -> None:
    """Raises ValueError for what cannot be told of records given up."""
    if arn.startswith("kafka://"):
        raise ValueError("is for Kafka mappings only; name an SQS queue, an SNS topic or an S3 bucket")
    found = _DESTINATION.fullmatch(arn)
    if found is None:
        raise ValueError(f"must be the ARN of an SQS queue, an SNS topic or an S3 bucket{instead_of_url(arn)}")
    if found["fifo"]:
        raise ValueError("is a FIFO queue or topic, which cannot be a destination, as in Lambda; name a standard one")


def check_forward(arn: str, source: EventSource) -> None:
    """Raises ValueError for what cannot take the messages of a queue as they are."""
    try:
        target = parse_source(arn)
    except ValueError:
        target = None
    if target is None or target.kind != "sqs":
        example = "arn:aws:sqs:eu-west-1:123456789012:unmatched"
        raise ValueError(f"must be the ARN of an SQS queue, such as {example}{instead_of_url(arn)}")
    if target.arn == source.arn:
        raise ValueError("is the queue itself, in which its messages would go round for ever; name another queue")
    if target.fifo and not source.fifo:
        raise ValueError("is a FIFO queue, and messages of a standard queue have no group; name a standard one")


def _resource_name(resource: str) -> str:
    """`stream/clicks/consumer/c:1` is the stream clicks, `table/t/stream/…` the table t, `cluster:c` the cluster c."""
    parts = re.split(r"[/:]", resource)
    return parts[1] if len(parts) > 1 else parts[0]


@dataclass(frozen=True, slots=True)
class FunctionName:
    """A Lambda function as written: name, partial ARN or ARN, each with an optional version or alias."""

    written: str
    name: str
    """Bare name."""
    qualifier: str | None = None
    account: str | None = None
    region: str | None = None

    @property
    def unqualified(self) -> str:
        """What the Invoke API takes as FunctionName when the qualifier is given apart."""
        return self.written.removesuffix(f":{self.qualifier}") if self.qualifier else self.written


def parse_function_name(written: str) -> FunctionName:
    """Raises ValueError."""
    found = _FUNCTION.fullmatch(written)
    if found is None or len(found["name"]) > _NAME_MOST:
        if _URL.match(written):
            raise ValueError("is a URL; define a function of type function_url or http with it, under functions")
        raise ValueError(
            "is neither a function's name (NAME), nor a partial ARN (ACCOUNT:function:NAME), nor an ARN "
            "(arn:aws:lambda:REGION:ACCOUNT:function:NAME), each with an optional :VERSION or :ALIAS"
        )
    return FunctionName(written, found["name"], found["qualifier"], found["account"] or found["owner"], found["region"])
