"""What a mapping of a change stream may say: the ARN, parameters and the checks between them, permissions."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from poller.sources.sharded import parameters as sharded
from poller.support.extras import how_to_install, is_installed
from poller.values.arns import HOME_ACCOUNT, Arn, EventSource, event_source
from poller.values.permissions import Grant

if TYPE_CHECKING:
    from poller.configuration.model.mapping import EventSourceMapping
    from poller.configuration.model.mapping_keys import WrittenMapping
    from poller.sources.kind import Finding

SERVICE = "docdb"
"""The SDK's name of it."""
TITLE = "a DocumentDB cluster"
TAKES = (sharded.TAKES - {"metrics_config"}) | {
    "starting_position_timestamp",
    "document_db_event_source_config",
    "source_access_configurations",
}
OWN = frozenset({"shadow", "mongodb", "extended_json", "on_history_lost", "on_stream_recreated"})
INSTEAD = {
    "scaling_config": "a change stream has one batch in work at once, or as many as its parallelization_factor",
    "provisioned_poller_config": "remove it; one cursor reads the stream",
    "metrics_config": "remove it; events are counted in any case",
}
WINDOW = 0.5
"""Seconds that a batch gathers where nothing is configured."""

_OTHER = re.compile(r"[^A-Za-z0-9-]+")
_CLUSTER = re.compile(r"cluster:[A-Za-z0-9-]{1,63}")
_DATABASE = re.compile(r'[^/\\. $"\0]{1,63}')
_COLLECTION = re.compile(r"(?!system\.)[A-Za-z0-9_][^$\0]{0,56}")


def read_arn(arn: Arn) -> EventSource:
    """Raises ValueError."""
    if not _CLUSTER.fullmatch(arn.resource):
        raise ValueError("does not end in cluster:NAME, as the ARN of a DocumentDB cluster does")
    return event_source(arn, kind="documentdb", service=SERVICE)


def stand_in(name: str, region: str) -> str:
    """The ARN of a cluster outside AWS, which events show and under which its position is stored."""
    return f"arn:aws:rds:{region}:{HOME_ACCOUNT}:cluster:{_OTHER.sub('-', name)[:63]}"


def grants(mapping: "EventSourceMapping") -> Iterator[Grant]:
    """To find the cluster and its secret; the database knows its own users."""
    if mapping.mongodb_uri is None:
        yield Grant("Clusters", ("rds:DescribeDBClusters",), mapping.event_source_arn)
    if mapping.source_secret is not None and mapping.source_secret.kind == "text":
        yield Grant("Secrets", ("secretsmanager:GetSecretValue",), mapping.source_secret.read())


def cross_check(written: "WrittenMapping", _source: EventSource) -> Iterator["Finding"]:
    """Parameters that cannot stand together."""
    yield from sharded.cross_check(written, TITLE, ("TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"))
    yield from _watched(written)
    if not (written.source_access_configurations or (written.mongodb and written.mongodb.uri)):
        yield ("source_access_configurations",), "is missing; its secret, or mongodb.uri, says who reads the cluster"
    elif not is_installed("documentdb"):
        yield (
            ("event_source_arn",),
            f"needs the MongoDB driver, which is not installed; run {how_to_install('documentdb')}",
        )


def _watched(written: "WrittenMapping") -> Iterator["Finding"]:
    config, at = written.document_db_event_source_config, "document_db_event_source_config"
    if config is None:
        yield (at,), "is missing; its database_name says which database is read"
        return
    if not _DATABASE.fullmatch(config.database_name):
        yield (at, "database_name"), 'must be 1 to 63 characters, none of them a space or / \\ . $ "'
    if config.collection_name is not None and not _COLLECTION.fullmatch(config.collection_name):
        yield (
            (at, "collection_name"),
            "must be 1 to 57 characters, begin with a letter, a digit or _, hold no $, and not begin with system.",
        )
