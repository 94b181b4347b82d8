"""One message of the fake SQS, and the digests that SQS computes over it."""

import base64
import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Attribute = dict[str, str]
"""A message attribute as on the wire: DataType and StringValue or BinaryValue (base64)."""


@dataclass(slots=True, eq=False)
class Message:
    """Times called `_at` are the loop's; those in milliseconds are wall time, as SQS reports them."""

    message_id: str
    body: str
    sent_ms: int
    sequence: int
    visible_at: float
    attributes: dict[str, Attribute] = field(default_factory=dict)
    group: str | None = None
    deduplication_id: str | None = None
    trace_header: str | None = None
    receives: int = 0
    first_received_ms: int | None = None
    received_at: float = 0.0
    handle: str | None = None
    """The newest receipt handle; None before the first receive."""
    moved_from: str | None = None
    """ARN of the queue that gave it up."""
    deleted: bool = False
    moved: bool = False
    """To the dead-letter queue; a copy lives on there."""

    def in_flight(self, now: float) -> bool:
        return self.handle is not None and self.visible_at > now and not self.deleted

    def system_attributes(self, sender: str) -> dict[str, str]:
        """All of them, as SQS names and spells them."""
        values: dict[str, Any] = {
            "SenderId": sender,
            "ApproximateFirstReceiveTimestamp": self.first_received_ms,
            "ApproximateReceiveCount": self.receives,
            "SentTimestamp": self.sent_ms,
            "SequenceNumber": None if self.deduplication_id is None else f"{self.sequence:020d}",
            "MessageDeduplicationId": self.deduplication_id,
            "MessageGroupId": self.group,
            "AWSTraceHeader": self.trace_header,
            "DeadLetterQueueSourceArn": self.moved_from,
        }
        return {name: str(value) for name, value in values.items() if value is not None}


def wire_attributes(attributes: Mapping[str, Any]) -> dict[str, Attribute]:
    """Text, bytes and numbers to the wire's form; what is in that form already stays."""
    return {name: _wire_attribute(value) for name, value in attributes.items()}


def _wire_attribute(value: Any) -> Attribute:
    match value:
        case str():
            return {"StringValue": value, "DataType": "String"}
        case bytes():
            return {"BinaryValue": base64.b64encode(value).decode(), "DataType": "Binary"}
        case int() | float():
            return {"StringValue": str(value), "DataType": "Number"}
    return dict(value)


def md5_of_body(body: str) -> str:
    return hashlib.md5(body.encode()).hexdigest()


def md5_of_attributes(attributes: Mapping[str, Attribute]) -> str:
    """As documented for message attributes: sorted by name, each part after its length, the kind as one byte."""
    digest = hashlib.md5()
    for name in sorted(attributes):
        attribute = attributes[name]
        binary = "BinaryValue" in attribute
        value = base64.b64decode(attribute["BinaryValue"]) if binary else attribute["StringValue"].encode()
        for part in (name.encode(), attribute["DataType"].encode()):
            digest.update(struct.pack(">I", len(part)) + part)
        digest.update((b"\x02" if binary else b"\x01") + struct.pack(">I", len(value)) + value)
    return digest.hexdigest()
