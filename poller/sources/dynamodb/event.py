"""The event of a table's stream as Lambda would deliver it, and the batch information of an invocation record.

The part under `dynamodb` is passed on unchanged: typed values, base64 and timestamps already have the event's form.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from poller.policy.filtering import Filter, Verdict
from poller.policy.invocation_record import iso_seconds
from poller.support import codec
from poller.values.errors import UnreadableRecord
from poller.values.record import Record

ADDED_PER_RECORD = 288
"""An upper bound, in bytes, of what a record's event has beyond the record's own JSON, the ARN apart."""
EVENT_VERSION = "1.1"


def added_per_record(arn: str) -> int:
    return ADDED_PER_RECORD + len(arn)


def encoder(arn: str, region: str) -> Callable[[Sequence[Record]], bytes]:
    """Makes `encode(records)`, one pass from raw records to the event's bytes."""

    def encode(records: Sequence[Record]) -> bytes:
        items = [record.item for record in records]
        try:
            return event(items)
        except KeyError:
            complete(items)
            return event(items)

    def event(items: Sequence[Any]) -> bytes:
        return codec.dumps(
            {
                "Records": [
                    {
                        "eventID": item["eventID"],
                        "eventName": item["eventName"],
                        "eventVersion": EVENT_VERSION,
                        "eventSource": "aws:dynamodb",
                        "awsRegion": region,
                        "dynamodb": item["dynamodb"],
                        "eventSourceARN": arn,
                    }
                    if "userIdentity" not in item
                    else _of_somebody(item, arn, region)
                    for item in items
                ]
            }
        )

    return encode


def complete(items: Sequence[Any]) -> None:
    """See `ShardApi.complete`."""
    for index, item in enumerate(items):
        change = item.get("dynamodb") if isinstance(item, dict) else None
        if not isinstance(change, dict) or not change.get("SequenceNumber"):
            named = f" (eventID {item['eventID']})" if isinstance(item, dict) and item.get("eventID") else ""
            raise UnreadableRecord(index, f"record {index + 1} of the answer{named} has no SequenceNumber")
        item.setdefault("eventID", None)
        item.setdefault("eventName", None)


UNCHANGED = frozenset({"dynamodb", "eventName", "eventID"})
"""Members that are the same in a raw record and in the event."""


def judge(criteria: Filter, arn: str, region: str) -> Callable[[Mapping[str, Any]], Verdict]:
    """Makes the function that matches raw records. Patterns see the whole record of the event."""
    match = criteria.match
    if criteria.top_level_keys <= UNCHANGED:
        return match
    return lambda item: match(_of_somebody(item, arn, region))


def _of_somebody(item: Mapping[str, Any], arn: str, region: str) -> dict[str, Any]:
    """Also a change that was not a user's: an item's time to live was over."""
    event: dict[str, Any] = {
        "eventID": item["eventID"],
        "eventName": item["eventName"],
        "eventVersion": EVENT_VERSION,
        "eventSource": "aws:dynamodb",
        "awsRegion": region,
        "dynamodb": item["dynamodb"],
    }
    identity = item.get("userIdentity")
    if identity:
        given = {name[:1].lower() + name[1:]: value for name, value in identity.items()}
        ordered = {name: given.pop(name) for name in ("type", "principalId") if name in given}
        event["userIdentity"] = ordered | given
    event["eventSourceARN"] = arn
    return event


def key_of(item: Mapping[str, Any]) -> str:
    """The changed item's key as text, independent of the order of its attributes."""
    keys = item["dynamodb"].get("Keys")
    if not keys:
        number: str = item["dynamodb"]["SequenceNumber"]
        return number
    return codec.dumps(sorted(keys.items())).decode()


def batch_info(arn: str, shard_id: str, records: Sequence[Record]) -> dict[str, Any]:
    """`DDBStreamBatchInfo` of an invocation record; without records, that of a window's closing invocation."""
    if not records:
        return {"shardId": shard_id, "streamArn": arn}
    first, last = records[0].item["dynamodb"], records[-1].item["dynamodb"]
    return {
        "shardId": shard_id,
        "startSequenceNumber": first["SequenceNumber"],
        "endSequenceNumber": last["SequenceNumber"],
        "approximateArrivalOfFirstRecord": _created(first),
        "approximateArrivalOfLastRecord": _created(last),
        "batchSize": len(records),
        "streamArn": arn,
    }


def _created(change: Mapping[str, Any]) -> str | None:
    created = change.get("ApproximateCreationDateTime")
    return None if created is None else iso_seconds(created)
