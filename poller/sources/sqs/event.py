"""The event a function sees for a batch of SQS messages: members, order and types as Lambda's."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from poller.policy.filtering import Filter, Verdict
from poller.sources.sqs.queue import QueueName
from poller.support import codec
from poller.values.record import Record

ATTRIBUTE_ORDER = (
    "ApproximateReceiveCount",
    "AWSTraceHeader",
    "SentTimestamp",
    "SequenceNumber",
    "MessageGroupId",
    "SenderId",
    "MessageDeduplicationId",
    "ApproximateFirstReceiveTimestamp",
    "DeadLetterQueueSourceArn",
)
"""Of `attributes`, as Lambda writes them; what it does not know follows."""

_TRACE = re.compile(r"[\x20-\x7e]{1,500}")
"""What is fit for a header. The service checks it too, others may not."""

NOT_PASSED_ON = "SqsManagedSseEnabled"

ADDED_PER_RECORD = 512
"""An upper bound, in bytes, of what a record's event has beyond the message's own JSON, the queue's ARN apart."""
ADDED_PER_ATTRIBUTE = 64
"""Likewise for each message attribute; a message has ten at most."""


def bound_of(size: int, messages: int, name: QueueName) -> int:
    """No selection of the messages of a receive makes more bytes of an event than this. `size`: its answer's length."""
    return size + messages * (ADDED_PER_RECORD + 10 * ADDED_PER_ATTRIBUTE + len(name.arn))


def bound_of_some(records: Sequence[Record], name: QueueName) -> int:
    """The same for a few messages of a receive, whose other ones would make the bound needlessly loose."""
    return bound_of(len(codec.dumps([record.item for record in records])), len(records), name)


def trace_of(records: Sequence[Record]) -> str | None:
    """What AWSTraceHeader says, if all messages say the same. Costs one look where the first has none."""
    attributes = records[0].item.get("Attributes")
    trace = None if attributes is None else attributes.get("AWSTraceHeader")
    if not isinstance(trace, str) or not _TRACE.fullmatch(trace):
        return None
    return trace if all(_trace(record) == trace for record in records) else None


def _trace(record: Record) -> str | None:
    header: str | None = (record.item.get("Attributes") or {}).get("AWSTraceHeader")
    return header


def encoder(name: QueueName) -> Callable[[Sequence[Record]], bytes]:
    """Makes `encode(records)`, one pass from raw messages to the event's bytes."""
    arn, region = name.arn, name.region

    def encode(records: Sequence[Record]) -> bytes:
        return codec.dumps({"Records": [_event(record.item, arn, region) for record in records]})

    return encode


def judge(criteria: Filter, name: QueueName) -> Callable[[Mapping[str, Any]], Verdict]:
    """Makes what says of a raw message whether it passes, preparing no more of it than the patterns look at."""
    arn, region, match = name.arn, name.region, criteria.match
    if criteria.needs_view:
        return lambda message: match(_event(message, arn, region), message["Body"])
    return lambda message: match({}, message["Body"])


def _event(message: Mapping[str, Any], arn: str, region: str) -> dict[str, Any]:
    if "MessageAttributes" in message or "MD5OfMessageAttributes" in message:
        return _event_with_attributes(message, arn, region)
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": _system_attributes(message.get("Attributes") or {}),
        "messageAttributes": {},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": region,
    }


def _event_with_attributes(message: Mapping[str, Any], arn: str, region: str) -> dict[str, Any]:
    attributes = message.get("MessageAttributes") or {}
    event = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": _system_attributes(message.get("Attributes") or {}),
        "messageAttributes": {key: _attribute(value) for key, value in attributes.items()},
    }
    if "MD5OfMessageAttributes" in message:
        event["md5OfMessageAttributes"] = message["MD5OfMessageAttributes"]
    return event | {
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": region,
    }


def _system_attributes(given: Mapping[str, str]) -> dict[str, str]:
    if len(given) == 4:
        # what every message of a standard queue has: written out, because it is a third of the cost of an event
        try:
            return {
                "ApproximateReceiveCount": given["ApproximateReceiveCount"],
                "SentTimestamp": given["SentTimestamp"],
                "SenderId": given["SenderId"],
                "ApproximateFirstReceiveTimestamp": given["ApproximateFirstReceiveTimestamp"],
            }
        except KeyError:
            pass
    ordered = {key: given[key] for key in ATTRIBUTE_ORDER if key in given}
    if len(ordered) != len(given):
        ordered |= {key: value for key, value in given.items() if key not in ordered and key != NOT_PASSED_ON}
    return ordered


def _attribute(given: Mapping[str, Any]) -> dict[str, Any]:
    event: dict[str, Any] = {}
    if "StringValue" in given:
        event["stringValue"] = given["StringValue"]
    if "BinaryValue" in given:
        event["binaryValue"] = given["BinaryValue"]
    event["stringListValues"] = []
    event["binaryListValues"] = []
    event["dataType"] = given["DataType"]
    return event
