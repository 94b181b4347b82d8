"""The event of a Kinesis stream as Lambda would deliver it, and the batch information of an invocation record.

Timestamps stay the received numbers, and `Data` stays base64, as the event has it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from poller.policy.filtering import Filter, Verdict
from poller.policy.invocation_record import iso_milliseconds
from poller.support import codec
from poller.values.errors import UnreadableRecord
from poller.values.record import Record

ADDED_PER_RECORD = 712
"""An upper bound, in bytes, of what a record's event has beyond its data and key, the two ARNs apart: names and
constants, the timestamp, shard id and, twice, sequence number (128 characters at most each)."""


MOST_PER_CHARACTER = 6
"""Bytes of a character in JSON: `\\u0001`."""


def added_per_record(arn: str, invoke_identity_arn: str) -> int:
    return ADDED_PER_RECORD + len(arn) + len(codec.dumps(invoke_identity_arn))


def complete(items: Sequence[Any]) -> None:
    """See `ShardApi.complete`. Streams that distribute their records by themselves have records without a key."""
    for index, item in enumerate(items):
        if not isinstance(item, dict) or not item.get("SequenceNumber"):
            raise UnreadableRecord(index, f"record {index + 1} of the answer has no SequenceNumber")
        for name in ("PartitionKey", "Data", "ApproximateArrivalTimestamp"):
            item.setdefault(name, None)


def bound(items: Sequence[Any]) -> int:
    """Most bytes that the data and keys of raw records take in an event."""
    try:
        return _bound(items)
    except KeyError:
        complete(items)
        return _bound(items)


def _bound(items: Sequence[Any]) -> int:
    keys = sum([len(item["PartitionKey"] or "") for item in items])
    return sum([len(item["Data"] or "") for item in items]) + MOST_PER_CHARACTER * keys


def counted(items: Sequence[Any], size: int) -> int:
    """Bytes of an answer as the quota of reads counts them: data before base64, and keys. `size`, the bytes that were
    sent, stands for records that are not whole.
    """
    try:
        return sum([len(item["Data"]) * 3 // 4 + len(item["PartitionKey"]) for item in items])
    except (KeyError, TypeError):
        return size


def encoder(arn: str, region: str, invoke_identity_arn: str, shard_id: str) -> Callable[[Sequence[Record]], bytes]:
    """Makes `encode(records)`, one pass from raw records of one shard to the event's bytes."""
    prefix = f"{shard_id}:"

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
                        "kinesis": {
                            "kinesisSchemaVersion": "1.0",
                            "partitionKey": item["PartitionKey"],
                            "sequenceNumber": item["SequenceNumber"],
                            "data": item["Data"],
                            "approximateArrivalTimestamp": item["ApproximateArrivalTimestamp"],
                        },
                        "eventSource": "aws:kinesis",
                        "eventVersion": "1.0",
                        "eventID": prefix + item["SequenceNumber"],
                        "eventName": "aws:kinesis:record",
                        "invokeIdentityArn": invoke_identity_arn,
                        "awsRegion": region,
                        "eventSourceARN": arn,
                    }
                    for item in items
                ]
            }
        )

    return encode


def judge(
    criteria: Filter, arn: str, region: str, invoke_identity_arn: str, shard_id: str
) -> Callable[[Mapping[str, Any]], Verdict]:
    """Makes the function that matches raw records. Patterns see the members of `kinesis` at the top level, and decoded
    data.
    """
    match, needs_payload = criteria.match, criteria.needs_payload
    decode = codec.base64_decoder()

    def decoded(data: str) -> bytes:
        try:
            return decode(data, None, True)
        except (TypeError, ValueError):  # from a service that is not AWS; no JSON in any case
            return b""

    if not criteria.needs_view:
        return lambda item: match({}, decoded(item["Data"]))
    of_all = {
        "kinesisSchemaVersion": "1.0",
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": invoke_identity_arn,
        "awsRegion": region,
        "eventSourceARN": arn,
    }

    def verdict(item: Mapping[str, Any]) -> Verdict:
        view = of_all | {
            "partitionKey": item["PartitionKey"],
            "sequenceNumber": item["SequenceNumber"],
            "approximateArrivalTimestamp": item["ApproximateArrivalTimestamp"],
            "eventID": f"{shard_id}:{item['SequenceNumber']}",
        }
        return match(view, decoded(item["Data"]) if needs_payload else b"")

    return verdict


def batch_info(arn: str, shard_id: str, records: Sequence[Record]) -> dict[str, Any]:
    """`KinesisBatchInfo` of an invocation record; without records, that of a window's closing invocation."""
    if not records:
        return {"shardId": shard_id, "streamArn": arn}
    first, last = records[0].item, records[-1].item
    return {
        "shardId": shard_id,
        "startSequenceNumber": first["SequenceNumber"],
        "endSequenceNumber": last["SequenceNumber"],
        "approximateArrivalOfFirstRecord": _arrived(first),
        "approximateArrivalOfLastRecord": _arrived(last),
        "batchSize": len(records),
        "streamArn": arn,
    }


def _arrived(item: Mapping[str, Any]) -> str | None:
    arrival = item.get("ApproximateArrivalTimestamp")
    return None if arrival is None else iso_milliseconds(arrival)
