"""The calls to the stream of one DynamoDB table. The caller does any retry beyond the transport's."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any

from poller.aws.port import AWS_JSON_1_0, Operation, ReservedBytes, Transport
from poller.policy.filtering import Filter, Verdict
from poller.sources.dynamodb import event
from poller.sources.sharded.api import Position, Shard, ShardPage, StreamFacts
from poller.sources.sharded.calls import MISSING, Meanings, ask, expecting, listed, new_iterator, read
from poller.support import codec
from poller.values.errors import IteratorExpired, PositionTrimmed, StreamGone
from poller.values.record import Record


def _operation(name: str, timeout: float) -> Operation:
    return Operation("dynamodbstreams", name, f"DynamoDBStreams_20120810.{name}", AWS_JSON_1_0, timeout=timeout)


DESCRIBE = _operation("DescribeStream", 15.0)
ITERATOR = _operation("GetShardIterator", 15.0)
RECORDS = _operation("GetRecords", 30.0)

RETENTION = 24 * 3600.0
"""Seconds every stream of a table keeps its records."""
BETWEEN_PAGES = 0.2
"""Seconds between two pages of the listing."""
TRIMMED = "TrimmedDataAccessException"
ACTIVE = frozenset({"ENABLING", "ENABLED"})
OF_STREAM: Meanings = {MISSING: StreamGone}
OF_POSITION: Meanings = {TRIMMED: PositionTrimmed}
# an iterator the service does not know is as useless as one that is too old, and a new one puts both right
OF_READ: Meanings = {
    TRIMMED: PositionTrimmed,
    "ExpiredIteratorException": IteratorExpired,
    "ValidationException": IteratorExpired,
}


class DynamoDBStreamApi:
    """A `PolledApi`."""

    reads_per_second = 5.0
    """DynamoDB names no number, but at most two readers a shard; AWS Lambda's own poller makes four reads a second."""
    bytes_per_second = inf
    most_records = 1000
    largest_page = 2 * 1024 * 1024
    latest_is_instant = False

    def __init__(self, transport: Transport, *, arn: str, region: str) -> None:
        """`arn` is the stream's, not the table's; `region` as events show it."""
        self.record_overhead = event.added_per_record(arn)
        self._transport = transport
        self.arn = arn
        self._region = region

    async def facts(self) -> StreamFacts:
        answer = await ask(self._transport, DESCRIBE, {"StreamArn": self.arn, "Limit": 1}, OF_STREAM)
        with expecting(DESCRIBE):
            description = answer.members["StreamDescription"]
            # of what the service need not say, the label is the end of the ARN as well
            active = description.get("StreamStatus", "ENABLED") in ACTIVE
            label = description.get("StreamLabel") or self.arn.rpartition("/")[2]
            return StreamFacts(label, active, answer.date, RETENTION)

    async def shards(self) -> list[Shard]:
        found: list[Shard] = []
        request: dict[str, Any] = {"StreamArn": self.arn}
        while True:
            answer = await ask(self._transport, DESCRIBE, request, OF_STREAM)
            with expecting(DESCRIBE):
                description = answer.members["StreamDescription"]
                found += [_shard(shard) for shard in listed(description["Shards"])]
            last = description.get("LastEvaluatedShardId")
            if not last:
                return found
            request["ExclusiveStartShardId"] = last
            # the account's limit is ten such calls a second
            await asyncio.sleep(BETWEEN_PAGES)

    async def iterator(self, shard_id: str, position: Position) -> str:
        assert position.timestamp is None, "streams of tables know no position by time"
        request: dict[str, Any] = {"StreamArn": self.arn, "ShardId": shard_id, "ShardIteratorType": position.kind}
        if position.sequence_number is not None:
            request["SequenceNumber"] = position.sequence_number
        return await new_iterator(self._transport, ITERATOR, request, OF_POSITION, self.shards)

    async def page(self, iterator: str, limit: int, room: ReservedBytes | None = None) -> ShardPage:
        request = {"ShardIterator": iterator, "Limit": limit}
        answer = await read(self._transport, RECORDS, request, OF_READ, self.facts, room=room)
        with expecting(RECORDS):
            following = answer.members.get("NextShardIterator") or None
            records = listed(answer.members["Records"])
            return ShardPage(records, following, answer.size, date=answer.date)

    def complete(self, items: Sequence[Any]) -> None:
        event.complete(items)

    def bound(self, items: Sequence[Any]) -> int:
        # images nest, so no bound is cheaper than encoding them
        return len(codec.dumps(items)) + self.record_overhead * len(items)

    def taken_apart(self, items: Sequence[Any]) -> Sequence[Any]:
        return items

    def sequence_number(self, item: Any) -> str:
        return self.positions([item])[0]

    def positions(self, items: Sequence[Any]) -> list[str]:
        try:
            numbers = [item["dynamodb"]["SequenceNumber"] for item in items]
        except (KeyError, TypeError):
            numbers = []
        if not (numbers and all(numbers)):
            event.complete(items)
        return numbers

    def key(self, item: Any) -> str:
        return event.key_of(item)

    def arrival(self, item: Any) -> float | None:
        arrival: float | None = item["dynamodb"].get("ApproximateCreationDateTime")
        return arrival

    def judge(self, criteria: Filter, shard_id: str) -> Callable[[Any], Verdict]:  # noqa: ARG002 - records name no shard
        return event.judge(criteria, self.arn, self._region)

    def encoder(self, shard_id: str) -> Callable[[Sequence[Record]], bytes]:  # noqa: ARG002 - events name no shard
        return event.encoder(self.arn, self._region)

    def batch_info(self, shard_id: str, records: Sequence[Record]) -> tuple[str, dict[str, Any]]:
        return "DDBStreamBatchInfo", event.batch_info(self.arn, shard_id, records)


def _shard(described: Mapping[str, Any]) -> Shard:
    parent = described.get("ParentShardId")
    # a shard without the range is not known to have ended
    closed = bool((described.get("SequenceNumberRange") or {}).get("EndingSequenceNumber"))
    return Shard(described["ShardId"], (parent,) if parent else (), closed)
