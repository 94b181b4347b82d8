"""Who polls a queue: the first worker, and those that it calls, for as long as there is something."""

import asyncio

from poller.runtime.standby import CALLED_SECONDS, Standby


def now():
    return asyncio.get_running_loop().time()


async def test_a_called_worker_polls_until_it_finds_nothing_or_is_called_no_more():
    standby = Standby(lambda: None)
    standby.place(polls=False)
    assert standby.rests(now())
    standby.called()
    assert not standby.rests(now())
    standby.nothing()
    assert standby.rests(now())
    standby.called()
    await asyncio.sleep(CALLED_SECONDS - 1)
    assert not standby.rests(now())
    standby.called()
    await asyncio.sleep(2)
    assert not standby.rests(now())
    await asyncio.sleep(CALLED_SECONDS)
    assert standby.rests(now())


async def test_it_calls_at_most_once_a_second():
    calls: list[float] = []
    standby = Standby(lambda: calls.append(now()))
    for _ in range(30):
        standby.busy(now())
        await asyncio.sleep(0.1)
    assert len(calls) == 3


async def test_a_run_that_ends_does_not_disconnect_the_next_one():
    changes: list[str] = []

    def first():
        changes.append("first")

    def second():
        changes.append("second")

    standby = Standby(lambda: None)
    standby.connect(first)
    standby.connect(second)
    standby.disconnect(first)
    standby.place(polls=False)
    assert changes == ["second"]
    standby.disconnect(second)
    standby.place(polls=True)
    assert changes == ["second"]


async def test_a_run_that_ends_leaves_the_queue_to_the_next_one_that_has_joined_already():
    standby = Standby()
    first = standby.join(lambda: None)
    second = standby.join(lambda: None)
    first()
    standby.receive_began(now())
    await asyncio.sleep(20)
    standby.receive_ended(now(), answered=True)
    standby.receive_began(now())
    await asyncio.sleep(20)
    assert standby.attends()
    second()
    assert not standby.attends()
