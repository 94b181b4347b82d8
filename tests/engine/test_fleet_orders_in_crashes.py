"""Members of a fleet die, freeze and lose the store while orders are carried out: nothing lost, nobody held for ever."""

import asyncio
import random
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest

from poller.policy.actions import HandOver, Isolate, Retry, Seek, Skip, Stage, Undo
from poller.policy.seeking import Target
from poller.state.memory.fleet import MemoryFleet
from poller.values.errors import NotPossible, StateError, UnknownMapping
from tests.engine.house import House, living
from tests.engine.test_fleet_orders import Fleet, order
from tests.fakes.lambda_service import function_error

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


class Story:
    """Orders of every kind to random members, whose stores go away now and then."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        pick = self.pick = self.chance.choice
        self.fleet = MortalFleet(pick([1, 3, 6]), parallelization_factor=pick([1, 2]), batch_size=pick([1, 3, 10]))
        self.bad = 0.3
        self.numbers: list[str] = []
        self.done: Counter[str] = Counter()

    def _answer(self, _event: Any) -> Any:
        return function_error() if self.chance.random() < self.bad else None

    async def wish(self) -> None:
        pick, fleet = self.pick, self.fleet
        house, numbers = pick(fleet.houses), self.numbers
        match pick(["retry", "skip", "isolate", "hand over", "seek", "seek", "undo", "away", "back", "put", "put"]):
            case "put":
                self.numbers += fleet.put(range(self.chance.randrange(1, 20)))
            case "away":
                pick(fleet.stores).die_in(self.chance.randrange(1, 20), after=pick([True, False]))
            case "back":
                self.mend()
            case "seek":
                await self.order(house, Seek(Target(pick(["TRIM_HORIZON", "TRIM_HORIZON", "LATEST"]))))
            case "undo":
                await self.order(house, Undo())
            case "skip":
                await self.order(house, Skip())
            case "isolate":
                await self.order(house, Isolate(key=f"key {len(numbers) % 20}"))
            case "hand over":
                await self.order(house, HandOver(function="other"))
            case "retry":
                await self.order(house, Retry())

    async def order(self, house: House, wanted: Any) -> None:
        with suppress(NotPossible, StateError, UnknownMapping):
            await order(house, wanted, dry_run=self.pick([True, False, False]))
            self.done[type(wanted).__name__] += 1

    def mend(self) -> None:
        for store in self.fleet.stores:
            store.dead, store.left = False, 1 << 60

    async def run(self) -> None:
        fleet = self.fleet
        async with fleet.live():
            fleet.function.handler = self._answer
            for _ in range(30):
                await asyncio.sleep(self.pick([0, 0, 0.5, 3, 20]))
                await self.wish()
            self.mend()
            self.bad = 0.0
            await asyncio.sleep(400)
            stages = [one.stage for one in await fleet.houses[0].steering.actions()]
            assert {house.of("a").state.value for house in fleet.houses} == {"running"}, "nobody is held for ever"
            # back to the beginning: what was skipped by a seek is delivered as well
            await order(fleet.houses[0], Seek(Target("TRIM_HORIZON")))
            await asyncio.sleep(200)
            given_up = fleet.of_account("destination")
            missing = set(self.numbers) - set(fleet.delivered()) - set(fleet.delivered_by("other"))
            assert len(missing) <= given_up
            assert len(set(stages)) <= 3
            for house in fleet.houses:
                assert house.of("a").account.unaccounted(house.of("a").in_flight()) == 0


async def test_orders_of_every_kind_to_random_members_lose_nothing(fleet_seed):
    await Story(fleet_seed).run()
