"""What `Subscriptions` promise of one consumer, over the fake and over real servers.

An open shard is as far as the servers go: what MiniStack keeps of a split one is not worth the name, and kinesis-local
subscribes nobody. The fake alone is held to the rest, in journeys.
"""

import pytest

from poller.sources.kinesis.fan_out import FanOut
from poller.sources.sharded.api import Position, ShardPage
from poller.values.errors import ServiceError, ShardGone, StreamGone
from tests.contracts.shards import kinesis, only_shard, promise

START = Position("TRIM_HORIZON")
SERVERS = ("fake_kinesis", "ministack_kinesis")


async def pushed(subscription, most):
    """Pages until they hold so many records."""
    pages: list[ShardPage] = []
    while sum(len(page.records) for page in pages) < most:
        pages.append(await subscription.page())
    return pages


def data(pages):
    return [item["Data"] for page in pages for item in page.records]


@promise(*SERVERS)
async def test_what_is_there_and_what_comes_is_pushed_in_order(backend):
    consumer, shard = backend.consumer(), await only_shard(backend.api)
    backend.put("a", "one")
    subscription = await consumer.open(shard, START)
    assert subscription.date is not None
    pages = await pushed(subscription, 1)
    backend.put("a", "two")
    backend.put("b", "three")
    pages += await pushed(subscription, 2)
    await subscription.close()
    assert data(pages) == ["b25l", "dHdv", "dGhyZWU="]
    numbers = [int(backend.api.sequence_number(item)) for page in pages for item in page.records]
    assert numbers == sorted(set(numbers))
    assert all(page.next_iterator and page.continuation and page.behind_seconds is not None for page in pages)
    assert abs(backend.api.arrival(pages[0].records[0]) - subscription.date) < 60


@promise(*SERVERS)
async def test_a_subscription_begins_behind_a_number_and_at_an_instant(backend):
    consumer, shard = backend.consumer(), await only_shard(backend.api)
    backend.put("a", "one")
    backend.put("a", "two")
    first = await consumer.open(shard, START)
    [one, two] = [item for page in await pushed(first, 2) for item in page.records]
    await first.close()
    # a consumer of its own each, since one may subscribe once in five seconds
    for number, position, expected in (
        (1, Position("AFTER_SEQUENCE_NUMBER", backend.api.sequence_number(one)), ["dHdv"]),
        (2, Position("AT_SEQUENCE_NUMBER", backend.api.sequence_number(two)), ["dHdv"]),
        (3, Position("AT_TIMESTAMP", timestamp=backend.api.arrival(one) - 1), ["b25l", "dHdv"]),
    ):
        subscription = await backend.consumer(f"c{number}").open(shard, position)
        assert data(await pushed(subscription, len(expected))) == expected
        await subscription.close()


@promise(*SERVERS)
async def test_one_goes_on_from_where_a_page_without_records_said(backend):
    shard = await only_shard(backend.api)
    quiet = await backend.consumer().open(shard, START)
    page = await quiet.page()
    await quiet.close()
    assert page.records == []
    backend.put("a", "one")
    subscription = await backend.consumer("d").open(shard, Position("AFTER_SEQUENCE_NUMBER", page.continuation))
    assert data(await pushed(subscription, 1)) == ["b25l"]
    await subscription.close()


@promise(*SERVERS)
async def test_a_second_subscription_within_seconds_is_refused(backend):
    consumer, shard = backend.consumer(), await only_shard(backend.api)
    subscription = await consumer.open(shard, START)
    await subscription.page()
    with pytest.raises(ServiceError, match="register one for each mapping") as refusal:
        await consumer.open(shard, START)
    assert refusal.value.code == "ResourceInUseException"
    await subscription.close()


@promise(*SERVERS)
async def test_what_is_not_there_is_told_apart(backend):
    consumer, shard = backend.consumer(), await only_shard(backend.api)
    with pytest.raises(ShardGone):
        await consumer.open(shard[:-1] + "9", START)
    nobody = FanOut(backend.api, backend.transport, f"{backend.api.arn}/consumer/nobody:1")
    with pytest.raises(ServiceError, match="RegisterStreamConsumer"):
        await nobody.open(shard, START)
    missing = kinesis(backend.transport, backend.missing.arn)
    with pytest.raises(StreamGone):
        await FanOut(missing, backend.transport, f"{missing.arn}/consumer/c:1").open(shard, START)
