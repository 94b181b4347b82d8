"""SQS queues as a destination: their row, and all that only they know."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from poller.destinations.kind import DestinationKind, whole
from poller.values.permissions import Grant
from poller.values.queues import queue_url

if TYPE_CHECKING:
    from poller.aws.port import Transport
    from poller.aws.transports import Borrowed, Transports
    from poller.configuration.model.mapping import EventSourceMapping
    from poller.ports.destination import Destination, EventQueue, HoldsRecords


async def _build(mapping: "EventSourceMapping", arn: str, transports: "Borrowed | Transports") -> "Destination":
    from poller.destinations.sqs.destination import SqsDestination  # noqa: PLC0415  (most mappings have none)

    return SqsDestination(arn, await _transport(mapping, arn, transports), _url(mapping, arn))


async def _event_queue(mapping: "EventSourceMapping", arn: str, transports: "Borrowed | Transports") -> "EventQueue":
    from poller.destinations.sqs.destination import SqsEventQueue  # noqa: PLC0415  (most mappings have none)

    return SqsEventQueue(arn, await _transport(mapping, arn, transports), _url(mapping, arn))


async def _held(
    mapping: "EventSourceMapping", arn: str, transports: "Borrowed | Transports", visibility: int
) -> "HoldsRecords":
    from poller.destinations.sqs.held import HeldInQueue  # noqa: PLC0415  (a redrive needs it, once)

    return HeldInQueue(arn, await _transport(mapping, arn, transports), _url(mapping, arn), visibility)


async def _look(mapping: "EventSourceMapping", arn: str, transports: "Transports") -> None:
    from poller.destinations.sqs.look import look  # noqa: PLC0415  (most mappings have none)

    await look(await _transport(mapping, arn, transports), _url(mapping, arn))


async def _transport(mapping: "EventSourceMapping", arn: str, transports: "Borrowed | Transports") -> "Transport":
    region = arn.split(":")[3]
    return await transports.get(mapping.aws, mapping.aws.region_of("sqs", region) or region)


def _url(mapping: "EventSourceMapping", arn: str) -> str:
    return queue_url(arn, mapping.aws.for_service("sqs")[0])


def _held_grants(_mapping: "EventSourceMapping", arn: str) -> Iterator[Grant]:
    actions = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes")
    yield Grant("HeldRecords", actions, arn)


SQS_KIND = DestinationKind(
    title="an SQS queue",
    arn_service="sqs",
    arn=re.compile(r"arn:aws[a-z-]*:sqs:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}(?P<fifo>\.fifo)?"),
    on_failure=True,
    send_action="sqs:SendMessage",
    resource=whole,
    look_action="sqs:GetQueueAttributes",
    look=_look,
    build=_build,
    event_queue=_event_queue,
    held=_held,
    held_grants=_held_grants,
)
