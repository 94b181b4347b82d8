"""What a mapping of a DynamoDB stream may say: the ARN, parameters and the checks between them, permissions."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from poller.sources.sharded import parameters as sharded
from poller.values.arns import Arn, EventSource, event_source
from poller.values.permissions import Grant

if TYPE_CHECKING:
    from poller.configuration.model.mapping import EventSourceMapping
    from poller.configuration.model.mapping_keys import WrittenMapping
    from poller.sources.kind import Finding

SERVICE = "dynamodbstreams"
"""The SDK's name of it."""
TITLE = "a DynamoDB stream"
TAKES = sharded.TAKES
OWN = sharded.OWN
INSTEAD = sharded.INSTEAD | {"starting_position_timestamp": "use TRIM_HORIZON or LATEST"}

_ACTIONS = ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator")
_TABLE = re.compile(r"table/[A-Za-z0-9_.-]{1,255}(?:/stream/(?P<label>[^/]+))?")


def read_arn(arn: Arn) -> EventSource:
    """Raises ValueError."""
    found = _TABLE.fullmatch(arn.resource)
    if found is None:
        raise ValueError("does not end in table/NAME/stream/LABEL")
    if found["label"] is None:
        raise ValueError(
            "is the ARN of a table; write that of its stream, which ends in /stream/LABEL (the table's LatestStreamArn)"
        )
    return event_source(arn, kind="dynamodb", service=SERVICE)


def grants(mapping: "EventSourceMapping") -> Iterator[Grant]:
    yield Grant("Tables", _ACTIONS, mapping.source.arn)


def cross_check(written: "WrittenMapping", _source: EventSource) -> Iterator["Finding"]:
    """Parameters that cannot stand together."""
    yield from sharded.cross_check(written, TITLE, ("TRIM_HORIZON", "LATEST"))
