"""The table of destination kinds. A new kind is one folder and one line here."""

from collections.abc import Mapping

from poller.destinations.eventbridge import EVENTBRIDGE_KIND
from poller.destinations.kind import DestinationKind
from poller.destinations.s3 import S3_KIND
from poller.destinations.sns import SNS_KIND
from poller.destinations.sqs import SQS_KIND
from poller.values.arns import instead_of_url

KINDS: Mapping[str, DestinationKind] = {
    kind.arn_service: kind for kind in (SQS_KIND, SNS_KIND, S3_KIND, EVENTBRIDGE_KIND)
}
"""By the service part of the ARN."""


def kind_of(arn: str) -> DestinationKind:
    """The kind of a destination that the configuration has checked."""
    return KINDS[arn.split(":")[2]]


def check_event_queue(arn: str) -> None:
    """Raises ValueError for what cannot keep events until they are invoked."""
    kinds = [kind for kind in KINDS.values() if kind.event_queue is not None]
    found = next((match for kind in kinds if (match := kind.arn.fullmatch(arn))), None)
    if found is None:
        raise ValueError(f"must be the ARN of {' or '.join(kind.title for kind in kinds)}{instead_of_url(arn)}")
    if found.groupdict().get("fifo"):
        raise ValueError("is a FIFO queue, which cannot hold one event back for a retry; name a standard one")


def check_destination(arn: str) -> None:
    """Raises ValueError for what cannot take the invocation records of a stream's mapping."""
    kinds = [kind for kind in KINDS.values() if kind.on_failure]
    *first, last = (kind.title for kind in kinds)
    known = f"{', '.join(first)} or {last}"
    if arn.startswith("kafka://"):
        raise ValueError(f"is for Kafka mappings only; name {known}")
    found = next((match for kind in kinds if (match := kind.arn.fullmatch(arn))), None)
    if found is None:
        raise ValueError(f"must be the ARN of {known}{instead_of_url(arn)}")
    if found.groupdict().get("fifo"):
        raise ValueError("is a FIFO queue or topic, which cannot be a destination, as in Lambda; name a standard one")
