"""One function's circuit as lanes of several mappings meet it."""

import asyncio

import pytest

from poller.policy.circuit import OPENS_AFTER, THROUGH_AFTER
from poller.policy.response import Failed, NotInvoked, Succeeded
from poller.runtime.breaker import CIRCUIT_OPEN, Breaker
from poller.runtime.stop import Stop

REFUSAL = NotInvoked("unreachable", "connection refused")


def now():
    return asyncio.get_running_loop().time()


def opened():
    breaker = Breaker(lambda: 1.0)
    changes = [breaker.end(REFUSAL, now(), breaker.begin()) for _ in range(OPENS_AFTER)]
    assert changes == [False] * (OPENS_AFTER - 1) + [True]
    return breaker


async def test_who_asks_while_it_is_open_is_told_why_and_for_how_long():
    breaker = opened()
    refusal = breaker.refusal(now())
    assert (refusal.code, refusal.retry_after) == (CIRCUIT_OPEN, 1.0)
    assert refusal.detail == (
        "the function cannot be invoked (unreachable: connection refused); it is probed until it can"
    )
    assert breaker.causes == ("function.unreachable",)
    assert Breaker(lambda: 1.0).causes == ()


async def test_a_batch_is_wanted_only_when_a_probe_is_due_and_nobody_holds_one():
    breaker, stop, told = opened(), Stop(), []
    ignore = breaker.listen(lambda: told.append(breaker.may_receive(now())))
    assert not breaker.may_receive(now())
    holding = asyncio.create_task(breaker.wait(5.0, stop))
    await asyncio.sleep(0.5)
    stop.request()
    assert await holding
    await asyncio.sleep(0.6)
    assert told[-1], "the last batch went away, so another may be received"
    ignore()


async def test_who_holds_a_batch_is_asked_for_the_probe_before_another_is_received():
    async def hold():
        await breaker.wait(60.0, Stop())
        breaker.begin()

    breaker, told = opened(), []
    breaker.listen(lambda: told.append(breaker.may_receive(now())))
    await hold()
    await asyncio.sleep(0)
    assert (now(), set(told)) == (1.0, {False})
    breaker.end(Succeeded(), now(), 0)


async def test_who_left_is_told_nothing():
    breaker, told = opened(), []
    breaker.listen(lambda: told.append(1))()
    breaker.end(Succeeded(), now(), breaker.begin())
    assert told == []


@pytest.mark.parametrize("outcome", [Succeeded(), Failed("function_error")])
async def test_whatever_reached_the_function_wakes_everybody_who_waits(outcome):
    breaker = opened()
    waiting = [asyncio.create_task(breaker.wait(60.0, Stop())) for _ in range(3)]
    await asyncio.sleep(0.5)
    assert breaker.end(outcome, now(), 0)
    assert await asyncio.gather(*waiting) == [False] * 3
    assert now() == 0.5


@pytest.mark.parametrize("refusals", [1, OPENS_AFTER])
async def test_new_code_lets_everybody_who_waits_try_at_once_and_forgets_the_refusals(refusals):
    breaker = Breaker(lambda: 1.0)
    for _ in range(refusals):
        breaker.end(REFUSAL, now(), breaker.begin())
    waiting = [asyncio.create_task(breaker.wait(60.0, Stop())) for _ in range(3)]
    await asyncio.sleep(0.5)
    breaker.renewed()
    assert await asyncio.gather(*waiting) == [False] * 3
    assert (now(), breaker.is_open, breaker.circuit.calm) == (0.5, False, True)


async def test_whoever_waits_is_asked_for_the_next_probe_since_who_made_the_last_may_be_gone():
    breaker = opened()
    await asyncio.sleep(1)
    probe = breaker.begin()
    waiting = [asyncio.create_task(breaker.wait(60.0, Stop())) for _ in range(2)]
    await asyncio.sleep(1)
    breaker.end(None, now(), probe)
    assert await asyncio.gather(*waiting) == [False] * 2
    assert (now(), breaker.is_open) == (2.0, True)


async def test_a_probe_that_is_cut_leaves_the_next_one_to_somebody_else():
    breaker, told = opened(), []
    await asyncio.sleep(1)
    probe = breaker.begin()
    assert breaker.refusal(now()) is not None
    breaker.listen(lambda: told.append(now()))
    assert not breaker.end(None, now(), probe)
    assert breaker.refusal(now()) is None
    assert told


async def test_a_probe_that_runs_for_long_has_got_through():
    breaker = opened()
    await asyncio.sleep(1)
    probe = breaker.begin()
    waiting = asyncio.create_task(breaker.wait(60.0, Stop()))
    assert not await waiting
    assert now() == pytest.approx(1 + THROUGH_AFTER)
    assert not breaker.is_open
    assert not breaker.end(REFUSAL, now(), probe), "a refusal after all is the first of the next row"
