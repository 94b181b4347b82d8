"""Tells the on-failure destination of discarded records: the invocation record, and the event they were in."""

from uuid import uuid4

from poller.policy.invocation_record import Discarded, invocation_record
from poller.ports.destination import Destination
from poller.sources.sharded.api import ShardApi
from poller.sources.sharded.stream import Notify
from poller.sources.sharded.window_event import with_window


def notifier(api: ShardApi, destination: Destination, *, function_arn: str, event_source_arn: str) -> Notify:
    """Sends to one destination what one mapping discards."""

    async def notify(discarded: Discarded, shard_id: str, now: float) -> None:
        record = invocation_record(
            discarded,
            function_arn=function_arn,
            batch_info=api.batch_info(shard_id, discarded.records),
            now=now,
            request_id=str(uuid4()),
        )
        event, window = api.encoder(shard_id)(discarded.records), discarded.window
        if window is not None:
            final = not discarded.records
            event = with_window(event, window, shard_id=shard_id, arn=event_source_arn, final=final)
        await destination.send(record, batch_event=event, shard_id=shard_id, now=now)

    return notify
