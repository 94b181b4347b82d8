"""Members of a fleet die, freeze and lose the store while orders are carried out: nothing lost, nobody held for ever."""

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest

from poller.policy.actions import Seek, Stage, Undo
from poller.policy.seeking import Target
from poller.state.memory.fleet import MemoryFleet
from poller.values.errors import NotPossible, StateError
from tests.engine.house import House, living
from tests.engine.test_fleet_orders import Fleet, order

WRITES = frozenset({"beat", "open", "note", "write", "claim", "keep"})
READS = frozenset({"members", "leases", "load", "actions"})


class Mortal(MemoryFleet):
    """The store as one daemon reaches it, until a given call; then never again, or until it is mended."""

    def __init__(self, rows: Any) -> None:
        super().__init__(rows)
        self.left = 1 << 60
        self.after = False
        self.dead = False

    def die_in(self, calls: int, *, after: bool) -> None:
        self.left, self.after = calls, after

    def __getattribute__(self, name: str) -> Any:
        call = super().__getattribute__(name)
        if name not in WRITES | READS:
            return call

        async def reached(*given: Any, **named: Any) -> Any:
            dies = name in WRITES and self._spend()
            if self.dead or (dies and not self.after):
                self.dead = True
                raise StateError("the store is away")
            found = await call(*given, **named)
            if dies:
                self.dead = True
                raise StateError("the store is away")
            return found

        return reached

    def _spend(self) -> bool:
        self.left -= 1
        return self.left == 0


class MortalFleet(Fleet):
    def __init__(self, shards: int, **parameters: Any) -> None:
        super().__init__(shards, **parameters)
        self.stores: Any = [Mortal(self.rows) for _ in self.houses]
        self.houses = [House(fleet=store, aws=self.aws) for store in self.stores]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("write", range(1, 9))
async def test_a_death_at_any_write_of_a_seek_loses_nothing_and_the_others_go_on(write, after):
    fleet = MortalFleet(4)
    async with fleet.live():
        first = fleet.put(range(20))
        await asyncio.sleep(30)
        fleet.stores[0].die_in(write, after=after)
        with suppress(StateError, NotPossible):
            await order(fleet.houses[0], Seek(Target("TRIM_HORIZON")))
        await asyncio.sleep(60)
        more = fleet.put(range(20))
        await asyncio.sleep(30)
        counts = Counter(fleet.delivered())
        assert set(counts) >= {*first, *more}, "the others go on"
        actions = await fleet.houses[1].steering.actions()
        moved = all(counts[number] > 1 for number in first)
        assert moved <= bool(actions), "no seek without an entry"
        if moved:
            assert actions[0].stage is not Stage.FAILED, "what took place is not told as failed"
            await order(fleet.houses[1], Undo())
            await asyncio.sleep(30)
        fleet.stores[0].dead, fleet.stores[0].left = False, 1 << 60
        last = fleet.put(range(20))
        await asyncio.sleep(60)
        assert set(fleet.delivered()) >= {*last}
        assert fleet.aws.streams.ledger.lost() == set()


@pytest.mark.parametrize("calls", [1, 2, 3, 5])
async def test_a_member_that_dies_while_it_rests_for_another_does_not_stop_the_seek(calls):
    fleet = MortalFleet(4)
    async with fleet.live():
        first = fleet.put(range(20))
        await asyncio.sleep(30)
        fleet.stores[1].die_in(calls, after=False)
        await order(fleet.houses[0], Seek(Target("TRIM_HORIZON")))
        await asyncio.sleep(120)
        assert [one.stage for one in await fleet.houses[0].steering.actions()] == [Stage.DONE]
        # what ran there when it died may come a time more
        assert not Counter(first * 2) - Counter(fleet.delivered())
        fleet.stores[1].dead, fleet.stores[1].left = False, 1 << 60
        more = fleet.put(range(20))
        await asyncio.sleep(120)
        assert not Counter(first * 2 + more) - Counter(fleet.delivered())


async def test_a_member_that_joins_during_a_seek_begins_behind_it():
    fleet = MortalFleet(4)
    late = House(fleet=Mortal(fleet.rows), aws=fleet.aws)
    async with fleet.live():
        fleet.function.delay = 20.0
        numbers = fleet.put(range(20))
        await asyncio.sleep(5)
        assert (await order(fleet.houses[0], Seek(Target("TRIM_HORIZON")))).action.stage is Stage.BEGUN
        async with living(fleet.mapping(late), house=late):
            await asyncio.sleep(5)
            assert late.of("a").state.value == "stopping", "it lets the mapping rest before it takes a shard"
            fleet.function.delay = 0.0
            await asyncio.sleep(120)
            assert set(fleet.delivered()) == set(numbers)
            assert [one.stage for one in await late.steering.actions()] == [Stage.DONE]
            assert len(late.of("a").partitions) >= 1


async def test_a_mapping_that_is_configured_anew_on_a_member_during_a_seek_begins_behind_it():
    fleet = MortalFleet(4)
    async with fleet.live():
        again = fleet.houses[1]
        again.mappings.apply([])
        await asyncio.sleep(30)
        fleet.function.delay = 25.0
        numbers = fleet.put(range(20))
        await asyncio.sleep(3)
        assert (await order(fleet.houses[0], Seek(Target("TRIM_HORIZON")))).action.stage is Stage.BEGUN
        again.mappings.apply([fleet.mapping(again)])
        await asyncio.sleep(5)
        assert again.of("a").state.value == "stopping"
        fleet.function.delay = 0.0
        await asyncio.sleep(120)
        assert [one.stage for one in await again.steering.actions()] == [Stage.DONE]
        assert (set(fleet.delivered()), again.of("a").state.value) == (set(numbers), "running")
