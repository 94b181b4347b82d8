"""Where reading goes on, however the pages come."""

from types import SimpleNamespace
from typing import Any

from poller.runtime.memory import Memory
from poller.runtime.stop import Stop
from poller.sources.sharded.api import Position, Shard, ShardPage
from poller.sources.sharded.clock import ServiceClock
from poller.sources.sharded.reader import ShardReader
from poller.sources.sharded.tips import Tips
from tests.sources.sharded.test_subscribed import Scripted


def page(*numbers, continuation, has_more=True):
    items = [{"SequenceNumber": number} for number in numbers]
    return ShardPage(items, "subscribed" if has_more else None, 10, 0.0, continuation=continuation)


async def test_the_record_to_begin_at_is_not_passed_over_when_a_subscription_ends_before_it_came():
    """An aggregate that was left half done is read AT its number, and a first event without records may name that."""
    subscriptions = Scripted(
        (0, page(continuation="7")),
        (6, None),
        (0, page("7", continuation="7")),
        (6, None),
        (0, page(continuation="9")),
        (6, None),
        (0, page(continuation=None, has_more=False)),
    )
    stream: Any = SimpleNamespace(
        subscriptions=subscriptions,
        admission=SimpleNamespace(lanes=lambda _: 1, memory=Memory(1 << 20)),
        clock=ServiceClock(),
        tips=Tips(),
        wall=lambda: 0.0,
        chance=lambda: 0.5,
        record_bytes=None,
        read_ahead=1 << 20,
        api=SimpleNamespace(
            largest_page=1 << 20, sequence_number=lambda item: item["SequenceNumber"], arrival=lambda _: 0.0
        ),
    )
    ended: list[Any] = []

    def take(_):
        reader.room.reserved.became(0)
        return True

    reads = SimpleNamespace(
        stop=Stop(), permit=None, full=False, empty=True, urgent=False, take=take, show=lambda _: None, end=ended.append
    )
    begin = Position("AT_SEQUENCE_NUMBER", "7")
    topology: Any = SimpleNamespace(closed=lambda _: True, has_more=lambda _: None)
    reader = ShardReader(stream, Shard("shard"), begin, reads, topology)
    await reader.run()
    assert [position for _, position in subscriptions.opened] == [
        begin,
        begin,
        Position("AFTER_SEQUENCE_NUMBER", "7"),
        Position("AFTER_SEQUENCE_NUMBER", "9"),
    ]
    assert ended == [()]
