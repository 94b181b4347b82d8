"""The demo's AWS resources: a queue with a dead-letter queue, functions, and somebody who orders."""

import io
import json
import zipfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from poller.demo import orders, streams
from poller.demo.local_aws import ACCOUNT, CREDENTIALS, REGION
from poller.demo.streams import Feed
from poller.errors import EnvironmentProblem

QUEUE = "orders"
DEAD_LETTER_QUEUE = "orders-dead-letter"
FUNCTION = "ship-orders"
COUNTER = "count-"
"""Functions of the streams: followed by the name of what they count."""
HANDLERS = {"ship": "ship_orders", "count": "count"}
"""Modules of the functions, beside this one and in the deployed archives, by the first word of a function's name."""
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
        """What still belongs to the queue itself."""
        return self.visible + self.hidden


@asynccontextmanager
async def opened(url: str, folder: Path) -> AsyncIterator[tuple["Shop", list[Feed]]]:
    """Create everything; AWS calls that fail inside the context become EnvironmentProblem.

    Each function writes its ledger in `folder`, see `ledger_of`.
    """
    config = AioConfig(max_pool_connections=4, connect_timeout=5, read_timeout=20)
    session = get_session()
    try:
        async with AsyncExitStack() as stack:
            sqs, functions, kinesis, dynamodb = [
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
            for name in (FUNCTION, *(COUNTER + feed.name for feed in feeds)):
                await _deploy(functions, name, ledger_of(folder, name))
            yield await _create_queues(sqs), feeds
    except (BotoCoreError, ClientError) as error:
        raise EnvironmentProblem(f"the local AWS failed: {error}") from error


class Shop:
    """Orders things, and looks into the queues."""

    def __init__(self, sqs: Any, queue: str, dead_letter_queue: str) -> None:
        self._sqs = sqs
        self._queue = queue
        self._dead_letter_queue = dead_letter_queue
        self.produced: set[int] = set()
        """Numbers of the orders the queue has taken."""

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
        """Receive all of the dead-letter queue; the numbers of the orders found there."""
        found: list[int] = []
        while True:
            answer = await self._sqs.receive_message(QueueUrl=self._dead_letter_queue, MaxNumberOfMessages=BATCH)
            messages = answer.get("Messages", [])
            if not messages:
                return found
            found += [json.loads(message["Body"])["order"] for message in messages]


async def _create_queues(sqs: Any) -> Shop:
    # what is received from the dead-letter queue is counted once, so it stays hidden
    hidden = {"VisibilityTimeout": "3600"}
    dead_letter_queue = (await sqs.create_queue(QueueName=DEAD_LETTER_QUEUE, Attributes=hidden))["QueueUrl"]
    redrive = {"deadLetterTargetArn": queue_arn(DEAD_LETTER_QUEUE), "maxReceiveCount": orders.MOST_RECEIVES}
    attributes = {"VisibilityTimeout": str(VISIBILITY_TIMEOUT), "RedrivePolicy": json.dumps(redrive)}
    queue = (await sqs.create_queue(QueueName=QUEUE, Attributes=attributes))["QueueUrl"]
    return Shop(sqs, queue, dead_letter_queue)


def ledger_of(folder: Path, function: str) -> Path:
    """Return where a function writes down what it did."""
    return folder / f"{function}.jsonl"


async def _deploy(functions: Any, name: str, ledger: Path) -> None:
    handler = HANDLERS[name.partition("-")[0]]
    source = resources.files("poller.demo.function").joinpath(f"{handler}.py").read_bytes()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as code:
        code.writestr(f"{handler}.py", source)
    await functions.create_function(
        FunctionName=name,
        Runtime="python3.11",
        Role=f"arn:aws:iam::{ACCOUNT}:role/{name}",
        Handler=f"{handler}.handler",
        Timeout=30,
        Code={"ZipFile": archive.getvalue()},
        Environment={"Variables": {"LEDGER": str(ledger)}},
    )


def queue_arn(name: str) -> str:
    """Return the ARN of one of the demo's queues."""
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
