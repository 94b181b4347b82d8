"""A pause holds for the whole fleet, whichever daemon was asked."""

import asyncio

from poller.state.memory.fleet import MemoryFleet, Rows
from tests.engine.house import SOFT_STOP, House, living


async def test_a_mapping_paused_on_one_daemon_rests_on_all_until_it_is_resumed_on_any():
    rows = Rows()
    first, second = House(fleet=MemoryFleet(rows)), House(fleet=MemoryFleet(rows))
    async with living(first.mapping("a"), house=first), living(second.mapping("a"), house=second):
        await asyncio.sleep(10)
        assert [house.of("a").state for house in (first, second)] == ["running", "running"]
        await first.mappings.pause("a")
        await asyncio.sleep(5 + SOFT_STOP)
        assert [house.of("a").state for house in (first, second)] == ["paused", "paused"]
        await second.mappings.resume("a")
        await asyncio.sleep(6)
        assert [house.of("a").state for house in (first, second)] == ["running", "running"]
    assert await MemoryFleet(rows).paused() == {}
