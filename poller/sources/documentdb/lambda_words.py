"""What Lambda's API says of mappings of DocumentDB."""

from collections.abc import Iterator
from dataclasses import replace

from poller.sources.kind import Given
from poller.sources.sharded import lambda_words as sharded
from poller.values.arns import EventSource


def _refusals(given: Given, source: EventSource) -> Iterator[str]:
    """In Lambda's words, which name the member alone, and ours behind them."""
    yield from sharded.refusals(given, source)
    config = given.get("DocumentDBEventSourceConfig") or {}
    if not config.get("DatabaseName"):
        yield "Invalid parameters: documentDBEventSourceConfig, databaseName (it says which database is read)"
    access = given.get("SourceAccessConfigurations") or []
    if [one.get("Type") for one in access] != ["BASIC_AUTH"] or not access[0].get("URI"):
        yield (
            "Invalid parameters: sourceAccessConfigurations, sourceAccessConfigurations (one of type BASIC_AUTH, whose "
            "URI is the ARN of the secret with username and password)"
        )


LAMBDA_WORDS = replace(
    sharded.LAMBDA_WORDS,
    refusals=_refusals,
    missing="Cluster not found: {source}",
    denied="Cannot access cluster {source}. Please ensure that the database's user can read its change streams.",
)
