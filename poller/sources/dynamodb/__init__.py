"""DynamoDB streams as a source: their row, and all that only they know."""

from typing import TYPE_CHECKING

from poller.sources.dynamodb.lambda_words import LAMBDA_WORDS
from poller.sources.dynamodb.members import MEMBERS, split
from poller.sources.dynamodb.parameters import INSTEAD, OWN, SERVICE, TAKES, TITLE, cross_check, grants, read_arn
from poller.sources.kind import Development, Shared, SourceBuilder, SourceKind, no_findings
from poller.sources.sharded.parameters import lanes

if TYPE_CHECKING:
    from poller.aws.transports import Transports
    from poller.configuration.model.mapping import EventSourceMapping
    from poller.policy.progress import StreamProgress


def _builder(shared: Shared) -> SourceBuilder:
    from poller.sources.dynamodb.building import builder  # noqa: PLC0415  (the row is imported without the data plane)

    return builder(shared)


def _development() -> Development:
    from poller.sources.dynamodb.development import TableDevelopment  # noqa: PLC0415  (only tools for developers need it)

    return TableDevelopment()


async def _beginning_at(mapping: "EventSourceMapping", transports: "Transports", instant: float) -> "StreamProgress":
    from poller.sources.dynamodb.building import make  # noqa: PLC0415  (one command needs it, once)
    from poller.sources.sharded.beginning import beginning_at  # noqa: PLC0415

    api, _ = make(mapping, await transports.get(mapping.aws, mapping.region))
    return await beginning_at(api, mapping.name, mapping.event_source_arn, instant)


DYNAMODB_KIND = SourceKind(
    name="dynamodb",
    title=TITLE,
    plural="DynamoDB streams",
    column="DynamoDB",
    arn_service="dynamodb",
    service=SERVICE,
    read_arn=read_arn,
    takes=TAKES,
    own=OWN,
    instead=INSTEAD,
    batch_size=100,
    cross_check=cross_check,
    cross_check_aws=no_findings,
    lambda_words=LAMBDA_WORDS,
    members=MEMBERS,
    sign="dynamodb",
    split=split,
    lanes=lanes,
    steady=True,
    shortest_receive=0.0,
    competing=False,
    grants=grants,
    builder=_builder,
    beginning_at=_beginning_at,
    development=_development,
    messaging_system="aws_dynamodb_streams",
)
