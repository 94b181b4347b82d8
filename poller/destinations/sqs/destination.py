"""An SQS queue as on-failure destination: the invocation record is the message's body."""

from typing import Any

from poller.aws.port import Operation, Transport
from poller.support import codec

BESIDE = "poller"
"""The attribute of a message beside whose event a text is kept."""
SEND = Operation("sqs", "SendMessage", "AmazonSQS.SendMessage", timeout=15.0)


class SqsDestination:
    """A standard queue. What is sent twice because an answer was lost is told twice: better than not at all."""

    def __init__(self, arn: str, transport: Transport, queue_url: str) -> None:
        """`queue_url` is a body field only: the host that is called is the transport's."""
        self.name = arn
        self._transport = transport
        self._queue_url = queue_url

    async def send(self, record: dict[str, Any], *, batch_event: bytes, shard_id: str, now: float) -> None:  # noqa: ARG002 - metadata only
        body = codec.dumps(record).decode()
        await self._transport.call(SEND, codec.dumps({"QueueUrl": self._queue_url, "MessageBody": body}))


class SqsEventQueue:
    """A standard queue that keeps events. What is put twice because an answer was lost is invoked twice."""

    def __init__(self, arn: str, transport: Transport, queue_url: str) -> None:
        """`queue_url` as of `SqsDestination`."""
        self.name = arn
        self._transport = transport
        self._queue_url = queue_url

    async def put(self, event: str, *, beside: str, delay: int = 0) -> None:
        attribute = {"DataType": "String", "StringValue": beside}
        message: dict[str, Any] = {"QueueUrl": self._queue_url, "MessageBody": event, "DelaySeconds": delay}
        await self._transport.call(SEND, codec.dumps(message | {"MessageAttributes": {BESIDE: attribute}}))
