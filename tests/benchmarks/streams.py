"""A Kinesis stream and a table's stream of rendered records: what each read answers, and whose record is whose.

Decides: positions, the bytes of each page, the order a function must be invoked in. Refuses to know: connections.
"""

import base64
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from .ledger import Ledger

REGION = "us-east-1"
KINESIS_ARN = f"arn:aws:kinesis:{REGION}:000000000000:stream/s"
TABLE_ARN = f"arn:aws:dynamodb:{REGION}:000000000000:table/t/stream/2026-01-01T00:00:00.000"
_BODIES = 1024
"""Different bodies; the record at position i carries number i modulo this."""
_ITERATOR_FILL = "AsDfGhJkLzXcVbNmQwErTyUiOp0123456789" * 6
"""Pads iterators to some 220 characters, as on AWS."""
_PAGE_BYTES = 10 * 1024 * 1024
_TABLE_PAGE = 1000
"""Records at most in a read of a table's stream; 1 MiB is the other limit, which records of 512 bytes do not reach."""


class Form(Protocol):
    """How one of the two services writes what both have."""

    arn: str
    quoted: bytes
    """The member of an event's record that holds its sequence number, in quotes."""
    most: int
    prefix: str
    """Of sequence numbers."""
    digits: int
    """Of a position in them."""

    def render(self, number: int, size: int) -> bytes:
        """What follows a record's sequence number."""
        ...

    def head(self, now: float) -> bytes:
        """What comes before it."""
        ...

    def shard_id(self, shard: int) -> str: ...

    def listing(self, stream: "Stream") -> bytes: ...

    def is_record(self, record: dict[str, Any]) -> bool: ...

    def page(self, records: bytes, following: str) -> bytes: ...


class Kinesis:
    arn = KINESIS_ARN
    quoted = b'"sequenceNumber"'
    most = 10_000
    prefix = "4959033827149025660855969253"
    digits = 23

    def render(self, number: int, size: int) -> bytes:
        order = json.dumps({"orderId": f"o-{number:06d}", "note": ""})
        data = order[:-2] + "x" * max(0, size - len(order)) + order[-2:]
        encoded = base64.b64encode(data.encode()).decode()
        return f'","Data":"{encoded}","PartitionKey":"customer-{number:05d}"}}'.encode()

    def head(self, now: float) -> bytes:
        return f'{{"ApproximateArrivalTimestamp":{now:.3f},"SequenceNumber":"'.encode()

    def shard_id(self, shard: int) -> str:
        return f"shardId-{shard:012d}"

    def listing(self, stream: "Stream") -> bytes:
        width = 2**128 // stream.shards
        shards = [
            {
                "ShardId": self.shard_id(shard),
                "HashKeyRange": {
                    "StartingHashKey": str(shard * width),
                    "EndingHashKey": str(2**128 - 1 if shard == stream.shards - 1 else (shard + 1) * width - 1),
                },
                "SequenceNumberRange": {"StartingSequenceNumber": stream.number(shard, 0)},
            }
            for shard in range(stream.shards)
        ]
        return json.dumps({"Shards": shards}).encode()

    def page(self, records: bytes, following: str) -> bytes:
        return b'{"Records":[%s],"NextShardIterator":"%s","MillisBehindLatest":0}' % (records, following.encode())

    def is_record(self, record: dict[str, Any]) -> bool:
        inner = record["kinesis"]
        return (
            record["eventSource"] == "aws:kinesis"
            and record["eventID"].endswith(":" + inner["sequenceNumber"])
            and b"orderId" in base64.b64decode(inner["data"])
            and isinstance(inner["approximateArrivalTimestamp"], float)
        )


class Table:
    arn = TABLE_ARN
    quoted = b'"SequenceNumber"'
    most = _TABLE_PAGE
    prefix = "8"
    digits = 15

    def render(self, number: int, size: int) -> bytes:
        key = {"pk": {"S": f"customer-{number:05d}"}}
        image = key | {"n": {"N": str(number)}, "note": {"S": "x" * max(0, size - 80)}}
        rest = {"Keys": key, "NewImage": image, "SizeBytes": size, "StreamViewType": "NEW_IMAGE"}
        return f'",{json.dumps(rest, separators=(",", ":"))[1:-1]}}}}}'.encode()

    def head(self, now: float) -> bytes:
        return (
            f'{{"awsRegion":"{REGION}","eventID":"f07f8ca4b0b26cb9c4e5e77e69f274ee","eventName":"INSERT",'
            f'"eventSource":"aws:dynamodb","eventVersion":"1.1","dynamodb":{{"ApproximateCreationDateTime":{int(now)},'
            '"SequenceNumber":"'
        ).encode()

    def shard_id(self, shard: int) -> str:
        return f"shardId-{shard:020d}-0000abcd"

    def listing(self, stream: "Stream") -> bytes:
        shards = [
            {
                "ShardId": self.shard_id(shard),
                "SequenceNumberRange": {"StartingSequenceNumber": stream.number(shard, 0)},
            }
            for shard in range(stream.shards)
        ]
        label = TABLE_ARN.rpartition("/")[2]
        description = {"StreamArn": TABLE_ARN, "StreamLabel": label, "StreamStatus": "ENABLED", "Shards": shards}
        return json.dumps({"StreamDescription": description}).encode()

    def page(self, records: bytes, following: str) -> bytes:
        return b'{"Records":[%s],"NextShardIterator":"%s"}' % (records, following.encode())

    def is_record(self, record: dict[str, Any]) -> bool:
        inner = record["dynamodb"]
        return record["eventSource"] == "aws:dynamodb" and "NewImage" in inner and inner["SizeBytes"] > 0


class Stream:
    """Open shards that go on for ever: a load appends to each, positions count from the start of the stub."""

    def __init__(self, form: Form) -> None:
        self.form = form
        self.shards = 4
        self.ledger = Ledger(0, lambda _: 0.0)
        self._per_shard = 0
        self._start = 0
        """Position, the same in every shard, of the present load."""
        self._expected: list[int] = []
        self._read: list[int] = []
        """By shard, up to where it was read."""
        self._bodies: list[bytes] = []
        self._head = b""
        self._size = 1

    def load(self, records: int, *, shards: int, size: int, now: float) -> None:
        """So many to a shard that they are at least `records` in all. `now` is when they became readable."""
        self._start += self._per_shard
        self.shards = shards
        self._per_shard = -(-records // shards)
        self._expected = [self._start] * shards
        self._read = [self._start] * shards
        self._size = size
        self._bodies = [self.form.render(number, size) for number in range(min(_BODIES, records))]
        self._head = self.form.head(time.time())
        self.ledger = Ledger(self._per_shard * shards, lambda _: now)

    def number(self, shard: int, position: int) -> str:
        """Sequence number: 56 digits on Kinesis, 21 on a table."""
        return f"{self.form.prefix}{shard:05d}{position:0{self.form.digits}d}"

    def token(self, shard: int, position: int) -> str:
        return f"{_ITERATOR_FILL}:{shard}:{position}"

    def iterator(self, request: dict[str, Any]) -> bytes:
        """Any position; an unknown one is the beginning."""
        shard = next(n for n in range(self.shards) if self.form.shard_id(n) == request["ShardId"])
        number = request.get("StartingSequenceNumber") or request.get("SequenceNumber")
        position = 0
        if number:
            position = self._place(number)[1] + (request["ShardIteratorType"] == "AFTER_SEQUENCE_NUMBER")
        elif request["ShardIteratorType"] == "LATEST":
            position = self._start + self._per_shard
        return json.dumps({"ShardIterator": self.token(shard, position)}).encode()

    def read(self, request: dict[str, Any], now: float) -> bytes:
        _, shard_text, position_text = request["ShardIterator"].split(":")
        shard, first = int(shard_text), max(int(position_text), self._start)
        self._passed_over(shard, first, now)
        limit = min(request.get("Limit", self.form.most), self.form.most, _PAGE_BYTES // self._size)
        last = max(first, min(first + limit, self._start + self._per_shard))
        bodies, head = self._bodies, self._head
        records = [
            head + self.number(shard, position).encode() + bodies[position % len(bodies)]
            for position in range(first, last)
        ]
        if records:
            self.ledger.received((self._index(shard, position) for position in range(first, last)), now)
        return self.form.page(b",".join(records), self.token(shard, last))

    def _passed_over(self, shard: int, position: int, now: float) -> None:
        """Who reads on is done with what it does not want."""
        for index in range(self._index(shard, self._read[shard]), self._index(shard, position)):
            if not self.ledger.wanted(index):
                self.ledger.deleted(index, now)
        self._read[shard] = max(position, self._read[shard])

    def indexes(self, event: bytes) -> Iterator[int | None]:
        """The records an event names, cut out of its bytes; None for what is none of this load."""
        for part in event.split(self.form.quoted)[1:]:
            start = part.index(b'"') + 1
            shard, position = self._place(part[start : part.index(b'"', start)].decode("latin-1"))
            known = 0 <= position - self._start < self._per_shard and shard < self.shards
            yield self._index(shard, position) if known else None

    def succeeded(self, indexes: list[int], now: float) -> None:
        """A stream's record is done with once a function succeeded on it; out of order is a fault."""
        for index in indexes:
            shard, offset = divmod(index, self._per_shard)
            if self._start + offset != self._expected[shard]:
                self.ledger.out_of_order += 1
            self._expected[shard] = self._start + offset + 1
            if not self.ledger.is_deleted(index):
                self.ledger.deleted(index, now)

    def is_record(self, record: dict[str, Any]) -> bool:
        return (
            record["eventSourceARN"] == self.form.arn and record["awsRegion"] == REGION and self.form.is_record(record)
        )

    def _place(self, number: str) -> tuple[int, int]:
        digits = number[len(self.form.prefix) :]
        return (int(digits[:5]), int(digits[5:])) if digits.isdecimal() else (-1, -1)

    def _index(self, shard: int, position: int) -> int:
        return shard * self._per_shard + position - self._start


def operations(kinesis: Stream, table: Stream) -> dict[str, Callable[[dict[str, Any]], bytes]]:
    """By target; each takes the parsed request."""
    summary = {"StreamARN": KINESIS_ARN, "StreamName": "s", "StreamStatus": "ACTIVE", "StreamCreationTimestamp": 1.5e9}
    description = json.dumps({"StreamDescriptionSummary": summary}).encode()
    return {
        "Kinesis_20131202.DescribeStreamSummary": lambda _: description,
        "Kinesis_20131202.ListShards": lambda _: kinesis.form.listing(kinesis),
        "Kinesis_20131202.GetShardIterator": kinesis.iterator,
        "Kinesis_20131202.GetRecords": lambda request: kinesis.read(request, time.monotonic()),
        "DynamoDBStreams_20120810.DescribeStream": lambda _: table.form.listing(table),
        "DynamoDBStreams_20120810.GetShardIterator": table.iterator,
        "DynamoDBStreams_20120810.GetRecords": lambda request: table.read(request, time.monotonic()),
    }
