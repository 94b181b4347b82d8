"""Destinations, which are told of discarded records, and queues that keep events until they are invoked."""

from typing import Any, Protocol


class Destination(Protocol):
    """An on-failure destination, which is notified of discarded records."""

    name: str
    """Its ARN."""

    async def send(self, record: dict[str, Any], *, batch_event: bytes, shard_id: str, now: float) -> None:
        """Send one invocation record, once. Raises CallError; the caller tries again.

        `batch_event` is the event of the discarded records, for destinations that store a payload beside the metadata;
        `now` the instant of the record's `timestamp`, epoch seconds.
        """
        ...


class EventQueue(Protocol):
    """Keeps events for a mapping that receives them one by one."""

    name: str
    """Its ARN."""

    async def put(self, event: str, *, beside: str, delay: int = 0) -> None:
        """Keep an event, with a text beside it, and hand it out after so many seconds. Raises CallError."""
        ...
