"""One message as its queue sent it. Only this module reads a message's members.

The rest of the source asks for what it needs of a message, or of all messages of a batch at once. Another
representation of a page, one that parses less of each message, can thus be put behind this module alone.

AWS sends every member, but its service model requires none. Compatible services leave members out or send another
type. So each message is made whole when it is received, and no later reader expects a member to be missing.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from poller.policy.filtering import Filter, Verdict
from poller.sources.sqs.queue import QueueName, number
from poller.support import codec
from poller.values.record import Record

Message = dict[str, Any]
"""A message after `made_whole`."""
SHOWN = 100
"""Characters of what was received in place of a message."""
ATTRIBUTE_ORDER = (
    "ApproximateReceiveCount",
    "AWSTraceHeader",
    "SentTimestamp",
    "SequenceNumber",
    "MessageGroupId",
    "SenderId",
    "MessageDeduplicationId",
    "ApproximateFirstReceiveTimestamp",
    "DeadLetterQueueSourceArn",
)
"""Of `attributes`, as Lambda writes them; what it does not know follows."""
NOT_PASSED_ON = "SqsManagedSseEnabled"
PLAIN_MEMBERS = 5
"""Members of a message without attributes of its own: `is_whole` names them."""
PLAIN_ATTRIBUTES = 4
"""Of a message of a standard queue."""


def is_whole(messages: Sequence[Any], *, fifo: bool) -> bool:
    """Whether every message has what the rest of the way relies on.

    The one check that every message passes: a plain loop, since measured it costs a third of the same with `map`.
    """
    try:
        for message in messages:
            if (
                type(message["MessageId"]) is not str
                or type(message["ReceiptHandle"]) is not str
                or type(message["Body"]) is not str
                or type(message["MD5OfBody"]) is not str
                or type(message["Attributes"]) is not dict
                or (len(message) > PLAIN_MEMBERS and not _has_whole_attributes(message))
                or (fifo and type(message["Attributes"].get("MessageGroupId")) is not str)
            ):
                return False
    except (KeyError, TypeError):
        return False
    return True


def _has_whole_attributes(message: dict[str, Any]) -> bool:
    attributes = message.get("MessageAttributes", {})
    return type(attributes) is dict and all(
        type(value) is dict and type(value.get("DataType")) is str for value in attributes.values()
    )


def made_whole(given: object) -> Message | None:
    """The message with what it lacks; None where it cannot be delivered.

    The receipt handle stands in for a missing id: it tells the message apart, and a function can name it as failed.
    """
    if not isinstance(given, dict) or not given.get("ReceiptHandle") or not isinstance(given["ReceiptHandle"], str):
        return None
    message = dict(given)
    message["MessageId"] = _text(given.get("MessageId")) or given["ReceiptHandle"]
    message["Body"] = body = _text(given.get("Body"))
    md5 = given.get("MD5OfBody")
    message["MD5OfBody"] = md5 if isinstance(md5, str) else _md5(body)
    message["Attributes"] = {name: _text(value) for name, value in _object(given.get("Attributes")).items()}
    if "MessageAttributes" in given:
        attributes = _object(given["MessageAttributes"])
        message["MessageAttributes"] = {name: _attribute(value) for name, value in attributes.items()}
    return message


def name_of(given: object) -> str:
    """The message that cannot be delivered, for a person: its id, or what there is in its place."""
    if isinstance(given, dict) and given.get("MessageId"):
        return _text(given["MessageId"])
    return _text(given)[:SHOWN]


def records_of(messages: Sequence[Message], hold: object) -> list[Record]:
    """One record for each message; all share what holds them."""
    return [Record(message, message["MessageId"], None, hold) for message in messages]


def set_groups(records: Sequence[Record]) -> None:
    """FIFO: the message group becomes the ordering key."""
    for record in records:
        # without a group, of a compatible service, all such messages are one
        record.key = record.item["Attributes"].get("MessageGroupId", "")


def identifiers_of(messages: Sequence[Message]) -> set[str]:
    """The different message ids."""
    return {message["MessageId"] for message in messages}


def receipts_of(records: Sequence[Record]) -> list[str]:
    """The receipt handles, by which messages are deleted and their visibility is changed."""
    return [record.item["ReceiptHandle"] for record in records]


def identifier_of(message: Message) -> str:
    """The message id."""
    identifier: str = message["MessageId"]
    return identifier


def renew_receipt(known: Message, again: Message) -> None:
    """The same message was received again: from now on the newest receipt handle counts."""
    known["ReceiptHandle"] = again["ReceiptHandle"]


def body_of(message: Message) -> str:
    """The payload."""
    body: str = message["Body"]
    return body


def set_body(message: Message, body: str) -> None:
    """Put another payload in its place; id, receipt handle and attributes stay."""
    message["Body"] = body


def trace_header_of(message: Message) -> Any:
    """What AWSTraceHeader says; None where the message has none."""
    attributes = message.get("Attributes")
    return None if attributes is None else attributes.get("AWSTraceHeader")


def traceparent_of(message: Message) -> str | None:
    """The message attribute `traceparent`; None for a message without it, or with something other than a text."""
    attribute = (message.get("MessageAttributes") or {}).get("traceparent") or {}
    value = attribute.get("StringValue")
    return value if isinstance(value, str) else None


def sent_at(message: Message) -> float | None:
    """When it was sent, in epoch seconds; None where a compatible service does not say, or not as a number."""
    attributes = message.get("Attributes")
    milliseconds = number(attributes.get("SentTimestamp")) if isinstance(attributes, dict) else None
    return milliseconds / 1000 if milliseconds else None


def entry_of(message: Message, *, fifo: bool) -> dict[str, Any]:
    """The entry of a SendMessageBatch that sends the same message to another queue. `fifo` is that queue's kind."""
    entry = {"MessageBody": message["Body"]}
    if message.get("MessageAttributes"):
        entry["MessageAttributes"] = message["MessageAttributes"]
    attributes = message["Attributes"]
    if "AWSTraceHeader" in attributes:
        header = {"DataType": "String", "StringValue": attributes["AWSTraceHeader"]}
        entry["MessageSystemAttributes"] = {"AWSTraceHeader": header}
    # a standard queue with groups is a fair queue: without them it would no longer be fair
    if "MessageGroupId" in attributes:
        entry["MessageGroupId"] = attributes["MessageGroupId"]
    if fifo:
        entry.setdefault("MessageGroupId", message["MessageId"])
        entry["MessageDeduplicationId"] = attributes.get("MessageDeduplicationId", message["MessageId"])
    return entry


def judge(criteria: Filter, name: QueueName) -> Callable[[Mapping[str, Any]], Verdict]:
    """Makes the function that matches raw messages. It prepares only the parts that the patterns need."""
    arn, region, match = name.arn, name.region, criteria.match
    if criteria.needs_view:
        return lambda message: match(event_of(message, arn, region), message["Body"])
    return lambda message: match({}, message["Body"])


def events_of(records: Sequence[Record], arn: str, region: str) -> list[dict[str, Any]]:
    """What the event says of each message.

    Written out for the members that every message of a standard queue has: a call for each message would cost half as
    much again.
    """
    events = []
    for record in records:
        message = record.item
        try:
            attributes = message["Attributes"]
            if len(message) != PLAIN_MEMBERS or len(attributes) != PLAIN_ATTRIBUTES:
                events.append(event_of(message, arn, region))
                continue
            event = {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": {
                    "ApproximateReceiveCount": attributes["ApproximateReceiveCount"],
                    "SentTimestamp": attributes["SentTimestamp"],
                    "SenderId": attributes["SenderId"],
                    "ApproximateFirstReceiveTimestamp": attributes["ApproximateFirstReceiveTimestamp"],
                },
                "messageAttributes": {},
                "md5OfBody": message["MD5OfBody"],
                "eventSource": "aws:sqs",
                "eventSourceARN": arn,
                "awsRegion": region,
            }
        except KeyError:
            event = event_of(message, arn, region)
        events.append(event)
    return events


def event_of(message: Mapping[str, Any], arn: str, region: str) -> dict[str, Any]:
    """What the event says of any message."""
    attributes = message.get("MessageAttributes") or {}
    event = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": _system_attributes(message.get("Attributes") or {}),
        "messageAttributes": {key: _event_attribute(value) for key, value in attributes.items()},
    }
    if "MD5OfMessageAttributes" in message:
        event["md5OfMessageAttributes"] = message["MD5OfMessageAttributes"]
    return event | {
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": region,
    }


def _system_attributes(given: Mapping[str, Any]) -> dict[str, Any]:
    ordered = {key: given[key] for key in ATTRIBUTE_ORDER if key in given}
    if len(ordered) != len(given):
        ordered |= {key: value for key, value in given.items() if key not in ordered and key != NOT_PASSED_ON}
    return ordered


def _event_attribute(given: Mapping[str, Any]) -> dict[str, Any]:
    event: dict[str, Any] = {}
    if "StringValue" in given:
        event["stringValue"] = given["StringValue"]
    if "BinaryValue" in given:
        event["binaryValue"] = given["BinaryValue"]
    event["stringListValues"] = []
    event["binaryListValues"] = []
    event["dataType"] = given["DataType"]
    return event


def _md5(body: str) -> str:
    return hashlib.md5(body.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def _attribute(given: Any) -> dict[str, Any]:
    """A message attribute with its type."""
    value = given if isinstance(given, dict) else {"StringValue": _text(given)}
    if isinstance(value.get("DataType"), str):
        return value
    return value | {"DataType": "Binary" if value.get("BinaryValue") is not None else "String"}


def _object(given: Any) -> dict[str, Any]:
    return given if isinstance(given, dict) else {}


def _text(given: Any) -> str:
    if given is None:
        return ""
    return given if isinstance(given, str) else codec.dumps(given).decode()
