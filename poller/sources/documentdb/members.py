"""The members of a change that a filter may name."""

from typing import Any

from poller.policy.filtering import Members
from poller.support import codec

MEMBERS = Members(("event",), payload="event", json_only="event", records="documentdb")


def split(record: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """A record of an event: the change is all of it. Raises ValueError."""
    change = record.get("event")
    if not isinstance(change, dict):
        raise ValueError("not a record of documentdb: event is not an object")  # noqa: TRY004 - data, not a type of ours
    return {}, codec.dumps(change)
