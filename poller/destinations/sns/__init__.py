"""SNS topics as a destination: their row, and all that only they know."""

import re
from typing import TYPE_CHECKING

from poller.destinations.kind import DestinationKind, whole

if TYPE_CHECKING:
    from poller.aws.transports import Borrowed, Transports
    from poller.configuration.model.mapping import EventSourceMapping
    from poller.ports.destination import Destination


async def _build(mapping: "EventSourceMapping", arn: str, _transports: "Borrowed | Transports") -> "Destination":
    """The topic is called in its own region."""
    from poller.aws.sdk_calls import SdkCalls  # noqa: PLC0415  (most mappings have no destination)
    from poller.destinations.sns.destination import SnsDestination  # noqa: PLC0415

    return SnsDestination(arn, SdkCalls(mapping.aws, arn.split(":")[3]))


async def _look(mapping: "EventSourceMapping", arn: str, _transports: "Transports") -> None:
    from poller.aws.sdk_calls import SdkCalls  # noqa: PLC0415  (most mappings have no destination)
    from poller.destinations.sns.look import look  # noqa: PLC0415

    await look(SdkCalls(mapping.aws, arn.split(":")[3]), arn)


SNS_KIND = DestinationKind(
    title="an SNS topic",
    arn_service="sns",
    arn=re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}(?P<fifo>\.fifo)?"),
    on_failure=True,
    send_action="sns:Publish",
    resource=whole,
    look_action="sns:GetTopicAttributes",
    look=_look,
    build=_build,
)
