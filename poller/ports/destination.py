"""Destinations, which are told of discarded records, and queues that keep events until they are invoked."""

from dataclasses import dataclass
from typing import Any, Protocol

from poller.policy.beside import Amount


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


@dataclass(frozen=True, slots=True)
class Held:
    """An invocation record that a destination holds."""

    id: str
    handle: str
    """For the destination alone."""
    record: dict[str, Any]
    """Empty where it is no JSON object."""
    at: float | None = None
    """When it came there, epoch seconds."""


class HoldsRecords(Protocol):
    """A destination whose invocation records can be read. Each call may raise CallError."""

    name: str

    async def amount(self) -> Amount:
        """How many it holds, as far as that can be told before they are read."""
        ...

    async def next(self) -> Held | None:
        """The next one, hidden from others meanwhile where that is possible; None where there is none."""
        ...

    async def done(self, held: Held) -> None:
        """Forget it: its records have passed."""
        ...

    async def give_back(self, held: Held) -> None:
        """Show it to everybody again."""
        ...


class EventQueue(Protocol):
    """Keeps events for a mapping that receives them one by one."""

    name: str
    """Its ARN."""

    async def put(self, event: str, *, beside: str, delay: int = 0) -> None:
        """Keep an event, with a text beside it, and hand it out after so many seconds. Raises CallError."""
        ...
