"""Kinesis streams for developers: an event to look at, a stream to create, a record to put."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from poller.sources.kind import Call
from poller.sources.kinesis.event import encoder
from poller.values.arns import EventSource
from poller.values.errors import ServiceError
from poller.values.record import Record

ARRIVED = 1700000000.0
"""Seconds since the epoch, in samples."""
FIRST = 49545115243490985018280067714973144582180062593244200961
"""A sequence number."""
SHARD = "shardId-000000000000"


class StreamDevelopment:
    """See `Development`."""

    example = "arn:aws:kinesis:us-east-1:123456789012:stream/clicks"
    named_by = 'record["kinesis"]["sequenceNumber"]'

    def event(self, source: EventSource, payloads: Sequence[str]) -> bytes:
        records = [Record(_record(number, payload), str(FIRST + number)) for number, payload in enumerate(payloads)]
        role = f"arn:aws:iam::{source.account}:role/poller"
        return encoder(source.arn, source.region, role, SHARD)(records)

    def identifier(self, record: Mapping[str, Any]) -> str:
        return str(record["kinesis"]["sequenceNumber"])

    async def create(self, source: EventSource, call: Call) -> str:
        try:
            await call("kinesis", "create_stream", StreamName=source.name, ShardCount=1)
        except ServiceError as error:
            if error.code != "ResourceInUseException":
                raise
        return source.arn

    async def send(self, source: EventSource, payload: str, call: Call) -> str:
        put = {"StreamName": source.name, "Data": payload.encode(), "PartitionKey": str(uuid4())}
        answer = await call("kinesis", "put_record", **put)
        return f"record {answer.get('SequenceNumber')} in {answer.get('ShardId')}"


def _record(number: int, payload: str) -> dict[str, Any]:
    return {
        "PartitionKey": f"key-{number + 1}",
        "SequenceNumber": str(FIRST + number),
        "Data": base64.b64encode(payload.encode()).decode(),
        "ApproximateArrivalTimestamp": ARRIVED,
    }
