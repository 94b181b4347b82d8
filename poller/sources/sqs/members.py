"""The members of a message that a filter may name."""

from typing import Any

from poller.policy.filtering import Members

MEMBERS = Members(
    (
        *("body", "messageId", "receiptHandle", "attributes", "messageAttributes", "md5OfBody"),
        *("md5OfMessageAttributes", "eventSource", "eventSourceARN", "awsRegion"),
    ),
    payload="body",
    records="sqs",
)


def split(record: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """A record of an event: the members beside the body, and the body. Raises ValueError."""
    body = record.get("body")
    if not isinstance(body, str):
        raise ValueError("not a record of sqs: body is not a string")  # noqa: TRY004 - data, not a type of ours
    return {name: value for name, value in record.items() if name != "body"}, body
