"""The demo's stream and table: with every order come a click and a change of the stock, and one click is poison."""

import json
from typing import Any, Protocol

from poller.demo.local_aws import ACCOUNT, REGION

STREAM = "clicks"
TABLE = "stock"
FAILED = "clicks-failed"
"""The on-failure destination of the clicks, a queue."""
SHARDS = 2
POISON = 5
"""The number of the one click that the function cannot read. It comes early, so that it is given up long before the
account."""
MOST_CLICKS = 100
"""Most records of one PutRecords."""
MOST_CHANGES = 25
"""Most items of one BatchWriteItem."""


class Feed(Protocol):
    """A source that records are written to, numbered from 1."""

    name: str
    service: str
    arn: str

    @property
    def produced(self) -> set[int]:
        """Numbers of the records the service has taken."""
        ...

    async def produce(self, upto: int) -> None:
        """Write the records after the last one, up to number `upto`."""
        ...

    async def given_up(self) -> list[int]:
        """Numbers of the records that arrived at the on-failure destination."""
        ...


class Clicks:
    """A Kinesis stream, and the queue that is its on-failure destination."""

    name, service = STREAM, "Kinesis"
    arn = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{STREAM}"

    def __init__(self, kinesis: Any, sqs: Any, failed: str) -> None:
        self._kinesis = kinesis
        self._sqs = sqs
        self._failed = failed
        self._numbers: dict[tuple[str, str], int] = {}
        """By shard and sequence number."""

    @property
    def produced(self) -> set[int]:
        """See `Feed.produced`."""
        return set(self._numbers.values())

    async def produce(self, upto: int) -> None:
        """See `Feed.produce`."""
        left = list(range(len(self._numbers) + 1, upto + 1))
        while left:
            numbers = left[:MOST_CLICKS]
            records = [{"Data": click(number), "PartitionKey": f"visitor-{number % 17}"} for number in numbers]
            answer = await self._kinesis.put_records(StreamName=STREAM, Records=records)
            for number, result in zip(numbers, answer["Records"], strict=True):
                if "SequenceNumber" in result:
                    self._numbers[result["ShardId"], result["SequenceNumber"]] = number
                    left.remove(number)

    async def given_up(self) -> list[int]:
        """See `Feed.given_up`: by the shard and sequence numbers of the invocation records."""
        found: list[int] = []
        while True:
            answer = await self._sqs.receive_message(QueueUrl=self._failed, MaxNumberOfMessages=10)
            messages = answer.get("Messages", [])
            if not messages:
                return found
            for message in messages:
                batch = json.loads(message["Body"])["KinesisBatchInfo"]
                first, last = int(batch["startSequenceNumber"]), int(batch["endSequenceNumber"])
                found += [
                    number
                    for (shard, sequence), number in self._numbers.items()
                    if shard == batch["shardId"] and first <= int(sequence) <= last
                ]


def click(number: int) -> bytes:
    click: dict[str, object] = {"number": number}
    return json.dumps(click | ({"poison": True} if number == POISON else {})).encode()


class Stock:
    """A DynamoDB table with a stream."""

    name, service = TABLE, "DynamoDB"

    def __init__(self, dynamodb: Any, arn: str) -> None:
        self.arn = arn
        self.produced: set[int] = set()
        self._dynamodb = dynamodb

    async def produce(self, upto: int) -> None:
        """See `Feed.produce`."""
        left = list(range(len(self.produced) + 1, upto + 1))
        while left:
            numbers = left[:MOST_CHANGES]
            puts = [{"PutRequest": {"Item": {"number": {"N": str(number)}}}} for number in numbers]
            answer = await self._dynamodb.batch_write_item(RequestItems={TABLE: puts})
            refused = {
                int(put["PutRequest"]["Item"]["number"]["N"]) for put in answer["UnprocessedItems"].get(TABLE, ())
            }
            self.produced |= set(numbers) - refused
            left = [number for number in left if number not in self.produced]

    async def given_up(self) -> list[int]:
        """No record of it is poison, so it has no destination."""
        return []


async def create(kinesis: Any, dynamodb: Any, sqs: Any) -> list[Feed]:
    """Create stream, table and destination."""
    # messages received from it stay hidden, so that each is counted once
    failed = await sqs.create_queue(QueueName=FAILED, Attributes={"VisibilityTimeout": "3600"})
    await kinesis.create_stream(StreamName=STREAM, ShardCount=SHARDS)
    table = await dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "number", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "number", "AttributeType": "N"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    return [Clicks(kinesis, sqs, failed["QueueUrl"]), Stock(dynamodb, table["TableDescription"]["LatestStreamArn"])]
