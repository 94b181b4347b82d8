"""What Lambda's API says of mappings of any stream."""

from collections.abc import Iterator

from poller.sources.kind import Given, LambdaWords
from poller.sources.sharded.parameters import LEAST_AGE
from poller.values.arns import EventSource

AT_TIMESTAMP = "AT_TIMESTAMP"


def refusals(given: Given, _source: EventSource) -> Iterator[str]:
    """In Lambda's words and order."""
    position = given.get("StartingPosition")
    if position is None:
        yield (
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must "
            "not be null."
        )
    timed = "StartingPositionTimestamp" in given
    if timed and position != AT_TIMESTAMP:
        yield f"Timestamp only valid with StartingPosition {AT_TIMESTAMP}"
    if position == AT_TIMESTAMP and not timed:
        yield f"When the starting position is '{AT_TIMESTAMP}', a starting position timestamp must be provided."
    if given.get("DestinationConfig", {}).get("OnSuccess"):
        yield "OnSuccess configuration is not supported for event source mappings."
    if 0 <= given.get("MaximumRecordAgeInSeconds", -1) < LEAST_AGE:
        yield f"MaximumRecordAgeInSeconds must be either -1 (forever) or between {LEAST_AGE} and 604800 (inclusive)"
    if given.get("TumblingWindowInSeconds") and given.get("ParallelizationFactor", 1) > 1:
        yield "Parallelization factor must be equal to 1 when tumbling window period is configured"


LAMBDA_WORDS = LambdaWords(
    reason="User action",
    rests_at_once=False,
    refusals=refusals,
    exists=(
        'The event source arn (" {source} ") and function (" {function} ") provided mapping already exists. Please '
        "update or delete the existing mapping with UUID {uuid}"
    ),
    missing="Stream not found: {source}",
    denied=(
        "Cannot access stream {source}. Please ensure the role can perform the GetRecords, GetShardIterator, "
        "DescribeStream, and ListStreams Actions on your stream in IAM."
    ),
)
