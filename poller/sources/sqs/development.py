"""Queues for developers: an event to look at, a queue to create, a message to send."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

from poller.sources.kind import Call
from poller.sources.sqs.event import encoder
from poller.sources.sqs.queue import QueueName
from poller.values.arns import EventSource
from poller.values.errors import ServiceError
from poller.values.record import Record

SENT = "1700000000000"
"""Milliseconds since the epoch, in samples."""
SHORT_TIMEOUT = "30"
"""Seconds that a failed message of a new queue stays invisible."""


class QueueDevelopment:
    """See `Development`."""

    example = "arn:aws:sqs:us-east-1:123456789012:orders"
    named_by = 'record["messageId"]'

    def event(self, source: EventSource, payloads: Sequence[str]) -> bytes:
        name = QueueName(source.arn, "", source.region, source.fifo)
        records = [Record(_message(number, payload), str(number)) for number, payload in enumerate(payloads, 1)]
        return encoder(name)(records)

    def identifier(self, record: Mapping[str, Any]) -> str:
        return str(record["messageId"])

    async def create(self, source: EventSource, call: Call) -> str:
        attributes = {"VisibilityTimeout": SHORT_TIMEOUT} | ({"FifoQueue": "true"} if source.fifo else {})
        try:
            await call("sqs", "get_queue_url", QueueName=source.name)
        except ServiceError as error:
            if not error.code.endswith(("NonExistentQueue", "QueueDoesNotExist")):
                raise
            await call("sqs", "create_queue", QueueName=source.name, Attributes=attributes)
        return source.arn

    async def send(self, source: EventSource, payload: str, call: Call) -> str:
        url = (await call("sqs", "get_queue_url", QueueName=source.name))["QueueUrl"]
        group = {"MessageGroupId": "poller-send", "MessageDeduplicationId": str(uuid4())} if source.fifo else {}
        answer = await call("sqs", "send_message", QueueUrl=url, MessageBody=payload, **group)
        return f"message {answer.get('MessageId')}"


def _message(number: int, body: str) -> dict[str, Any]:
    return {
        "MessageId": str(uuid5(NAMESPACE_URL, f"poller:sample:{number}")),
        "ReceiptHandle": f"sample-{number}",
        "Body": body,
        "MD5OfBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
        "Attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": SENT,
            "SenderId": "AIDAEXAMPLE",
            "ApproximateFirstReceiveTimestamp": SENT,
        },
    }
