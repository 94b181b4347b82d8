"""Where discarded records are reported: on-failure destinations."""

from typing import Any, Protocol


class Destination(Protocol):
    """Where records that were given up are told of: an on-failure destination."""

    name: str
    """Its ARN."""

    async def send(self, record: dict[str, Any], *, batch_event: bytes, shard_id: str, now: float) -> None:
        """Send one invocation record, once. Raises CallError; the caller tries again.

        `batch_event` is the event of the records given up, for destinations that hold a payload beside the metadata;
        `now` the instant of the record's `timestamp`, epoch seconds.
        """
        ...
