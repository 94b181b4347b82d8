"""How far behind a mapping of a queue is, without a call that nobody asked for."""

import asyncio
from math import inf

from poller.runtime.status import Lag
from tests.fakes.faults import ACCESS_DENIED
from tests.sources.sqs.harness import ATTRIBUTES, Harness, take

FOUR_DAYS = 345_600.0


async def test_the_oldest_message_in_hand_tells_how_far_behind_and_when_it_expires():
    harness = Harness()
    harness.send(2)
    await asyncio.sleep(100)
    async with harness.partition as partition:
        lane = partition.lane()
        records = await take(lane)
        assert harness.status.lag() == Lag(None, 100.0, FOUR_DAYS - 100.0)
        harness.settle(lane, records)


async def test_a_queue_found_empty_is_not_behind():
    harness = Harness()
    async with harness.partition as partition:
        waiting = asyncio.create_task(partition.lane().receive(10, inf, gathering=False))
        await asyncio.sleep(30)
        assert harness.status.lag() == Lag(None, 0.0, None)
        harness.stop.request()
        await waiting


async def test_before_the_first_answer_nothing_is_known():
    harness = Harness()
    assert harness.status.lag() == Lag()
    async with harness.partition:
        assert harness.status.lag() == Lag()


async def test_the_depth_is_asked_for_when_somebody_looks_and_not_oftener_than_every_ten_seconds():
    harness = Harness()
    harness.send(7)
    async with harness.partition:
        asked = len(harness.transport.of(ATTRIBUTES))
        await asyncio.gather(*(harness.status.look() for _ in range(5)))
        assert harness.status.lag().records == 7
        assert len(harness.transport.of(ATTRIBUTES)) == asked + 1
        await asyncio.sleep(11)
        await harness.status.look()
        assert len(harness.transport.of(ATTRIBUTES)) == asked + 2
        await asyncio.sleep(60)
        assert harness.status.lag().records is None
        assert len(harness.transport.of(ATTRIBUTES)) == asked + 2


async def test_a_queue_that_does_not_tell_its_depth_leaves_it_unknown():
    harness = Harness()
    async with harness.partition:
        harness.aws.faults.script(ATTRIBUTES, ACCESS_DENIED)
        await harness.status.look()
        assert harness.status.lag().records is None


async def test_before_the_queue_was_reached_looking_asks_nothing():
    harness = Harness()
    await harness.status.look()
    assert harness.transport.of(ATTRIBUTES) == []
