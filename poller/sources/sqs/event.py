"""The event a function sees for a batch of SQS messages: members, order and types as Lambda's."""

import re
from collections.abc import Callable, Sequence

from poller.sources.sqs.message import events_of, trace_header_of
from poller.sources.sqs.queue import QueueName
from poller.support import codec
from poller.values.record import Record

_TRACE = re.compile(r"[\x20-\x7e]{1,500}")
"""A value that fits a header. AWS checks it too; compatible services may not."""

ADDED_PER_RECORD = 512
"""An upper bound, in bytes, of what a record's event has beyond the message's own JSON, the queue's ARN apart."""
ADDED_PER_ATTRIBUTE = 64
"""Likewise for each message attribute; a message has ten at most."""


def bound_of(size: int, messages: int, name: QueueName) -> int:
    """The most bytes of an event that any messages of one receive can make. `size`: the length of its answer."""
    return size + messages * (ADDED_PER_RECORD + 10 * ADDED_PER_ATTRIBUTE + len(name.arn))


def bound_of_some(records: Sequence[Record], name: QueueName) -> int:
    """The same for a few messages of a receive: the others would make the bound needlessly loose."""
    return bound_of(len(codec.dumps([record.item for record in records])), len(records), name)


def trace_of(records: Sequence[Record]) -> str | None:
    """The AWSTraceHeader, if all messages have the same. Only the first message is read where it has none."""
    trace = trace_header_of(records[0].item)
    if not isinstance(trace, str) or not _TRACE.fullmatch(trace):
        return None
    return trace if all(trace_header_of(record.item) == trace for record in records) else None


def encoder(name: QueueName) -> Callable[[Sequence[Record]], bytes]:
    """Makes `encode(records)`, one pass from raw messages to the event's bytes."""
    arn, region = name.arn, name.region

    def encode(records: Sequence[Record]) -> bytes:
        return codec.dumps({"Records": events_of(records, arn, region)})

    return encode
