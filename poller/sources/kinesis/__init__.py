"""Kinesis data streams as a source, polled or pushed (enhanced fan-out): their row, and all that only they know."""

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


def _builder(shared: Shared) -> SourceBuilder:
    from poller.sources.kinesis.building import builder  # noqa: PLC0415  (the row is imported without the data plane)

    return builder(shared)


def _development() -> Development:
    from poller.sources.kinesis.development import StreamDevelopment  # noqa: PLC0415  (only tools for developers need it)

    return StreamDevelopment()


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
    development=_development,
    messaging_system="aws_kinesis",
)
