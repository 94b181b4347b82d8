"""The URL of an SQS queue, and the ARN behind a URL. Both the source and the destination of that name call queues."""

import re

from poller.values.partitions import dns_suffix, partition_of

_QUEUE_URL = re.compile(
    r"https?://(?:sqs(?:-fips)?\.(?P<region>[a-z0-9-]+)\.|(?:(?P<former>[a-z0-9-]+)\.)?queue\.)?"
    r"(?:[^/]*?)(?P<china>\.com\.cn)?(?::\d+)?/(?:[^/]+/)*?(?P<account>\d{12})/(?P<name>[A-Za-z0-9_.-]+)/?"
)


def queue_url(arn: str, endpoint_url: str | None) -> str:
    """A queue's URL as its service gives it. With an endpoint of one's own only the path counts."""
    _, partition, _, region, account, name = arn.split(":")
    host = f"https://sqs.{region}.{dns_suffix(partition)}"
    return f"{(endpoint_url or host).rstrip('/')}/{account}/{name}"


def arn_of_queue_url(url: str) -> str | None:
    """The ARN of the queue behind a URL, with REGION where the URL names none; None for what is no queue's URL."""
    found = _QUEUE_URL.fullmatch(url)
    if found is None:
        return None
    region = found["region"] or found["former"] or "REGION"
    return f"arn:{partition_of(region)}:sqs:{region}:{found['account']}:{found['name']}"
