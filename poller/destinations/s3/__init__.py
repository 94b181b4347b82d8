"""S3 buckets as a destination: their row, and all that only they know."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from poller.destinations.kind import DestinationKind
from poller.values.permissions import Grant

if TYPE_CHECKING:
    from poller.aws.transports import Borrowed, Transports
    from poller.configuration.model.mapping import EventSourceMapping
    from poller.ports.destination import Destination, HoldsRecords


async def _build(mapping: "EventSourceMapping", arn: str, _transports: "Borrowed | Transports") -> "Destination":
    """The bucket is called in the source's region; S3 refuses the call where the bucket is elsewhere."""
    from poller.aws.sdk_calls import SdkCalls  # noqa: PLC0415  (most mappings have no destination)
    from poller.destinations.s3.destination import S3Destination  # noqa: PLC0415

    return S3Destination(arn, SdkCalls(mapping.aws, mapping.source.region), mapping.uuid)


async def _held(
    mapping: "EventSourceMapping",
    arn: str,
    _transports: "Borrowed | Transports",
    _visibility: int,
) -> "HoldsRecords":
    from poller.aws.sdk_calls import SdkCalls  # noqa: PLC0415  (a redrive needs it, once)
    from poller.destinations.s3.held import HeldInBucket  # noqa: PLC0415

    return HeldInBucket(arn, SdkCalls(mapping.aws, mapping.source.region), mapping.uuid)


async def _look(mapping: "EventSourceMapping", arn: str, _transports: "Transports") -> None:
    from poller.aws.sdk_calls import SdkCalls  # noqa: PLC0415  (most mappings have no destination)
    from poller.destinations.s3.look import look  # noqa: PLC0415

    await look(SdkCalls(mapping.aws, mapping.source.region), arn)


def _objects(mapping: "EventSourceMapping", arn: str) -> str:
    """The objects that `S3Destination` writes for one mapping."""
    return f"{arn}/aws/lambda/{mapping.uuid}/*"


def _held_grants(mapping: "EventSourceMapping", arn: str) -> Iterator[Grant]:
    yield Grant("HeldObjects", ("s3:GetObject", "s3:DeleteObject"), _objects(mapping, arn))
    yield Grant("HeldBuckets", ("s3:ListBucket",), arn)


S3_KIND = DestinationKind(
    title="an S3 bucket",
    arn_service="s3",
    arn=re.compile(r"arn:aws[a-z-]*:s3:::[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"),
    on_failure=True,
    send_action="s3:PutObject",
    resource=_objects,
    look_action="s3:ListBucket",
    look=_look,
    build=_build,
    held=_held,
    held_grants=_held_grants,
)
