"""Looks whether a topic exists, for `poller check --connect`; sending needs no permission for it."""

from poller.aws.cold import ColdCalls


async def look(calls: ColdCalls, arn: str) -> None:
    """Raises CallError."""
    await calls.call("sns", "get_topic_attributes", TopicArn=arn)
