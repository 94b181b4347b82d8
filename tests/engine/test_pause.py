"""Pause and resume: a soft stop, remembered, while all others run."""

import asyncio
from dataclasses import replace

import pytest

from poller.ports.status import ReasonCode
from poller.state.memory.store import MemoryStore
from poller.values.errors import StateError, UnknownMapping
from tests.engine.house import SOFT_STOP, House, living
from tests.fakes.queue import loop_time
from tests.present import present


async def test_a_paused_mapping_gives_back_what_it_has_and_receives_nothing_until_resumed():
    house = House()
    a, b = house.mapping("a", batch_size=100, maximum_batching_window_in_seconds=300), house.mapping("b")
    async with living(a, b, house=house):
        house.queue("a").send("1")
        await asyncio.sleep(1)
        assert (await house.mappings.pause("a")).state == "stopping"
        paused_at = loop_time()
        await asyncio.sleep(SOFT_STOP)
        status = house.of("a")
        assert (status.state, status.reason.code, status.reason.since) == ("paused", ReasonCode.PAUSED, paused_at)
        assert house.queue("a").counts() == (1, 0, 0)
        await asyncio.sleep(3600)
        assert (status.account.polled, status.in_flight()) == (1, 0)
        assert house.of("b").state == "running"
        await house.mappings.resume("a")
        await asyncio.sleep(1)
        assert (status.state, status.account.polled) == ("running", 2)


async def test_the_invocation_that_runs_is_finished_and_settled():
    house = House()
    async with living(house.mapping("a"), house=house):
        house.aws.functions["fn"].delay = 10.0
        house.queue("a").send("1")
        await asyncio.sleep(1)
        await house.mappings.pause("a")
        await asyncio.sleep(SOFT_STOP)
        assert (house.of("a").state, house.of("a").account.delivered) == ("paused", 1)
        assert not house.queue("a").messages


async def test_it_is_remembered_by_the_next_process_and_over_a_removal():
    store = MemoryStore()
    house = House(store)
    a = house.mapping("a")
    async with living(a, house=house):
        await house.mappings.pause("a")
        paused_at = house.wall()
        await asyncio.sleep(SOFT_STOP)
        house.mappings.apply([])
        await asyncio.sleep(1)
    house = House(store)
    async with living(house=house) as log:
        house.mappings.apply([house.mapping("a")])
        assert [line["mapping"] for line in log if line["event"] == "mapping_still_paused"] == ["a"]
        await asyncio.sleep(10)
        assert house.of("a").state == "paused"
        assert house.of("a").reason.since == pytest.approx(paused_at - house.wall() + loop_time())
        assert not house.aws.calls
        await house.mappings.resume("a")
        await asyncio.sleep(1)
        assert house.of("a").state == "running"
    assert await store.paused() == {}


async def test_asking_twice_changes_nothing():
    house = House()
    async with living(house.mapping("a"), house=house):
        await house.mappings.resume("a")
        assert house.of("a").state == "running"
        await asyncio.gather(house.mappings.pause("a"), house.mappings.pause("a"), house.mappings.pause("uuid of a"))
        since = await house.store.paused()
        await asyncio.sleep(SOFT_STOP)
        await house.mappings.pause("a")
        assert await house.store.paused() == since


@pytest.mark.parametrize("waits", [0, 1, SOFT_STOP])
async def test_wishes_may_come_at_any_moment_and_the_last_one_counts(waits):
    house = House()
    async with living(house.mapping("a"), house=house):
        for _ in range(3):
            await house.mappings.pause("a")
            await asyncio.sleep(waits)
            await house.mappings.resume("a")
            await asyncio.sleep(waits)
        await asyncio.sleep(2 * SOFT_STOP)
        assert house.states() == {"a": "running"}
        house.queue("a").send("1")
        await asyncio.sleep(1)
        assert house.of("a").account.delivered == 1


async def test_disabled_and_paused_are_two_things():
    """Running is enabled and not paused."""
    house = House()
    a = house.mapping("a", enabled=False)
    async with living(a, house=house):
        assert (await house.mappings.pause("a")).state == "disabled"
        house.mappings.apply([replace(a, enabled=True)])
        await asyncio.sleep(1)
        assert house.states() == {"a": "paused"}
        house.mappings.apply([a])
        await house.mappings.resume("a")
        await asyncio.sleep(1)
        assert house.states() == {"a": "disabled"}
        assert not house.aws.calls


async def test_what_cannot_be_remembered_is_not_done():
    class Full(MemoryStore):
        async def pause(self, uuid, paused):
            raise StateError("the disk is full")

    house = House(Full())
    async with living(house.mapping("a"), house=house):
        with pytest.raises(StateError):
            await house.mappings.pause("a")
        assert house.states() == {"a": "running"}


async def test_a_name_nobody_has_is_told_with_those_there_are():
    house = House()
    async with living(house.mapping("a"), house.mapping("b"), house=house):
        with pytest.raises(UnknownMapping, match="there is no mapping c; there are: a, b"):
            await house.mappings.pause("c")


async def test_the_daemons_stop_ends_paused_ones_too_and_at_once():
    house = House()
    async with living(house.mapping("a"), house=house):
        await house.mappings.pause("a")
        await asyncio.sleep(SOFT_STOP)
        begun = loop_time()
    assert loop_time() == begun
    assert house.states() == {"a": "stopped"}


async def test_a_mapping_resumed_while_it_is_being_paused_says_that_it_starts_again():
    """It said `stopping (to be paused)` although nothing was to be paused any more."""
    house = House()
    async with living(house.mapping("a"), house=house):
        await house.mappings.pause("a")
        status = await house.mappings.resume("a")
        assert (status.state, present(status.reason).text[:8]) == ("stopping", "resumed:")
        assert present(status.reason).text.endswith("then it starts again")
        status = await house.mappings.pause("a")
        assert present(status.reason).text.startswith("to be paused")
        await asyncio.sleep(SOFT_STOP)
        assert status.state == "paused"
        assert (await house.mappings.resume("a")).state == "starting"
        await asyncio.sleep(1)
        assert status.state == "running"
