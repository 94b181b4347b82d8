"""Looks whether a queue exists, for `poller check --connect`; sending needs no permission for it."""

from poller.aws.port import Operation, Transport
from poller.support import codec

ATTRIBUTES = Operation("sqs", "GetQueueAttributes", "AmazonSQS.GetQueueAttributes", timeout=15.0)


async def look(transport: Transport, queue_url: str) -> None:
    """Raises CallError."""
    await transport.call(ATTRIBUTES, codec.dumps({"QueueUrl": queue_url, "AttributeNames": ["VisibilityTimeout"]}))
