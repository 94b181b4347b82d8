"""The streams and tables of a fake account, and the two services in front of them."""

import itertools
from collections.abc import Callable
from typing import Any

from poller.aws.port import Operation
from tests.fakes.queue import loop_time
from tests.fakes.streams import dynamodb, kinesis, table
from tests.fakes.streams.fan_out import FakeFanOut
from tests.fakes.streams.kinesis import FakeKinesis, KinesisStream
from tests.fakes.streams.ledger import StreamLedger
from tests.fakes.streams.table import TableStream
from tests.virtual_time import EPOCH

SERVICES = ("kinesis", "dynamodbstreams")


def virtual_clock() -> float:
    """The services' clock under virtual time, right by definition; it is the local one that may be set wrong."""
    return EPOCH + loop_time()


class FakeStreams:
    def __init__(self, region: str, account: str, clock: Callable[[], float] = virtual_clock) -> None:
        """`clock` gives epoch seconds."""
        self.ledger = StreamLedger()
        self.streams: dict[str, KinesisStream] = {}
        """By name."""
        self.tables: dict[str, TableStream] = {}
        """By the stream's ARN."""
        self.clock = clock
        self._region = region
        self._account = account
        self._kinesis_numbers = itertools.count(kinesis.FIRST_NUMBER, 16)
        self._table_numbers = itertools.count(table.FIRST_NUMBER, 100)
        self._kinesis = FakeKinesis(self.streams, clock)
        self.fan_out = FakeFanOut(self._kinesis, clock)
        self._dynamodb = dynamodb.FakeDynamoDBStreams(self.tables, clock)

    def stream(self, name: str, shards: int = 1, **settings: Any) -> KinesisStream:
        """Create a stream; one of the same name is gone, records and all. `settings` are `KinesisStream`'s."""
        arn = f"arn:aws:kinesis:{self._region}:{self._account}:stream/{name}"
        self.delete_stream(name)
        stream = KinesisStream(
            arn,
            name,
            self.clock,
            self._kinesis_numbers,
            self.ledger,
            kinesis.LIMITS,
            **{"shards_per_page": 1000} | settings,
        )
        stream.label = repr(stream.created_at)
        stream.open_evenly(shards)
        self.streams[name] = stream
        return stream

    def delete_stream(self, name: str) -> None:
        stream = self.streams.pop(name, None)
        if stream is not None:
            stream.trim()

    def table(self, name: str, shards: int = 1, **settings: Any) -> TableStream:
        """Create a table with a stream, or enable another one on it. `settings` are `TableStream`'s."""
        label = table.label_of(self.clock())
        arn = f"arn:aws:dynamodb:{self._region}:{self._account}:table/{name}/stream/{label}"
        assert arn not in self.tables, "a new stream of a table needs a later millisecond"
        stream = TableStream(
            arn,
            name,
            self.clock,
            self._table_numbers,
            self.ledger,
            table.LIMITS,
            **{"region": self._region, "status": "ENABLED", "label": label} | settings,
        )
        stream.open_evenly(shards)
        self.tables[arn] = stream
        return stream

    def delete_table(self, stream: TableStream) -> None:
        """The stream goes with it at once."""
        self.tables.pop(stream.arn).trim()

    def call(self, operation: Operation, body: bytes) -> bytes:
        if operation.name in ("RegisterStreamConsumer", "DescribeStreamConsumer"):
            return self.fan_out.call(operation.name, body)
        service = self._kinesis if operation.service == "kinesis" else self._dynamodb
        return service.call(operation.name, body)
