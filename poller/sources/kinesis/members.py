"""The members of a Kinesis record that a filter may name."""

from base64 import b64decode
from binascii import Error as NotBase64
from typing import Any

from poller.policy.filtering import Members

MEMBERS = Members(
    (
        *("data", "partitionKey", "sequenceNumber", "approximateArrivalTimestamp", "kinesisSchemaVersion"),
        *("eventSource", "eventVersion", "eventID", "eventName", "invokeIdentityArn", "awsRegion", "eventSourceARN"),
    ),
    payload="data",
    json_only="data",
    records="kinesis",
)


def split(record: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """A record of an event: the members beside the data, and the data after base64. Raises ValueError."""
    view = {name: value for name, value in record.items() if name != "kinesis"}
    inner = record.get("kinesis")
    data = inner
    if isinstance(inner, dict):
        view |= {name: value for name, value in inner.items() if name != "data"}
        data = inner.get("data")
    if not isinstance(data, str):
        raise ValueError("not a record of kinesis: kinesis.data is not a string")  # noqa: TRY004 - data, not a type of ours
    try:
        return view, b64decode(data, validate=True)
    except NotBase64 as error:
        raise ValueError(f"kinesis.data is not base64: {error}") from None
