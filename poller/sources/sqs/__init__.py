"""SQS queues as a source: their row, and all that only they know."""

from poller.sources.kind import Development, Shared, SourceBuilder, SourceKind, no_findings
from poller.sources.sqs.lambda_words import LAMBDA_WORDS
from poller.sources.sqs.members import MEMBERS, split
from poller.sources.sqs.parameters import (
    INSTEAD,
    OWN,
    SERVICE,
    TAKES,
    cross_check,
    dead_letters,
    grants,
    lanes,
    read_arn,
)


def _builder(_shared: Shared) -> SourceBuilder:
    from poller.sources.sqs.building import QueueBuilder  # noqa: PLC0415  (the row is imported without the data plane)

    return QueueBuilder()


def _development() -> Development:
    from poller.sources.sqs.development import QueueDevelopment  # noqa: PLC0415  (only tools for developers need it)

    return QueueDevelopment()


SQS_KIND = SourceKind(
    name="sqs",
    title="an SQS queue",
    plural="SQS queues",
    column="SQS",
    arn_service="sqs",
    service=SERVICE,
    read_arn=read_arn,
    takes=TAKES,
    own=OWN,
    instead=INSTEAD,
    batch_size=10,
    cross_check=cross_check,
    cross_check_aws=no_findings,
    lambda_words=LAMBDA_WORDS,
    members=MEMBERS,
    sign="body",
    split=split,
    lanes=lanes,
    steady=False,
    # WaitTimeSeconds is whole, so a shorter rest of a window would be a loop of short polls
    shortest_receive=1.0,
    competing=True,
    grants=grants,
    dead_letters=dead_letters,
    builder=_builder,
    development=_development,
    messaging_system="aws_sqs",
)
