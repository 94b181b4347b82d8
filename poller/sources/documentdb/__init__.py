"""Change streams of DocumentDB and MongoDB as a source: their row, and all that only they know."""

from poller.sources.documentdb.lambda_words import LAMBDA_WORDS
from poller.sources.documentdb.members import MEMBERS, split
from poller.sources.documentdb.parameters import (
    INSTEAD,
    OWN,
    SERVICE,
    TAKES,
    TITLE,
    WINDOW,
    cross_check,
    grants,
    read_arn,
    stand_in,
)
from poller.sources.kind import Shared, SourceBuilder, SourceKind, no_findings
from poller.sources.sharded.parameters import lanes


def _builder(shared: Shared) -> SourceBuilder:
    from poller.sources.documentdb.building import builder  # noqa: PLC0415  (the row is imported without the driver)

    return builder(shared)


DOCUMENTDB_KIND = SourceKind(
    name="documentdb",
    title=TITLE,
    plural="DocumentDB and MongoDB",
    column="DocumentDB",
    arn_service="rds",
    service=SERVICE,
    read_arn=read_arn,
    reached_by=("mongodb", "uri"),
    stand_in=stand_in,
    takes=TAKES,
    own=OWN,
    instead=INSTEAD,
    batch_size=100,
    batching_window=WINDOW,
    cross_check=cross_check,
    cross_check_aws=no_findings,
    lambda_words=LAMBDA_WORDS,
    members=MEMBERS,
    sign="event",
    split=split,
    lanes=lanes,
    steady=True,
    shortest_receive=0.0,
    competing=False,
    grants=grants,
    builder=_builder,
    messaging_system="mongodb",
)
