"""The stub's streams: pages as the services give them, and a ledger that sees what is lost, repeated, out of order."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from poller.sources.dynamodb.event import encoder as table_encoder
from poller.sources.kinesis.event import encoder as kinesis_encoder
from poller.support import codec
from poller.values.record import Record

from .programs import Stub, stub
from .streams import KINESIS_ARN, REGION, TABLE_ARN
from .test_stub import Api

TARGETS = {"kinesis": "Kinesis_20131202.", "dynamodb": "DynamoDBStreams_20120810."}
ARNS = {"kinesis": {"StreamARN": KINESIS_ARN}, "dynamodb": {"StreamArn": TABLE_ARN}}


class Reader(Api):
    def __init__(self, url: str, source: str) -> None:
        super().__init__(url)
        self.source = source

    def ask(self, operation: str, **body: object) -> dict[str, Any]:
        headers = {"X-Amz-Target": TARGETS[self.source] + operation}
        self.connection.request("POST", "/", json.dumps(body), headers)
        return self._answer()

    def shards(self) -> list[str]:
        if self.source == "kinesis":
            listed = self.ask("ListShards", **ARNS[self.source])["Shards"]
        else:
            listed = self.ask("DescribeStream", **ARNS[self.source])["StreamDescription"]["Shards"]
        return [shard["ShardId"] for shard in listed]

    def read(self, shard: str, limit: int = 1000) -> list[Any]:
        position = {"ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
        iterator = self.ask("GetShardIterator", **ARNS[self.source], **position)["ShardIterator"]
        records: list[Any] = []
        while page := (answer := self.ask("GetRecords", ShardIterator=iterator, Limit=limit))["Records"]:
            records += page
            iterator = answer["NextShardIterator"]
        return records

    def invoke_with(self, shard: str, records: list[Any], region: str = REGION) -> None:
        encode = (
            kinesis_encoder(KINESIS_ARN, region, "arn:aws:iam::000000000000:role/r", shard)
            if self.source == "kinesis"
            else table_encoder(TABLE_ARN, region)
        )
        event = encode([Record(item, "") for item in codec.loads(json.dumps(records).encode())])
        self.connection.request("POST", "/2015-03-31/functions/fn/invocations", event)
        self._answer()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stub]:
    with stub(tmp_path_factory.mktemp("stub")) as endpoint:
        yield endpoint


@pytest.fixture(params=["kinesis", "dynamodb"])
def reader(running: Stub, request: pytest.FixtureRequest) -> Iterator[Reader]:
    opened = Reader(running.url, request.param)
    opened.get(f"/_load?messages=40&source={opened.source}&shards=2&size=200")
    yield opened
    opened.connection.close()


@pytest.mark.real_time
def test_everything_read_and_invoked_in_order_is_exact(reader: Reader) -> None:
    for shard in reader.shards():
        records = reader.read(shard, limit=7)
        assert len(records) == 20
        reader.invoke_with(shard, records[:9])
        reader.invoke_with(shard, records[9:])
    assert reader.get("/_ledger")["verdict"] == "exact"
    reader.get(f"/_load?messages=2&source={reader.source}&shards=2")
    assert [len(reader.read(shard)) for shard in reader.shards()] == [1, 1], "a load goes on after the one before"


@pytest.mark.real_time
def test_what_is_left_out_repeated_or_turned_round_is_seen(reader: Reader) -> None:
    first, second = reader.shards()
    records = reader.read(first)
    reader.invoke_with(first, records[:5])
    reader.invoke_with(first, records[3:5])
    reader.invoke_with(first, records[6:])
    reader.invoke_with(second, list(reversed(reader.read(second))))
    assert reader.faults() == {"undone": 1, "duplicates": 2, "out_of_order": 22}


@pytest.mark.real_time
def test_an_event_that_is_not_lambda_s_is_seen(reader: Reader) -> None:
    shard, _ = reader.shards()
    reader.invoke_with(shard, reader.read(shard), region="eu-west-1")
    assert reader.faults()["unknown"] == 1
