"""A function's concurrency, the soft stop, the memory bound, and what they say together."""

import asyncio
import random
from typing import Any

import pytest

from poller.policy.pace import Pace
from poller.ports.status import Lag, MappingState, MappingStatus, Reason, ReasonCode
from poller.runtime.admission import Admission
from poller.runtime.memory import Memory
from poller.runtime.running import Running
from poller.runtime.slots import Slots
from poller.runtime.stop import Stop
from tests.present import present
from tests.runtime.harness import half


async def taking(slots, stop, order, name, hold=1.0):
    if await slots.take(stop):
        order.append(name)
        await asyncio.sleep(hold)
        slots.release()


async def test_slots_are_given_first_come_first_served():
    order: list[str]
    slots, stop, order = Slots(2), Stop(), []
    tasks = []
    for name in range(8):
        tasks.append(asyncio.create_task(taking(slots, stop, order, name)))
        await asyncio.sleep(0.01)
    await asyncio.gather(*tasks)
    assert order == list(range(8))
    assert asyncio.get_running_loop().time() == pytest.approx(4, abs=0.1)


async def test_nobody_overtakes_by_not_waiting():
    order: list[str]
    slots, stop, order = Slots(1), Stop(), []
    first, second = (asyncio.create_task(taking(slots, stop, order, name)) for name in "ab")
    await asyncio.sleep(0.5)
    assert not slots.take_now()
    await asyncio.gather(first, second)
    assert slots.take_now()


async def test_without_a_limit_nobody_waits():
    slots = Slots(None)
    assert all(slots.take_now() for _ in range(10_000))


async def test_at_a_soft_stop_who_waits_gets_none_and_others_do():
    slots, stop, other = Slots(1), Stop(), Stop()
    assert slots.take_now()
    gives_up, stays = asyncio.create_task(slots.take(stop)), asyncio.create_task(slots.take(other))
    await asyncio.sleep(1)
    stop.request()
    slots.release()
    assert await asyncio.gather(gives_up, stays) == [False, True]
    assert not slots.take_now()
    slots.release()
    assert slots.take_now()


@pytest.mark.parametrize("seed", range(20))
async def test_cancellation_and_stops_at_any_moment_leak_no_slot(seed):
    chance = random.Random(seed)
    order: list[str]
    slots, stops, order = Slots(3), [Stop() for _ in range(4)], []
    tasks = [
        asyncio.create_task(taking(slots, chance.choice(stops), order, number, chance.choice([0.0, 0.5, 1.0])))
        for number in range(40)
    ]

    async def guarded(number):
        if await slots.take(stops[0]):
            try:
                await asyncio.sleep(1)
            finally:
                slots.release()

    guarded_tasks = [asyncio.create_task(guarded(number)) for number in range(40)]
    for _ in range(30):
        await asyncio.sleep(chance.choice([0, 0, 0.3]))
        chance.choice(guarded_tasks).cancel()
    for stop in stops[1:]:
        stop.request()
    await asyncio.gather(*tasks, *guarded_tasks, return_exceptions=True)
    assert [slots.take_now() for _ in range(4)] == [True, True, True, False]


async def test_a_stop_is_heard_once_by_each_listener_and_at_once_by_a_late_one():
    stop, heard = Stop(), []
    ignore = stop.listen(lambda: heard.append("ignored"))
    stop.listen(lambda: heard.append("early"))
    ignore()
    stop.request()
    stop.request()
    stop.listen(lambda: heard.append("late"))
    assert heard == ["early", "late"]


async def test_waiting_ends_with_the_time_or_with_the_stop():
    stop = Stop()
    assert not await stop.wait(5)
    waiting = asyncio.create_task(stop.wait(1000))
    await asyncio.sleep(1)
    stop.request()
    assert await waiting
    assert await stop.wait(1000)
    assert asyncio.get_running_loop().time() == 6


class NoSource:
    def lag(self):
        return Lag()


class Parts:
    def __init__(self, *, memory=100, start=4):
        self.stop = Stop()
        self.pace = Pace(start, 8)
        self.memory = Memory(memory)
        self.status = MappingStatus("m", "u", "arn", "f", state=MappingState.RUNNING)
        self.admission = Admission(self.stop, self.pace, self.memory, self.status, half)
        no_source: Any = NoSource()
        self.status.run = Running(no_source, self.admission)
        self.pokes = 0
        self.admission.connect(self.poked)

    def poked(self):
        self.pokes += 1

    def lanes(self):
        return self.admission.lanes(asyncio.get_running_loop().time())

    @property
    def reason(self):
        return self.status.reason.code if self.status.reason else None


async def test_while_a_read_waits_for_memory_that_is_the_reason():
    parts = Parts()
    parts.memory.hold(100)
    reservation = parts.memory.reservation()
    assert not reservation.ask(lambda: 20, lambda: None)
    assert parts.reason == "memory"
    assert parts.lanes() == 4, "each read waits for itself"
    parts.memory.release(20)
    assert parts.reason is None
    assert reservation.size == 20


async def test_a_failing_function_pauses_receiving_and_the_source_is_poked_when_it_is_over():
    parts = Parts()
    for _ in range(3):
        parts.admission.failed(asyncio.get_running_loop().time())
        await asyncio.sleep(1)
    assert (parts.lanes(), parts.reason) == (0, "function_failing")
    assert present(present(parts.status.reason).next_try) > asyncio.get_running_loop().time()
    await asyncio.sleep(40)
    assert parts.pokes == 1
    assert (parts.lanes(), parts.reason) == (1, None)


async def test_a_waiting_lane_closes_and_its_end_pokes():
    parts = Parts()
    parts.admission.waits_for_slot(waits=True)
    parts.admission.waits_for_slot(waits=True)
    assert (parts.reason, parts.lanes()) == ("waiting_for_slot", 0)
    parts.admission.waits_for_slot(waits=False)
    assert (parts.lanes(), parts.pokes) == (0, 0)
    parts.admission.waits_for_slot(waits=False)
    assert (parts.reason, parts.lanes(), parts.pokes) == (None, 4, 1)


async def test_a_success_ends_the_pause_and_its_reason():
    parts = Parts(start=1)
    parts.admission.failed(asyncio.get_running_loop().time())
    assert parts.reason == "function_failing"
    parts.admission.succeeded()
    assert (parts.reason, parts.lanes()) == (None, 1)


async def test_somebody_who_looks_sees_what_is_true_now_though_the_source_did_not_ask():
    parts = Parts()

    def looked_at():
        parts.status.sample(asyncio.get_running_loop().time())
        return parts.reason

    assert parts.lanes() == 4
    parts.memory.hold(100)
    reservation = parts.memory.reservation()
    assert not reservation.ask(lambda: 20, lambda: None)
    assert looked_at() == "memory"
    since = present(parts.status.reason).since
    await asyncio.sleep(5)
    assert (looked_at(), present(parts.status.reason).since) == ("memory", since)
    parts.memory.release(50)
    assert looked_at() is None
    parts.admission.waits_for_slot(waits=True)
    parts.status.reason = None  # as a source leaves it whose own problem is over
    assert looked_at() == "waiting_for_slot"
    parts.status.state, parts.status.reason = MappingState.PROBLEM, Reason(ReasonCode.ACCESS_DENIED)
    assert looked_at() == "access_denied"


async def test_a_stop_closes_for_good_and_a_problem_of_the_source_is_not_hidden():
    parts = Parts()
    parts.status.state = MappingState.PROBLEM
    parts.stop.request()
    assert (parts.lanes(), parts.reason, parts.pokes) == (0, None, 1)
    assert parts.admission.stopping


async def test_growth_asks_for_one_more_lane():
    parts = Parts()
    grown = []
    parts.admission.on_growth(lambda: grown.append(parts.pace.lanes))
    for _ in range(5):
        parts.admission.busy(asyncio.get_running_loop().time())
    assert grown == [5]


async def test_each_life_of_a_source_hears_the_stop_once_and_none_after_the_end():
    parts = Parts()
    parts.admission.connect(parts.poked)
    parts.admission.connect(parts.poked)
    parts.stop.request()
    assert parts.pokes == 1
    ended = Parts()
    ended.admission.close()
    ended.stop.request()
    assert ended.pokes == 0


class Pacer:
    """Lets one in whenever it is told to."""

    def __init__(self):
        self.entered = 0
        self.turn = asyncio.Semaphore(0)

    async def __aenter__(self):
        await self.turn.acquire()
        self.entered += 1

    async def __aexit__(self, *rest):
        raise AssertionError("a call once made stays counted")


async def test_each_invocation_waits_for_its_turn_while_it_has_its_slot():
    order: list[str]
    pacer, stop, order = Pacer(), Stop(), []
    slots = Slots(2, lambda _: pacer)
    slots.keep_to(5)
    tasks = [asyncio.create_task(taking(slots, stop, order, name)) for name in "abc"]
    await asyncio.sleep(1)
    assert (order, slots.take_now()) == ([], False)
    for _ in range(3):
        pacer.turn.release()
        await asyncio.sleep(2)
    assert order == ["a", "b", "c"]
    slots.keep_to(None)
    assert slots.take_now()
    await asyncio.gather(*tasks)


async def test_a_soft_stop_and_a_hard_one_end_the_wait_for_a_turn_and_free_the_slot():
    pacer, stop = Pacer(), Stop()
    slots = Slots(2, lambda _: pacer)
    slots.keep_to(5)
    waiting, cut = (asyncio.create_task(slots.take(stop)) for _ in range(2))
    await asyncio.sleep(1)
    cut.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cut
    stop.request()
    assert await waiting is False
    slots.keep_to(None)
    assert slots.take_now()
    assert slots.take_now()
    assert not slots.take_now()


async def test_a_child_stops_with_its_parent_and_the_parent_goes_on_without_its_child():
    parent = Stop()
    one, other, late = parent.child(), parent.child(), parent.child()
    one.request()
    late.close()
    assert (parent.soft, one.soft, other.soft) == (False, True, False)
    parent.request()
    assert (other.soft, late.soft) == (True, False)
    assert parent.child().soft
