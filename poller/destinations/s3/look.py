"""Looks whether a bucket exists, for `poller check --connect`; sending needs no permission for it."""

from poller.aws.cold import ColdCalls


async def look(calls: ColdCalls, arn: str) -> None:
    """Raises CallError."""
    await calls.call("s3", "head_bucket", Bucket=arn.rpartition(":")[2])
