"""Registered consumers and their subscriptions: pushed events, five minutes each, one per shard and consumer."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from poller.http.reserved_bytes import ReservedBytes, fit
from poller.values.errors import CallError
from tests.fakes.streams.kinesis import FakeKinesis, KinesisStream, child_shards
from tests.fakes.streams.refusal import refusal
from tests.fakes.streams.shard import TICK, Shard

SUBSCRIPTION_SECONDS = 300.0
TAKEOVER_SECONDS = 5.0
"""A younger subscription is not taken over: the newcomer is refused."""
HEARTBEAT_SECONDS = 5.0
"""Between events while there is nothing to say."""
EVENT_RECORDS = 500
EVENT_BYTES = 2**20
PUSH_SECONDS = 0.07
"""From a put to its event."""
Body = dict[str, Any]


@dataclass(slots=True)
class Consumer:
    arn: str
    stream_arn: str
    status: str = "ACTIVE"


class FakeFanOut:
    """The consumers of an account. Events are made when they are asked for, as a service does that is made to wait."""

    def __init__(self, kinesis: FakeKinesis, clock: Callable[[], float]) -> None:
        self.consumers: dict[str, Consumer] = {}
        """By ARN."""
        self.opened = 0
        """Subscriptions so far."""
        self.refused = 0
        """Because another one was too young."""
        self.positions: list[Body] = []
        """Where subscriptions were asked to begin."""
        self.faults = list[CallError]()
        """Sent in the stream, or instead of its going on, at the next events."""
        self.continuations: set[str] = set()
        """Sequence numbers that subscriptions gave out to go on from."""
        self._kinesis = kinesis
        self._clock = clock
        self._live: dict[tuple[str, str], FakeSubscription] = {}

    def register(self, stream: KinesisStream, name: str) -> str:
        """The ARN."""
        arn = f"{stream.arn}/consumer/{name}:{int(self._clock())}"
        self.consumers[arn] = Consumer(arn, stream.arn)
        return arn

    def call(self, operation: str, body: bytes) -> bytes:
        request = json.loads(body)
        if operation == "RegisterStreamConsumer":
            stream = self._kinesis.stream_of(request["StreamARN"])
            consumer, answer = self.consumers[self.register(stream, request["ConsumerName"])], "Consumer"
        else:
            consumer, answer = self._consumer(request["ConsumerARN"]), "ConsumerDescription"
        described = {
            "ConsumerName": consumer.arn.rpartition("/")[2].partition(":")[0],
            "ConsumerARN": consumer.arn,
            "ConsumerStatus": consumer.status,
            "ConsumerCreationTimestamp": int(consumer.arn.rpartition(":")[2]),
        }
        if answer == "ConsumerDescription":
            described["StreamARN"] = consumer.stream_arn
        return json.dumps({answer: described}).encode()

    def subscribe(self, body: bytes) -> "FakeSubscription":
        request = json.loads(body)
        assert request.keys() == {"ConsumerARN", "ShardId", "StartingPosition"}, request.keys()
        consumer = self._consumer(request["ConsumerARN"])
        if consumer.status != "ACTIVE":
            raise refusal("ResourceInUseException", f"Consumer {consumer.arn} is not ACTIVE.")
        stream, shard = self._kinesis.shard_of(consumer.stream_arn, request["ShardId"])
        begin = request["StartingPosition"]
        self.positions.append(begin)
        assert begin.keys() <= {"Type", "SequenceNumber", "Timestamp"}, begin
        number, timestamp = begin.get("SequenceNumber"), begin.get("Timestamp")
        if number in self.continuations:
            cursor = stream.position(shard, begin["Type"], int(number), None)
        else:
            cursor = self._kinesis.begin(stream, shard, begin["Type"], number, timestamp)
        now, key = self._clock(), (consumer.arn, shard.id)
        earlier = self._live.get(key)
        if earlier is not None:
            if now - earlier.began < TAKEOVER_SECONDS - TICK:
                self.refused += 1
                message = f"Another active subscription exists for this consumer: {consumer.arn}"
                raise refusal("ResourceInUseException", message)
            earlier.taken_over = True
        self.opened += 1
        self._live[key] = FakeSubscription(self, stream, shard, cursor.after, self._clock)
        return self._live[key]

    def gone(self, subscription: "FakeSubscription") -> None:
        for key, live in list(self._live.items()):
            # how the service knows one that is young is not said; one that ended by itself is over
            if live is subscription and self._clock() - live.began >= TAKEOVER_SECONDS:
                del self._live[key]

    def _consumer(self, arn: str) -> Consumer:
        if arn not in self.consumers:
            raise refusal("ResourceNotFoundException", f"Consumer {arn} not found.")
        return self.consumers[arn]


class FakeSubscription:
    """An `EventStream`, whose events are made under the running loop's time."""

    def __init__(
        self, fan_out: FakeFanOut, stream: KinesisStream, shard: Shard, after: int, clock: Callable[[], float]
    ) -> None:
        self.date: float | None = clock()
        self.began = clock()
        self.taken_over = False
        self._fan_out = fan_out
        self._stream = stream
        self._shard = shard
        self._after = after
        self._clock = clock
        self._said = False
        self._over = False
        self._pending: bytes | None = None

    async def event(self, room: ReservedBytes | None = None) -> bytes | None:
        if self._pending is None:
            self._pending = await self._next()
        if self._pending is not None and room is not None:
            await fit(room, len(self._pending))
        event, self._pending = self._pending, None
        return event

    async def _next(self) -> bytes | None:
        heard = self._clock()
        while True:
            if self._over or self._clock() - self.began >= SUBSCRIPTION_SECONDS:
                await self.close()
                return None
            if self._fan_out.faults:
                raise self._fan_out.faults.pop(0)
            if self.taken_over:
                raise refusal("ResourceInUseException", "Another subscription took this one over.")
            self._stream.catch_up()
            read = self._stream.pushed(self._shard, self._after, EVENT_RECORDS, EVENT_BYTES)
            due = not self._said or self._clock() - heard >= HEARTBEAT_SECONDS - TICK
            if read.records or read.next is None or due:
                return self._event(read)
            left = min(HEARTBEAT_SECONDS - (self._clock() - heard), self.began + SUBSCRIPTION_SECONDS - self._clock())
            await self._stream.wait_for_put(left)
            await asyncio.sleep(PUSH_SECONDS)

    def _event(self, read: Any) -> bytes:
        self._said = True
        if read.records:
            self._after = read.records[-1].sequence
        # without records it moves on to a number that no record has
        continuation = self._after if read.records else max(self._after, self._shard.first) + 1
        self._fan_out.continuations.add(str(continuation))
        drained = read.next is not None and self._after >= self._shard.tip
        without = drained and self._stream.without_iterator > 0
        self._stream.without_iterator -= without
        self._over = read.next is None or without
        ends = b'"ChildShards":%s' % json.dumps(child_shards(read.children)).encode()
        goes_on = b'"ContinuationSequenceNumber":"%d"' % continuation
        return b'{"Records":[%s],"MillisBehindLatest":%d,%s}' % (
            b",".join(record.raw for record in read.records),
            max(0, int(read.behind * 1000)),
            b'"ContinuationSequenceNumber":null' if without else ends if self._over else goes_on,
        )

    async def close(self) -> None:
        self._over = True
        self._fan_out.gone(self)
