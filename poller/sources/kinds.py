"""The table of source kinds. A new kind is one folder and one line here."""

from collections.abc import Mapping

from poller.sources.dynamodb import DYNAMODB_KIND
from poller.sources.kind import SourceKind
from poller.sources.kinesis import KINESIS_KIND
from poller.sources.sqs import SQS_KIND
from poller.values.arns import EventSource, instead_of_url, split_arn

KINDS: Mapping[str, SourceKind] = {kind.name: kind for kind in (SQS_KIND, KINESIS_KIND, DYNAMODB_KIND)}
"""By name."""
LATER: Mapping[str, str] = {"rds": "a DocumentDB cluster"}
"""Event sources of Lambda that a later version brings, by the service of their ARN, with their titles."""

_BY_SERVICE = {kind.arn_service: kind for kind in KINDS.values()}


class SourceOfLater(ValueError):
    """The ARN names an event source that is not supported yet."""


def parse_source(arn: str) -> EventSource:
    """Raises ValueError with the reason; `SourceOfLater` where a later version will take the ARN."""
    found = split_arn(arn)
    if found is None:
        raise ValueError(f"is not an ARN such as arn:aws:sqs:eu-west-1:123456789012:orders{instead_of_url(arn)}")
    kind = _BY_SERVICE.get(found.service)
    if kind is None and found.service not in LATER:
        known = ", ".join(_BY_SERVICE)
        raise ValueError(f"is an ARN of {found.service!r}, which is not an event source here; it can be one of {known}")
    if not found.region or not found.account:
        region, account = found.region or "REGION", found.account or "ACCOUNT"
        whole = f"arn:{found.partition}:{found.service}:{region}:{account}:{found.resource}"
        raise ValueError(f"names no region or no account; write the whole ARN, {whole}")
    if kind is None:
        raise SourceOfLater(f"names {LATER[found.service]}, which is not supported yet; queues and streams are")
    return kind.read_arn(found)
