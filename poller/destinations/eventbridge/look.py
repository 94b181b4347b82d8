"""Looks whether an event bus exists, for `poller check --connect`; sending needs no permission for it."""

from poller.aws.sdk_calls import SdkCalls


async def look(calls: SdkCalls, arn: str) -> None:
    """Raises CallError."""
    await calls.call("events", "describe_event_bus", Name=arn)
