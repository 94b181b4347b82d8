"""What Lambda's API says of mappings of queues."""

from collections.abc import Iterator

from poller.sources.kind import Given, LambdaWords
from poller.sources.sqs.parameters import FIFO_MOST, UNWINDOWED_MOST
from poller.values.arns import EventSource

LEAST_POLLERS, MOST_LEAST_POLLERS, MOST_POLLERS = 2, 200, 10_000


def _refusals(given: Given, source: EventSource) -> Iterator[str]:
    """In Lambda's words and order."""
    batch, window = given.get("BatchSize", FIFO_MOST), given.get("MaximumBatchingWindowInSeconds", 0)
    if source.fifo and window:
        yield "Batching window is not supported for FIFO queues"
    if source.fifo and batch > FIFO_MOST:
        yield f"Batch size must not exceed {FIFO_MOST} for FIFO queues"
    if batch > UNWINDOWED_MOST and not window:
        yield "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
    pollers = given.get("ProvisionedPollerConfig")
    if pollers is None:
        return
    if "MinimumPollers" not in pollers and "MaximumPollers" not in pollers:
        yield "Either MinimumPollers or MaximumPollers are required if ProvisionedPollerConfig is provided."
    if given.get("ScalingConfig"):
        yield (
            "Provisioned mode for SQS ESM does not support maximum concurrency feature. Use MaximumPollers as the "
            "control mechanism and remove maximum concurrency."
        )
    least = pollers.get("MinimumPollers", LEAST_POLLERS)
    if not (LEAST_POLLERS <= least <= MOST_LEAST_POLLERS and least <= pollers.get("MaximumPollers", MOST_POLLERS)):
        yield (
            f"MinimumPollers should be between [{LEAST_POLLERS}, {MOST_LEAST_POLLERS}] and MaximumPollers should be "
            f"between [MinimumPollers, {MOST_POLLERS}]"
        )


LAMBDA_WORDS = LambdaWords(
    reason="USER_INITIATED",
    rests_at_once=True,
    refusals=_refusals,
    exists=(
        'An event source mapping with SQS arn (" {source} ") and function (" {function} ") already exists. Please '
        "update or delete the existing mapping with UUID {uuid}"
    ),
    missing=(
        "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error "
        "Message: The specified queue does not exist."
    ),
    denied="The provided execution role does not have permissions to call {action} on SQS",
)
