"""The demo's AWS resources: a queue with a dead-letter queue, functions, and the producer of orders."""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from poller.demo import functions, orders, streams
from poller.demo.local_aws import ACCOUNT, CREDENTIALS, REGION
from poller.demo.streams import Feed
from poller.values.errors import EnvironmentProblem

QUEUE = "orders"
DEAD_LETTER_QUEUE = "orders-dead-letter"
VISIBILITY_TIMEOUT = 1
"""Seconds after which a failed order is received again; a real queue's is longer than its function runs."""
BATCH = 10
"""Most entries of one SendMessageBatch."""


@dataclass(frozen=True, slots=True)
class Depth:
    """Messages in the queues at one moment."""

    visible: int = 0
    hidden: int = 0
    """Received and not deleted: in flight, or failed and not visible again yet."""
    dead: int = 0

    @property
    def left(self) -> int:
        """Messages that the queue itself still holds."""
        return self.visible + self.hidden


@asynccontextmanager
async def opened(url: str, folder: Path) -> AsyncIterator[tuple["Shop", list[Feed]]]:
    """Create everything; AWS calls that fail inside the context become EnvironmentProblem.

    Each function writes its ledger in `folder`, see `functions.ledger_of`.
    """
    config = AioConfig(max_pool_connections=4, connect_timeout=5, read_timeout=20)
    session = get_session()
    try:
        async with AsyncExitStack() as stack:
            sqs, lambdas, kinesis, dynamodb = [
                await stack.enter_async_context(
                    session.create_client(
                        service,
                        region_name=REGION,
                        endpoint_url=url,
                        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
                        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
                        config=config,
                    )
                )
                for service in ("sqs", "lambda", "kinesis", "dynamodb")
            ]
            feeds = await streams.create(kinesis, dynamodb, sqs)
            await functions.deploy(lambdas, names_of(feeds), folder)
            yield await _create_queues(sqs), feeds
    except (BotoCoreError, ClientError) as error:
        raise EnvironmentProblem(f"the local AWS failed: {error}") from error


class Shop:
    """Produces orders, and looks into the queues."""

    def __init__(self, sqs: Any, queue: str, dead_letter_queue: str) -> None:
        self._sqs = sqs
        self._queue = queue
        self._dead_letter_queue = dead_letter_queue
        self.produced: set[int] = set()
        """Numbers of the orders that the queue has accepted."""

    async def order(self, upto: int) -> None:
        """Send the orders after the last one, up to number `upto`."""
        numbers = range(len(self.produced) + 1, upto + 1)
        for start in range(0, len(numbers), BATCH):
            await self._send(numbers[start : start + BATCH])

    async def _send(self, numbers: range) -> None:
        left = list(numbers)
        while left:
            entries = [{"Id": str(number), "MessageBody": orders.body(number)} for number in left]
            answer = await self._sqs.send_message_batch(QueueUrl=self._queue, Entries=entries)
            taken = {int(entry["Id"]) for entry in answer.get("Successful", [])}
            self.produced |= taken
            left = [number for number in left if number not in taken]

    async def depth(self) -> Depth:
        """Ask both queues."""
        visible, hidden = await self._counts(self._queue)
        dead, dead_hidden = await self._counts(self._dead_letter_queue)
        return Depth(visible, hidden, dead + dead_hidden)

    async def _counts(self, url: str) -> tuple[int, int]:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = await self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)
        return int(answer["Attributes"][names[0]]), int(answer["Attributes"][names[1]])

    async def dead_letters(self) -> list[int]:
        """Receive everything in the dead-letter queue, and return the numbers of its orders."""
        found: list[int] = []
        while True:
            answer = await self._sqs.receive_message(QueueUrl=self._dead_letter_queue, MaxNumberOfMessages=BATCH)
            messages = answer.get("Messages", [])
            if not messages:
                return found
            found += [json.loads(message["Body"])["order"] for message in messages]


async def _create_queues(sqs: Any) -> Shop:
    # messages received from the dead-letter queue stay hidden, so that each is counted once
    hidden = {"VisibilityTimeout": "3600"}
    dead_letter_queue = (await sqs.create_queue(QueueName=DEAD_LETTER_QUEUE, Attributes=hidden))["QueueUrl"]
    redrive = {"deadLetterTargetArn": queue_arn(DEAD_LETTER_QUEUE), "maxReceiveCount": orders.MOST_RECEIVES}
    attributes = {"VisibilityTimeout": str(VISIBILITY_TIMEOUT), "RedrivePolicy": json.dumps(redrive)}
    queue = (await sqs.create_queue(QueueName=QUEUE, Attributes=attributes))["QueueUrl"]
    return Shop(sqs, queue, dead_letter_queue)


def names_of(feeds: Iterable[Feed]) -> list[str]:
    """Return the names of all functions."""
    return [functions.FUNCTION, *(functions.COUNTER + feed.name for feed in feeds)]


def queue_arn(name: str) -> str:
    """Return the ARN of one of the demo's queues."""
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
