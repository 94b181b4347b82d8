"""Pages that are pushed: how fresh they are, and what a subscription that falls silent or ends means."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from poller.sources.sharded.api import Position, Shard, ShardPage
from poller.sources.sharded.clock import ServiceClock
from poller.sources.sharded.subscribed import SILENCE, SubscribedPages
from poller.sources.sharded.tips import Tips
from poller.values.errors import AnswerLost, IteratorExpired, ServiceError

START = Position("TRIM_HORIZON")
BETWEEN = 5.0


class Scripted:
    """Subscriptions whose pages come when a test says: seconds to wait, then a page, None or an error."""

    call = "SubscribeToShard"
    between = BETWEEN
    buffered = True

    def __init__(self, *steps):
        self.steps = list(steps)
        self.opened = []
        self.closed = 0
        self.date = 1000.0

    async def open(self, shard_id, position):
        self.opened.append((shard_id, position))
        return self

    async def page(self, room=None):
        seconds, answer = self.steps.pop(0)
        await asyncio.sleep(seconds)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self):
        self.closed += 1


def pages_of(*steps):
    subscriptions = Scripted(*steps)
    stream: Any = SimpleNamespace(clock=ServiceClock(), tips=Tips())
    memory: Any = SimpleNamespace(reserved=None)
    return SubscribedPages(stream, Shard("shard"), subscriptions, memory), subscriptions, stream


def empty(behind=0.0):
    return ShardPage([], "subscribed", 10, behind)


def now():
    return asyncio.get_running_loop().time()


async def test_a_page_that_lay_there_while_nobody_looked_says_nothing_about_now():
    pages, _, stream = pages_of((1, empty()), (0, empty()), (5, empty()), (0, empty(2.0)))
    assert (await pages.next(START)).behind_seconds == 0
    await asyncio.sleep(60)
    assert (await pages.next(START)).behind_seconds == 60
    assert (await pages.next(START)).behind_seconds == 0
    await asyncio.sleep(7)
    assert (await pages.next(START)).behind_seconds == 9
    assert stream.clock.time(now()) == 1000 + now()


async def test_pages_that_lay_there_behind_one_another_are_all_old():
    """The second was not waited for either: what it says of the tip was true long ago."""
    pages, _, _ = pages_of((0, empty()), (0, empty()), (0.1, empty()), (5, empty()))
    await pages.next(START)
    await asyncio.sleep(60)
    ages = [(await pages.next(START)).behind_seconds for _ in range(3)]
    assert ages == [60, 60, 0]


async def test_silence_is_a_lost_answer_and_the_next_subscription_begins_where_it_is_asked_to():
    pages, subscriptions, _ = pages_of((SILENCE + 1, empty()), (0, empty()))
    begun = now()
    with pytest.raises(AnswerLost, match="nothing was pushed within 60 s"):
        await pages.next(START)
    assert (now() - begun, subscriptions.closed) == (SILENCE, 1)
    behind = Position("AFTER_SEQUENCE_NUMBER", "5")
    await pages.next(behind)
    assert subscriptions.opened == [("shard", START), ("shard", behind)]


async def test_one_that_is_over_asks_to_begin_anew_once_the_service_allows_it():
    pages, subscriptions, _ = pages_of((2, None))
    assert pages.wait(now()) <= 0
    with pytest.raises(IteratorExpired):
        await pages.next(START)
    assert (subscriptions.closed, pages.wait(now())) == (1, BETWEEN - 2)


async def test_one_that_is_in_use_elsewhere_waits_from_then_on():
    pages, subscriptions, _ = pages_of((100, empty()), (20, ServiceError(400, "ResourceInUseException")))
    with pytest.raises(AnswerLost):
        await pages.next(START)
    with pytest.raises(ServiceError):
        await pages.next(START)
    assert (subscriptions.closed, pages.wait(now())) == (2, BETWEEN)


async def test_a_cancelled_wait_closes_the_subscription():
    pages, subscriptions, _ = pages_of((30, empty()))
    task = asyncio.create_task(pages.next(START))
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.wait([task])
    assert subscriptions.closed == 1
    await pages.close()
    assert subscriptions.closed == 1
