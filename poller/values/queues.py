"""The URL of an SQS queue, and the ARN of the queue behind a URL. The source and the destination share them."""

import re

from poller.values.partitions import dns_suffix, partition_of

_QUEUE_URL = re.compile(
    r"https?://(?:sqs(?:-fips)?\.(?P<region>[a-z0-9-]+)\.|(?:(?P<former>[a-z0-9-]+)\.)?queue\.)?"
    r"(?:[^/]*?)(?P<china>\.com\.cn)?(?::\d+)?/(?:[^/]+/)*?(?P<account>\d{12})/(?P<name>[A-Za-z0-9_.-]+)/?"
)


def queue_url(arn: str, endpoint_url: str | None) -> str:
    """A queue's URL as the service gives it. With a custom endpoint only the path counts."""
    _, partition, _, region, account, name = arn.split(":")
    host = f"https://sqs.{region}.{dns_suffix(partition)}"
    return f"{(endpoint_url or host).rstrip('/')}/{account}/{name}"


def arn_of_queue_url(url: str) -> str | None:
    """The ARN of the queue behind a URL, with REGION where the URL names none; None for any other URL."""
    found = _QUEUE_URL.fullmatch(url)
    if found is None:
        return None
    region = found["region"] or found["former"] or "REGION"
    return f"arn:{partition_of(region)}:sqs:{region}:{found['account']}:{found['name']}"
