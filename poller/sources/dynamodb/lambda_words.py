"""What Lambda's API says of mappings of DynamoDB streams."""

from collections.abc import Iterator
from dataclasses import replace

from poller.sources.kind import Given
from poller.sources.sharded import lambda_words as sharded
from poller.values.arns import EventSource


def _refusals(given: Given, source: EventSource) -> Iterator[str]:
    """In Lambda's words and order."""
    if given.get("StartingPosition") == sharded.AT_TIMESTAMP:
        yield f"Unsupported starting position for arn type: {source.arn}"
    yield from sharded.refusals(given, source)


LAMBDA_WORDS = replace(sharded.LAMBDA_WORDS, refusals=_refusals)
