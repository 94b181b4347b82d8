"""Tables for developers: an event to look at, a table with a stream to create, an item to put."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from poller.sources.dynamodb.event import EVENT_VERSION, encoder
from poller.sources.kind import Call
from poller.values.arns import EventSource
from poller.values.errors import ServiceError
from poller.values.record import Record

CREATED = 1700000000
"""Seconds since the epoch, in samples."""
FIRST = 100000000000000000000001
"""A sequence number."""
KEY = "id"
"""The key of a table that is created here."""


class TableDevelopment:
    """See `Development`."""

    example = "arn:aws:dynamodb:us-east-1:123456789012:table/stock/stream/2026-01-01T00:00:00.000"
    named_by = 'record["dynamodb"]["SequenceNumber"]'

    def event(self, source: EventSource, payloads: Sequence[str]) -> bytes:
        records = [Record(_record(number, payload), str(FIRST + number)) for number, payload in enumerate(payloads)]
        return encoder(source.arn, source.region)(records)

    def identifier(self, record: Mapping[str, Any]) -> str:
        return str(record["dynamodb"]["SequenceNumber"])

    async def create(self, source: EventSource, call: Call) -> str:
        table = {
            "TableName": source.name,
            "KeySchema": [{"AttributeName": KEY, "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": KEY, "AttributeType": "S"}],
            "BillingMode": "PAY_PER_REQUEST",
            "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        }
        try:
            made = (await call("dynamodb", "create_table", **table))["TableDescription"]
        except ServiceError as error:
            if error.code != "ResourceInUseException":
                raise
            made = (await call("dynamodb", "describe_table", TableName=source.name))["Table"]
        return str(made.get("LatestStreamArn", source.arn))

    async def send(self, source: EventSource, payload: str, call: Call) -> str:
        item = _item(payload)
        await call("dynamodb", "put_item", TableName=source.name, Item=item)
        return f"item {json.dumps(item.get(KEY))}"


def _item(payload: str) -> dict[str, Any]:
    """The payload as an item, with an `id` where it has none. Raises ValueError for what is no JSON object."""
    try:
        values = json.loads(payload)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise ValueError("an item of a table is a JSON object") from None  # noqa: TRY004  (the caller's mistake)
    return {KEY: {"S": str(uuid4())}} | {key: _attribute(value) for key, value in values.items()}


def _attribute(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int | float):
        return {"N": str(value)}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, dict):
        return {"M": {key: _attribute(child) for key, child in value.items()}}
    return {"L": [_attribute(child) for child in value]} if isinstance(value, list) else {"NULL": True}


def _record(number: int, payload: str) -> dict[str, Any]:
    item = _item(payload) | {KEY: {"S": str(number + 1)}}
    return {
        "eventID": f"{number + 1:032x}",
        "eventName": "INSERT",
        "eventVersion": EVENT_VERSION,
        "dynamodb": {
            "ApproximateCreationDateTime": CREATED,
            "Keys": {KEY: item[KEY]},
            "NewImage": item,
            "SequenceNumber": str(FIRST + number),
            "SizeBytes": len(payload),
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    }
