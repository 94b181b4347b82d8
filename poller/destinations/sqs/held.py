"""The invocation records that a queue holds, for a redrive of what they name."""

from typing import Any

from poller.aws.port import Operation, Transport
from poller.policy.beside import Amount
from poller.ports.destination import Held
from poller.support import codec

RECEIVE = Operation("sqs", "ReceiveMessage", "AmazonSQS.ReceiveMessage", timeout=15.0)
DELETE = Operation("sqs", "DeleteMessage", "AmazonSQS.DeleteMessage", timeout=15.0)
CHANGE = Operation("sqs", "ChangeMessageVisibility", "AmazonSQS.ChangeMessageVisibility", timeout=15.0)
ATTRIBUTES = Operation("sqs", "GetQueueAttributes", "AmazonSQS.GetQueueAttributes", timeout=15.0)
WAIT_SECONDS = 1
COUNT = "ApproximateNumberOfMessages"
"""Of those that can be received."""


class HeldInQueue:
    """Implements `poller.ports.destination.HoldsRecords`."""

    def __init__(self, arn: str, transport: Transport, queue_url: str, visibility: int) -> None:
        """`queue_url` as of `SqsDestination`. What is received stays invisible for `visibility` seconds."""
        self.name = arn.rpartition(":")[2]
        self._transport = transport
        self._queue = {"QueueUrl": queue_url}
        self._visibility = visibility

    async def amount(self) -> Amount:
        request = self._queue | {"AttributeNames": [COUNT]}
        answer = codec.loads((await self._transport.call(ATTRIBUTES, codec.dumps(request))).body)
        return Amount(int(answer["Attributes"][COUNT]), "invocation record", "about")

    async def next(self) -> Held | None:
        request: dict[str, Any] = {"MaxNumberOfMessages": 1, "WaitTimeSeconds": WAIT_SECONDS}
        request |= {"VisibilityTimeout": self._visibility, "AttributeNames": ["SentTimestamp"]}
        answer = codec.loads((await self._transport.call(RECEIVE, codec.dumps(self._queue | request))).body or b"{}")
        messages = answer.get("Messages")
        if not messages:
            return None
        (message,) = messages
        sent = (message.get("Attributes") or {}).get("SentTimestamp")
        return Held(
            message["MessageId"],
            message["ReceiptHandle"],
            _record(message.get("Body", "")),
            sent and float(sent) / 1000,
        )

    async def done(self, held: Held) -> None:
        await self._transport.call(DELETE, codec.dumps(self._queue | {"ReceiptHandle": held.handle}))

    async def give_back(self, held: Held) -> None:
        request = self._queue | {"ReceiptHandle": held.handle, "VisibilityTimeout": 0}
        await self._transport.call(CHANGE, codec.dumps(request))


def _record(body: str) -> dict[str, Any]:
    """Empty where the message is no JSON object."""
    try:
        record = codec.loads(body.encode())
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}
