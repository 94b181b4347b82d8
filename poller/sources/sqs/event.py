"""The event a function sees for a batch of SQS messages: members, order and types as Lambda's."""

import re
from collections.abc import Callable, Sequence

from poller.sources.sqs.message import event_of, trace_header_of
from poller.sources.sqs.queue import QueueName
from poller.support import codec
from poller.values.record import Record

_TRACE = re.compile(r"[\x20-\x7e]{1,500}")
"""What is fit for a header. The service checks it too, others may not."""

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
    trace = trace_header_of(records[0].item)
    if not isinstance(trace, str) or not _TRACE.fullmatch(trace):
        return None
    return trace if all(trace_header_of(record.item) == trace for record in records) else None


def encoder(name: QueueName) -> Callable[[Sequence[Record]], bytes]:
    """Makes `encode(records)`, one pass from raw messages to the event's bytes."""
    arn, region = name.arn, name.region

    def encode(records: Sequence[Record]) -> bytes:
        return codec.dumps({"Records": [event_of(record.item, arn, region) for record in records]})

    return encode
