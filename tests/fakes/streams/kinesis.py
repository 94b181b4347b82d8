"""Kinesis Data Streams on the wire: AWS JSON 1.1 in and out, with the members, limits and errors that AWS has."""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from poller.values.errors import ServiceError
from tests.fakes.streams.aggregates import aggregate
from tests.fakes.streams.inner import inner_data
from tests.fakes.streams.refusal import refusal
from tests.fakes.streams.shard import Shard
from tests.fakes.streams.stream import Cursor, Limits, Stream

LIMITS = Limits(records=10_000, bytes=10 * 2**20, bytes_per_second=2 * 2**20, iterator_seconds=300)
FIRST_NUMBER = 49590338271490256608559692538361571095921575989136588898
"""Of 56 digits, as all of them are."""
LIST_SECONDS = 300
"""For which the token of a listing is good."""
POSITIONS = {"TRIM_HORIZON", "LATEST", "AT_TIMESTAMP", "AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"}
MEMBERS = {
    "DescribeStreamSummary": {"StreamARN", "StreamName"},
    "ListShards": {"StreamARN", "StreamName", "NextToken", "MaxResults"},
    "GetShardIterator": {
        "StreamARN",
        "StreamName",
        "ShardId",
        "ShardIteratorType",
        "StartingSequenceNumber",
        "Timestamp",
    },
    "GetRecords": {"StreamARN", "ShardIterator", "Limit"},
}
"""What a request may hold. AWS passes over what it does not know; here it is a test's failure."""
Body = dict[str, Any]


def java_seconds(milliseconds: int) -> bytes:
    """Epoch seconds as the services write them: `1.441215410867E9`."""
    digits = str(milliseconds)
    fraction = digits[1:].rstrip("0") or "0"
    return f"{digits[0]}.{fraction}E{len(digits) - 4}".encode()


@dataclass(eq=False)
class KinesisStream(Stream):
    encrypted: bool = False
    _opened: int = 0

    def put_aggregate(self, keys: Sequence[str], text: str = "") -> str:
        """One record that holds one for each key, which says `text` and its place. Returns the sequence number."""
        return self.put(keys[0], aggregate(inner_data(keys, text)), keys)

    def put(self, key: str, data: str | bytes, inner_keys: Sequence[str] = ()) -> str:
        """Returns the sequence number."""
        raw = data.encode() if isinstance(data, str) else data

        def make(number: int, now: float) -> tuple[int, bytes]:
            text = b'{"SequenceNumber":"%d","ApproximateArrivalTimestamp":%s,"Data":"%s","PartitionKey":%s%s}' % (
                number,
                java_seconds(int(now * 1000)),
                base64.b64encode(raw),
                json.dumps(key).encode(),
                b',"EncryptionType":"KMS"' if self.encrypted else b"",
            )
            return len(raw) + len(key.encode()), text

        return self.append(key, make, inner_keys)

    def _next_id(self, now: float) -> str:
        self._opened += 1
        return f"shardId-{self._opened - 1:012d}"


class FakeKinesis:
    def __init__(self, streams: dict[str, KinesisStream], clock: Callable[[], float]) -> None:
        self._streams = streams
        self._clock = clock
        self._operations: dict[str, Callable[[Body], bytes]] = {
            "DescribeStreamSummary": self._describe,
            "ListShards": self._list,
            "GetShardIterator": self._iterator,
            "GetRecords": self._records,
        }

    def call(self, operation: str, body: bytes) -> bytes:
        request = json.loads(body)
        unknown = request.keys() - MEMBERS[operation]
        assert not unknown, f"{operation} has no {unknown}"
        return self._operations[operation](request)

    def _describe(self, request: Body) -> bytes:
        stream = self._stream(request)
        summary = {
            "StreamName": stream.name,
            "StreamARN": stream.arn,
            "StreamStatus": stream.status,
            "StreamModeDetails": {"StreamMode": "PROVISIONED"},
            "RetentionPeriodHours": int(stream.retention // 3600),
            "StreamCreationTimestamp": stream.created_at,
            "EnhancedMonitoring": [{"ShardLevelMetrics": []}],
            "EncryptionType": "KMS" if stream.encrypted else "NONE",
            "OpenShardCount": len(stream.open_shards()),
            "ConsumerCount": 0,
        }
        return _json({"StreamDescriptionSummary": summary})

    def _list(self, request: Body) -> bytes:
        token = request.get("NextToken")
        if token is not None and ("StreamARN" in request or "StreamName" in request):
            raise _invalid("NextToken and StreamName cannot be provided together.")
        cursor = None if token is None else self._cursor(token, "Invalid NextToken.")
        if cursor is not None and self._clock() - cursor.issued > LIST_SECONDS:
            raise refusal("ExpiredNextTokenException", "The pagination token expired.")
        stream = self._stream({"StreamARN": cursor.stream} if cursor else request)
        shards = list(stream.shards.values())
        if cursor is not None:
            shards = [shard for shard in shards if shard.first > cursor.after]
        page = shards[: min(request.get("MaxResults", 1000), stream.shards_per_page)]
        answer: Body = {"Shards": [_shard(shard) for shard in page]}
        if len(page) < len(shards):
            following = Cursor(stream.arn, stream.label, "", page[-1].first, self._clock())
            answer["NextToken"] = following.token()
        return _json(answer)

    def _iterator(self, request: Body) -> bytes:
        stream = self._stream(request)
        shard = self._shard(stream, request["ShardId"])
        kind, number = request["ShardIteratorType"], request.get("StartingSequenceNumber")
        return _json({"ShardIterator": self.begin(stream, shard, kind, number, request.get("Timestamp")).token()})

    def begin(
        self, stream: KinesisStream, shard: Shard, kind: str, text: str | None, timestamp: float | None
    ) -> Cursor:
        """Where reading begins by what a request says."""
        if kind not in POSITIONS:
            raise _invalid(f"1 validation error detected: Value '{kind}' at 'shardIteratorType' failed")
        if (kind == "AT_TIMESTAMP") != (timestamp is not None):
            raise _invalid("Must either specify timestamp or sequence number, as the type says.")
        if timestamp is not None and timestamp > self._clock() + 1:
            raise _invalid("The timestamp argument cannot be in the future.")
        number = _number(stream, shard, text, kind)
        return stream.position(shard, kind, number, timestamp)

    def stream_of(self, arn: str) -> KinesisStream:
        return self._stream({"StreamARN": arn})

    def shard_of(self, arn: str, shard_id: str) -> tuple[KinesisStream, Shard]:
        stream = self._stream({"StreamARN": arn})
        return stream, self._shard(stream, shard_id)

    def _records(self, request: Body) -> bytes:
        limit = request.get("Limit", LIMITS.records)
        if not 1 <= limit <= LIMITS.records:
            raise _invalid(f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint")
        cursor = self._cursor(request["ShardIterator"], "Invalid ShardIterator.")
        stream = self._stream({"StreamARN": cursor.stream})
        if cursor.epoch != stream.label:
            raise _invalid("Invalid ShardIterator.")
        if stream.expired(cursor):
            message = f"Iterator expired. The iterator was created at time {cursor.issued} while right now it is "
            raise refusal("ExpiredIteratorException", f"{message}{self._clock()}.")
        shard = self._shard(stream, cursor.shard)
        if not shard.may_read(self._clock(), stream.reads_per_second):
            message = f"Rate exceeded for shard {shard.id} in stream {stream.name} under account 123456789012."
            raise refusal("ProvisionedThroughputExceededException", message)
        read = stream.read(shard, cursor.after, limit)
        following = b"null" if read.next is None else b'"%s"' % read.next.token().encode()
        children = b"" if read.next is not None else b',"ChildShards":' + _json(child_shards(read.children))
        records = b",".join(record.raw for record in read.records)
        behind = max(0, int(read.behind * 1000))
        return b'{"Records":[%s],"NextShardIterator":%s,"MillisBehindLatest":%d%s}' % (
            records,
            following,
            behind,
            children,
        )

    def _stream(self, request: Body) -> KinesisStream:
        name = request["StreamARN"].rpartition("/")[2] if "StreamARN" in request else request["StreamName"]
        stream = self._streams.get(name)
        if stream is None or request.get("StreamARN", stream.arn) != stream.arn:
            message = f"Stream {name} under account 123456789012 not found."
            raise refusal("ResourceNotFoundException", message)
        stream.catch_up()
        return stream

    def _shard(self, stream: KinesisStream, shard_id: str) -> Shard:
        if shard_id not in stream.shards:
            message = f"Shard {shard_id} in stream {stream.name} under account 123456789012 does not exist"
            raise refusal("ResourceNotFoundException", message)
        return stream.shards[shard_id]

    def _cursor(self, token: str, message: str) -> Cursor:
        try:
            return Cursor.of(token)
        except ValueError:
            raise _invalid(message) from None


def _number(stream: KinesisStream, shard: Shard, text: str | None, kind: str) -> int | None:
    """Of a request. One already trimmed is taken for the oldest that is left; one never given out is refused."""
    if (text is not None) != kind.endswith("SEQUENCE_NUMBER"):
        raise _invalid("Must either specify timestamp or sequence number, as the type says.")
    if text is None:
        return None
    alien = _invalid(
        f"StartingSequenceNumber {text} used in GetShardIterator on shard {shard.id} in stream {stream.name} under "
        "account 123456789012 is invalid because it did not come from this stream."
    )
    number = stream.number_of(text, alien)
    if number < shard.first or (number > shard.trimmed and not shard.holds(number)):
        raise alien
    return max(number, shard.trimmed)


def _shard(shard: Shard) -> Body:
    numbers = {"StartingSequenceNumber": str(shard.first)}
    if shard.last is not None:
        numbers["EndingSequenceNumber"] = str(shard.last)
    listed: Body = {"ShardId": shard.id}
    listed |= dict(zip(("ParentShardId", "AdjacentParentShardId"), shard.parents, strict=False))
    return listed | {"HashKeyRange": _hash_keys(shard), "SequenceNumberRange": numbers}


def _child(shard: Shard) -> Body:
    return {"ShardId": shard.id, "ParentShards": list(shard.parents), "HashKeyRange": _hash_keys(shard)}


def child_shards(children: list[Shard]) -> list[Body]:
    return [_child(one) for one in children]


def _hash_keys(shard: Shard) -> dict[str, str]:
    return {"StartingHashKey": str(shard.hashes.start), "EndingHashKey": str(shard.hashes.stop - 1)}


def _invalid(message: str) -> ServiceError:
    return refusal("InvalidArgumentException", message)


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
