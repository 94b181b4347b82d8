"""The members of a change record that a filter may name."""

from typing import Any

from poller.policy.filtering import Members

MEMBERS = Members(
    (
        *("dynamodb", "eventName", "eventID", "eventVersion", "eventSource", "awsRegion", "eventSourceARN"),
        "userIdentity",
    ),
    json_only="dynamodb",
    records="dynamodb",
)


def split(record: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """A record of an event is all members; it has no payload apart."""
    return record, ""
