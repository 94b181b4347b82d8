"""Kinesis data streams as a source, polled or pushed (enhanced fan-out): their row, and all that only they know."""

from typing import TYPE_CHECKING

from poller.sources.kind import Development, Shared, SourceBuilder, SourceKind
from poller.sources.kinesis.members import MEMBERS, split
from poller.sources.kinesis.parameters import (
    INSTEAD,
    OWN,
    SERVICE,
    TAKES,
    TITLE,
    cross_check,
    cross_check_aws,
    grants,
    read_arn,
)
from poller.sources.sharded.lambda_words import LAMBDA_WORDS
from poller.sources.sharded.parameters import lanes

if TYPE_CHECKING:
    from poller.aws.transports import Transports
    from poller.configuration.model.mapping import EventSourceMapping
    from poller.policy.progress import StreamProgress


def _builder(shared: Shared) -> SourceBuilder:
    from poller.sources.kinesis.building import builder  # noqa: PLC0415  (the row is imported without the data plane)

    return builder(shared)


def _development() -> Development:
    from poller.sources.kinesis.development import StreamDevelopment  # noqa: PLC0415  (only tools for developers need it)

    return StreamDevelopment()


async def _left_by_kcl(mapping: "EventSourceMapping", transports: "Transports", table: str) -> "StreamProgress":
    from poller.sources.kinesis.kcl import Taker, left_by_kcl  # noqa: PLC0415  (one command needs it, once)

    source = mapping.source
    deaggregate, at_time = mapping.deaggregate or source.fan_out, mapping.starting_position == "AT_TIMESTAMP"
    transport = await transports.get(mapping.aws, source.region)
    taker = Taker(mapping.name, source.stream_arn, source.account, source.region, deaggregate, at_time)
    return await left_by_kcl(transport, table, taker)


async def _beginning_at(mapping: "EventSourceMapping", transports: "Transports", instant: float) -> "StreamProgress":
    from poller.sources.kinesis.building import make  # noqa: PLC0415  (one command needs it, once)
    from poller.sources.sharded.beginning import beginning_at  # noqa: PLC0415

    api, _ = make(mapping, await transports.get(mapping.aws, mapping.region))
    return await beginning_at(api, mapping.name, mapping.event_source_arn, instant)


KINESIS_KIND = SourceKind(
    name="kinesis",
    title=TITLE,
    plural="Kinesis streams",
    column="Kinesis",
    arn_service="kinesis",
    service=SERVICE,
    read_arn=read_arn,
    takes=TAKES,
    own=OWN,
    instead=INSTEAD,
    batch_size=100,
    cross_check=cross_check,
    cross_check_aws=cross_check_aws,
    lambda_words=LAMBDA_WORDS,
    members=MEMBERS,
    sign="kinesis",
    split=split,
    lanes=lanes,
    steady=True,
    shortest_receive=0.0,
    competing=False,
    grants=grants,
    builder=_builder,
    beginning_at=_beginning_at,
    left_by_kcl=_left_by_kcl,
    development=_development,
    messaging_system="aws_kinesis",
)
