"""EventBridge event buses as a destination: their row, and all that only they know."""

import re
from typing import TYPE_CHECKING

from poller.destinations.kind import DestinationKind, whole

if TYPE_CHECKING:
    from poller.aws.transports import Borrowed, Transports
    from poller.configuration.model.mapping import EventSourceMapping
    from poller.ports.destination import Destination


async def _build(mapping: "EventSourceMapping", arn: str, transports: "Borrowed | Transports") -> "Destination":
    from poller.destinations.eventbridge.destination import EventBusDestination  # noqa: PLC0415  (most have none)

    region = arn.split(":")[3]
    return EventBusDestination(
        arn, await transports.get(mapping.aws, mapping.aws.region_of("events", region) or region)
    )


async def _look(mapping: "EventSourceMapping", arn: str, _transports: "Transports") -> None:
    from poller.aws.sdk_calls import SdkCalls  # noqa: PLC0415  (most mappings have no destination)
    from poller.destinations.eventbridge.look import look  # noqa: PLC0415

    await look(SdkCalls(mapping.aws, arn.split(":")[3]), arn)


EVENTBRIDGE_KIND = DestinationKind(
    title="an EventBridge event bus",
    arn_service="events",
    arn=re.compile(r"arn:aws[a-z-]*:events:[a-z0-9-]+:\d{12}:event-bus/[A-Za-z0-9._/-]{1,256}"),
    on_failure=True,
    send_action="events:PutEvents",
    resource=whole,
    look_action="events:DescribeEventBus",
    look=_look,
    build=_build,
)
