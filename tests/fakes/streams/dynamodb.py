"""DynamoDB Streams on the wire: AWS JSON 1.0 in and out, with the members, limits and errors that AWS has."""

import json
from collections import deque
from collections.abc import Callable
from typing import Any

from poller.values.errors import ServiceError
from tests.fakes.streams import refusal as refusals
from tests.fakes.streams.shard import TICK, Shard
from tests.fakes.streams.stream import Cursor
from tests.fakes.streams.table import LIMITS, TableStream

NAMESPACE = "com.amazonaws.dynamodb.v20120810#"
POSITIONS = {"TRIM_HORIZON", "LATEST", "AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"}
DESCRIBES_PER_SECOND = 10
MEMBERS = {
    "DescribeStream": {"StreamArn", "Limit", "ExclusiveStartShardId"},
    "GetShardIterator": {"StreamArn", "ShardId", "ShardIteratorType", "SequenceNumber"},
    "GetRecords": {"ShardIterator", "Limit"},
}
"""What a request may hold. AWS passes over what it does not know; here it is a test's failure."""
Body = dict[str, Any]


class FakeDynamoDBStreams:
    def __init__(self, streams: dict[str, TableStream], clock: Callable[[], float]) -> None:
        """`streams` by ARN."""
        self._streams = streams
        self._clock = clock
        self._describes: deque[float] = deque()
        self._operations: dict[str, Callable[[Body], bytes]] = {
            "DescribeStream": self._describe,
            "GetShardIterator": self._iterator,
            "GetRecords": self._records,
        }

    def call(self, operation: str, body: bytes) -> bytes:
        request = json.loads(body)
        unknown = request.keys() - MEMBERS[operation]
        assert not unknown, f"{operation} has no {unknown}"
        return self._operations[operation](request)

    def _describe(self, request: Body) -> bytes:
        stream = self._stream(request["StreamArn"])
        self._limit_describes(stream)
        shards = list(stream.shards.values())
        start = request.get("ExclusiveStartShardId")
        if start is not None:
            shards = [shard for shard in shards if shard.first > self._shard(stream, start).first]
        page = shards[: min(request.get("Limit", 100), stream.shards_per_page)]
        description: Body = {
            "CreationRequestDateTime": stream.created_at,
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "Shards": [_listed(shard) for shard in page],
            "StreamArn": stream.arn,
            "StreamLabel": stream.label,
            "StreamStatus": stream.status,
            "StreamViewType": stream.view_type,
            "TableName": stream.name,
        }
        if len(page) < len(shards):
            description["LastEvaluatedShardId"] = page[-1].id
        return _json({"StreamDescription": description})

    def _iterator(self, request: Body) -> bytes:
        stream = self._stream(request["StreamArn"])
        shard = self._shard(stream, request["ShardId"])
        kind, text = request["ShardIteratorType"], request.get("SequenceNumber")
        if kind not in POSITIONS or (text is not None) != kind.endswith("SEQUENCE_NUMBER"):
            raise _invalid(f"1 validation error detected: Value '{kind}' at 'shardIteratorType' failed")
        number = None
        if text is not None:
            number = stream.number_of(text, _invalid(f"Invalid SequenceNumber: {text}"))
            if number <= shard.trimmed:
                raise _trimmed()
            if not shard.holds(number):
                raise _invalid(f"Sequence number {text} is not one of shard {shard.id}")
        return _json({"ShardIterator": stream.position(shard, kind, number, None).token()})

    def _records(self, request: Body) -> bytes:
        limit = request.get("Limit", LIMITS.records)
        if not 1 <= limit <= LIMITS.records:
            raise _invalid(f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint")
        try:
            cursor = Cursor.of(request["ShardIterator"])
        except ValueError:
            raise _invalid("Invalid ShardIterator") from None
        stream = self._stream(cursor.stream)
        if stream.expired(cursor):
            raise _refusal("ExpiredIteratorException", "Shard iterator has expired")
        shard = self._shard(stream, cursor.shard)
        if not shard.may_read(self._clock(), stream.reads_per_second):
            raise _refusal("LimitExceededException", f"Rate exceeded for shard {shard.id}")
        if cursor.after < shard.trimmed:
            raise _trimmed()
        read = stream.read(shard, cursor.after, limit)
        following = b"" if read.next is None else b'"NextShardIterator":"%s",' % read.next.token().encode()
        return b'{%s"Records":[%s]}' % (following, b",".join(record.raw for record in read.records))

    def _stream(self, arn: str) -> TableStream:
        stream = self._streams.get(arn)
        gone = stream is not None and stream.disabled_at is not None
        if stream is None or (gone and self._clock() - (stream.disabled_at or 0) > stream.retention):
            raise _refusal("ResourceNotFoundException", f"Requested resource not found: Stream: {arn} not found")
        stream.catch_up()
        return stream

    def _shard(self, stream: TableStream, shard_id: str) -> Shard:
        if shard_id not in stream.shards:
            message = f"Requested resource not found: Shard does not exist: {shard_id}"
            raise _refusal("ResourceNotFoundException", message)
        return stream.shards[shard_id]

    def _limit_describes(self, stream: TableStream) -> None:
        now = self._clock()
        while self._describes and self._describes[0] <= now - 1 + TICK:
            self._describes.popleft()
        if stream.reads_per_second is not None and len(self._describes) >= DESCRIBES_PER_SECOND:
            raise _refusal("LimitExceededException", "Rate of DescribeStream exceeded")
        self._describes.append(now)


def _listed(shard: Shard) -> Body:
    numbers = {"StartingSequenceNumber": str(shard.first)}
    if shard.last is not None:
        numbers["EndingSequenceNumber"] = str(shard.last)
    listed: Body = {"ShardId": shard.id, "SequenceNumberRange": numbers}
    if shard.parents:
        listed["ParentShardId"] = shard.parents[0]
    return listed


def _refusal(code: str, message: str) -> ServiceError:
    return refusals.refusal(code, message, namespace=NAMESPACE)


def _invalid(message: str) -> ServiceError:
    return refusals.refusal("ValidationException", message, namespace="com.amazon.coral.validate#")


def _trimmed() -> ServiceError:
    return _refusal(
        "TrimmedDataAccessException",
        "The operation attempted to read past the oldest stream record in a shard. This exception could occur because "
        "the requested sequence number is too old.",
    )


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
