"""What a mapping of a Kinesis stream may say: the ARN, parameters and the checks between them, permissions."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from poller.sources.sharded import parameters as sharded
from poller.values.arns import Arn, EventSource, event_source
from poller.values.permissions import Grant

if TYPE_CHECKING:
    from poller.configuration.model.aws import AwsSettings
    from poller.configuration.model.mapping import EventSourceMapping
    from poller.configuration.model.mapping_keys import WrittenMapping
    from poller.sources.kind import Finding

SERVICE = "kinesis"
"""The SDK's name of it."""
TITLE = "a Kinesis stream"
TAKES = sharded.TAKES | {"starting_position_timestamp"}
OWN = sharded.OWN | {"deaggregate"}
INSTEAD = sharded.INSTEAD

_NOT_PUSHED = {
    "deaggregate": "is for polled streams: with a consumer (enhanced fan-out) aggregates are always taken apart",
    "poll_interval_seconds": "is for polled streams: to a consumer (enhanced fan-out) records are pushed",
    "idle_poll_interval_seconds": "is for polled streams: to a consumer (enhanced fan-out) records are pushed",
}
_ACTIONS = ("kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards")
PUSH_ACTION = "kinesis:SubscribeToShard"
_STREAM = re.compile(r"stream/[A-Za-z0-9_.-]{1,128}")
_CONSUMER = re.compile(r"stream/[A-Za-z0-9_.-]{1,128}/consumer/[A-Za-z0-9_.-]{1,128}:\d+")


def read_arn(arn: Arn) -> EventSource:
    """Raises ValueError."""
    if "/consumer/" in arn.resource:
        if not _CONSUMER.fullmatch(arn.resource):
            raise ValueError(
                "does not end in stream/NAME/consumer/CONSUMER:CREATED; write the ARN that RegisterStreamConsumer gave"
            )
    elif not _STREAM.fullmatch(arn.resource):
        raise ValueError("does not end in stream/NAME")
    return event_source(arn, kind="kinesis", service=SERVICE)


def grants(mapping: "EventSourceMapping") -> Iterator[Grant]:
    source = mapping.source
    yield Grant("Streams", _ACTIONS, source.stream_arn)
    if source.fan_out:
        # beside reading the stream, which tells how far its retention has come when a batch is retried for long
        yield Grant("Consumers", (PUSH_ACTION,), source.arn)


def cross_check(written: "WrittenMapping", source: EventSource) -> Iterator["Finding"]:
    """Parameters that cannot stand together."""
    yield from sharded.cross_check(written, TITLE, ("TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"))
    if source.fan_out:
        for parameter, reason in _NOT_PUSHED.items():
            if parameter in written.model_fields_set:
                yield (parameter,), f"{reason}; remove it"


def cross_check_aws(source: EventSource, aws: "AwsSettings") -> Iterator["Finding"]:
    """Only the lean transport can subscribe."""
    if source.fan_out and aws.transport != "lean":
        reason = f"names a consumer (enhanced fan-out), which aws.transport {aws.transport} cannot subscribe with"
        yield ("event_source_arn",), f"{reason}; use transport: lean, or name the stream itself"
