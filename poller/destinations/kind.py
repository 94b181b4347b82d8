"""DestinationKind: everything the program asks about a kind of destination. Each kind's folder gives one row of it.

A new kind is a folder with its row, and a line in `poller.destinations.kinds`. The configuration imports the rows, so
the module of a row imports values only; its functions import the modules that call a service.
"""

import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from poller.values.permissions import Grant

if TYPE_CHECKING:
    from poller.aws.transports import Borrowed, Transports
    from poller.configuration.model.mapping import EventSourceMapping
    from poller.ports.destination import Destination, EventQueue, HoldsRecords


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationKind:
    """One kind of destination."""

    title: str
    """For sentences: `an SQS queue`."""
    arn_service: str
    """The service part of its ARNs."""
    arn: re.Pattern[str]
    """Its ARNs; a group `fifo` matches where Lambda refuses the destination because it is ordered."""
    on_failure: bool
    """Whether a stream's mapping may send invocation records to it."""
    send_action: str
    """IAM's name of the call that sends."""
    resource: Callable[["EventSourceMapping", str], str]
    """What that action has to be allowed on, for one mapping and ARN."""
    look_action: str
    """IAM's name of the call that shows whether it exists; sending does not need it."""
    look: Callable[["EventSourceMapping", str, "Transports"], Awaitable[object]]
    """Makes that call. Raises CallError."""
    build: Callable[["EventSourceMapping", str, "Borrowed | Transports"], Awaitable["Destination"]]
    """The destination with this ARN. Makes no call."""
    event_queue: "Callable[[EventSourceMapping, str, Borrowed | Transports], Awaitable[EventQueue]] | None" = None
    """What keeps events until they are invoked; None for a kind that cannot. Makes no call."""
    held: "Callable[[EventSourceMapping, str, Borrowed | Transports, int], Awaitable[HoldsRecords]] | None" = None
    """What reads the invocation records that it holds, hidden from others for so many seconds; None for a kind that
    holds none. Makes no call."""

    held_grants: "Callable[[EventSourceMapping, str], Iterator[Grant]] | None" = None
    """The permissions that reading them, and forgetting what was redriven, needs."""

    def grant(self, mapping: "EventSourceMapping", arn: str) -> Grant:
        """The permission that sending needs."""
        return Grant("Destinations", (self.send_action,), self.resource(mapping, arn))


def whole(_mapping: "EventSourceMapping", arn: str) -> str:
    """For destinations whose ARN is itself the resource of the send."""
    return arn
