"""Enhanced fan-out: one registered consumer's subscriptions to the shards of its stream.

The stream itself is described and listed as ever, by its own ARN; only records come another way, which costs nothing
of the throughput that readers share.
"""

from typing import Any

from poller.aws.port import AWS_JSON_1_1, EventStream, Operation, ReservedBytes, Transport
from poller.sources.kinesis.api import KinesisApi, children_in
from poller.sources.sharded.api import Position, ShardPage
from poller.sources.sharded.calls import MISSING, expecting, listed
from poller.sources.sharded.subscribed import IN_USE
from poller.support import codec
from poller.values.errors import ServiceError, ShardGone

SUBSCRIBE = Operation(
    "kinesis", "SubscribeToShard", "Kinesis_20131202.SubscribeToShard", AWS_JSON_1_1, timeout=30.0, resend=False
)
SUBSCRIBED = "subscribed"
"""Stands for the next iterator of a page: a subscription continues by itself."""
_ADVICE = {
    MISSING: "register the consumer (RegisterStreamConsumer), and write its ARN, which ends in its creation time",
    IN_USE: "another program subscribes with this consumer, or it is not ACTIVE; register one for each mapping",
}


class FanOut:
    """`Subscriptions` of one consumer."""

    call = SUBSCRIBE.name
    between = 5.0
    buffered = True

    def __init__(self, api: KinesisApi, transport: Transport, consumer_arn: str) -> None:
        self._api = api
        self._transport = transport
        self._consumer_arn = consumer_arn

    async def open(self, shard_id: str, position: Position) -> "ShardSubscription":
        """See `Subscriptions.open`."""
        begin: dict[str, Any] = {"Type": position.kind}
        if position.sequence_number is not None:
            begin["SequenceNumber"] = position.sequence_number
        if position.timestamp is not None:
            begin["Timestamp"] = position.timestamp
        request = {"ConsumerARN": self._consumer_arn, "ShardId": shard_id, "StartingPosition": begin}
        try:
            events = await self._transport.subscribe(SUBSCRIBE, codec.dumps(request))
        except ServiceError as error:
            # the stream, the shard or the consumer is gone; only the listing tells which
            if error.code == MISSING and all(shard.id != shard_id for shard in await self._api.shards()):
                raise ShardGone(str(error)) from error
            raise _advised(error) from error
        return ShardSubscription(events)


class ShardSubscription:
    """A `Subscription`."""

    def __init__(self, events: EventStream) -> None:
        self.date = events.date
        self._events = events

    async def page(self, room: ReservedBytes | None = None) -> ShardPage | None:
        """See `Subscription.page`."""
        try:
            event = await self._events.event(room)
        except ServiceError as error:
            raise _advised(error) from error
        return None if event is None else page_of(event)

    async def close(self) -> None:
        """See `Subscription.close`."""
        await self._events.close()


def page_of(event: bytes) -> ShardPage:
    """Of a SubscribeToShardEvent. Raises AnswerLost."""
    with expecting(SUBSCRIBE):
        members = codec.loads(event)
        children, continuation = children_in(members), members.get("ContinuationSequenceNumber") or None
        behind = members.get("MillisBehindLatest")
        return ShardPage(
            listed(members["Records"]),
            None if children or continuation is None else SUBSCRIBED,
            len(event),
            None if behind is None else behind / 1000,
            continuation=continuation,
            children=children,
        )


def _advised(error: ServiceError) -> ServiceError:
    advice = _ADVICE.get(error.code)
    if advice is None:
        return error
    message = f"{error.message}; {advice}"
    return ServiceError(error.status, error.code, message, retry_after=error.retry_after, body=error.body)
