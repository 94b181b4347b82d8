"""The table of source kinds. A new kind is one folder and one line here."""

from collections.abc import Mapping

from poller.sources.documentdb import DOCUMENTDB_KIND
from poller.sources.dynamodb import DYNAMODB_KIND
from poller.sources.kind import SourceKind
from poller.sources.kinesis import KINESIS_KIND
from poller.sources.sqs import SQS_KIND
from poller.values.arns import EventSource, instead_of_url, split_arn

KINDS: Mapping[str, SourceKind] = {kind.name: kind for kind in (SQS_KIND, KINESIS_KIND, DYNAMODB_KIND, DOCUMENTDB_KIND)}
"""By name."""

_BY_SERVICE = {kind.arn_service: kind for kind in KINDS.values()}


def parse_source(arn: str) -> EventSource:
    """Raises ValueError with the reason."""
    found = split_arn(arn)
    if found is None:
        raise ValueError(f"is not an ARN such as arn:aws:sqs:eu-west-1:123456789012:orders{instead_of_url(arn)}")
    kind = _BY_SERVICE.get(found.service)
    if kind is None:
        known = ", ".join(_BY_SERVICE)
        raise ValueError(f"is an ARN of {found.service!r}, which is not an event source here; it can be one of {known}")
    if not found.region or not found.account:
        region, account = found.region or "REGION", found.account or "ACCOUNT"
        whole = f"arn:{found.partition}:{found.service}:{region}:{account}:{found.resource}"
        raise ValueError(f"names no region or no account; write the whole ARN, {whole}")
    return kind.read_arn(found)
