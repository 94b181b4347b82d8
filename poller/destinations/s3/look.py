"""Looks whether a bucket exists, for `poller check --connect`; sending needs no permission for it."""

from poller.aws.sdk_calls import SdkCalls


async def look(calls: SdkCalls, arn: str) -> None:
    """Raises CallError."""
    await calls.call("s3", "head_bucket", Bucket=arn.rpartition(":")[2])
