"""Calls of the store whose answer is lost, or that arrive when others have gone on, while orders are carried out."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from poller.policy.actions import Seek, Skip, Stage, Undo
from poller.policy.seeking import Target
from poller.state.memory.fleet import MemoryFleet
from poller.values.errors import NotPossible, StateError
from tests.engine.house import House
from tests.engine.test_fleet_orders import Fleet, order, stuck

BACK = Seek(Target("TRIM_HORIZON"))
Call = Callable[[], Awaitable[Any]]
Fault = Callable[[Call], Awaitable[Any]]


async def answer_lost(call: Call) -> Any:
    await call()
    raise StateError("the answer was lost")


async def request_lost(_call: Call) -> Any:
    raise StateError("the request was lost")


class Faulty(MemoryFleet):
    """The store as one daemon reaches it; `faults` are those of the next calls that `when` is true of, by name."""

    def __init__(self, rows: Any) -> None:
        super().__init__(rows)
        self.faults: dict[str, list[Fault]] = {}
        self.when: Callable[..., bool] = lambda *_: True

    def __getattribute__(self, name: str) -> Any:
        call = super().__getattribute__(name)
        if name not in ("beat", "open", "note", "actions"):
            return call

        async def made(*given: Any, **named: Any) -> Any:
            faults = self.faults.get(name, [])
            if faults and self.when(*given):
                return await faults.pop(0)(lambda: call(*given, **named))
            return await call(*given, **named)

        return made


class FaultyFleet(Fleet):
    def __init__(self, shards: int, **parameters: Any) -> None:
        super().__init__(shards, **parameters)
        self.stores: Any = [Faulty(self.rows) for _ in self.houses]
        self.houses = [House(fleet=store, aws=self.aws) for store in self.stores]

    async def stages(self) -> list[Stage]:
        return [one.stage for one in await self.houses[1].steering.actions()]

    def asked(self) -> list[str]:
        """What stands in the rows of the members."""
        return [fact for row in self.rows.members.values() for fact in ("requests", "answers") if fact in row.facts]

    def states(self) -> set[str]:
        return {house.of("a").state.value for house in self.houses}


@pytest.mark.parametrize("fault", [answer_lost, request_lost])
@pytest.mark.parametrize(("who", "fact"), [(0, "requests"), (1, "answers")])
async def test_a_beat_that_fails_while_something_is_asked_leaves_nothing_behind_that_holds_anybody(who, fact, fault):
    fleet = FaultyFleet(4)
    async with fleet.live():
        first = fleet.put(range(20))
        await asyncio.sleep(30)
        store = fleet.stores[who]
        store.when, store.faults["beat"] = lambda *given: fact in (given[4] or {}), [fault]
        await order(fleet.houses[0], BACK)
        assert store.faults["beat"] == []
        await asyncio.sleep(60)
        assert (fleet.asked(), fleet.states()) == ([], {"running"})
        more = fleet.put(range(20))
        await asyncio.sleep(60)
        assert Counter(fleet.delivered()) == Counter(first * 2 + more)


@pytest.mark.parametrize("daemons", [1, 3])
async def test_a_position_is_moved_only_once_nothing_runs_on_any_member(daemons):
    fleet = FaultyFleet(6, daemons=daemons)
    seen = []

    async def looks(call: Call) -> Any:
        seen.append((fleet.function.invocations.running, fleet.states()))
        return await call()

    async with fleet.live():
        fleet.function.delay = 25.0
        fleet.put(range(1))
        await asyncio.sleep(3)
        busy = [house.of("a").in_flight() for house in fleet.houses]
        assert sum(busy) == 1
        # one that has nothing to wait for itself, where there are several
        asking = busy.index(min(busy))
        fleet.stores[asking].faults["open"] = [looks]
        await order(fleet.houses[asking], BACK)
        fleet.function.delay = 0.0
        await asyncio.sleep(60)
        assert seen == [(0, {"stopping"})]


async def test_a_move_whose_answer_is_lost_is_done_once_and_told_as_done():
    fleet = FaultyFleet(4)
    async with fleet.live():
        first = fleet.put(range(20))
        await asyncio.sleep(30)
        fleet.stores[0].faults["open"] = [answer_lost, request_lost]
        await order(fleet.houses[0], BACK)
        await asyncio.sleep(60)
        assert fleet.stores[0].faults["open"] == []
        assert await fleet.stages() == [Stage.DONE]
        assert Counter(fleet.delivered()) == Counter(first * 2)


@pytest.mark.parametrize("took_place", [False, True])
async def test_a_move_that_is_never_answered_holds_nobody_for_ever_and_can_be_undone(took_place):
    fleet = FaultyFleet(4)
    async with fleet.live():
        first = fleet.put(range(20))
        await asyncio.sleep(30)
        fleet.stores[0].faults["open"] = [answer_lost if took_place else request_lost] + [request_lost] * 1000
        done = await order(fleet.houses[0], BACK)
        assert done.action.stage is Stage.BEGUN
        await asyncio.sleep(120)
        assert (await fleet.stages(), fleet.states()) == ([Stage.BEGUN], {"running"})
        assert Counter(fleet.delivered()) == Counter(first * (1 + took_place))
        await order(fleet.houses[1], Undo())
        more = fleet.put(range(20))
        await asyncio.sleep(60)
        assert Counter(fleet.delivered()) == Counter(first * (1 + took_place) + more)


async def test_a_move_that_was_sent_again_and_arrives_later_as_well_changes_nothing_then():
    fleet = FaultyFleet(4)
    on_its_way: list[asyncio.Task[Any]] = []

    async def late(call: Call) -> Any:
        async def arrives() -> Any:
            await asyncio.sleep(90)
            return await call()

        on_its_way.append(asyncio.create_task(arrives()))
        raise StateError("no answer in time")

    async with fleet.live():
        first = fleet.put(range(20))
        await asyncio.sleep(30)
        fleet.stores[0].faults["open"] = [late]
        await order(fleet.houses[0], BACK)
        await asyncio.sleep(60)
        more = fleet.put(range(20))
        await asyncio.sleep(60)
        await asyncio.gather(*on_its_way)
        assert (len(on_its_way), await fleet.stages()) == (1, [Stage.DONE])
        assert Counter(fleet.delivered()) == Counter(first * 2 + more)


@pytest.mark.parametrize("sought_since", [False, True])
async def test_a_move_that_arrives_after_its_daemon_was_declared_dead_changes_nothing(sought_since):
    fleet = FaultyFleet(4)
    async with fleet.live():
        first = fleet.put(range(20))
        await asyncio.sleep(30)
        thawed = asyncio.Event()

        async def frozen(call: Call) -> Any:
            store.faults["beat"] = [frozen] * 1000
            await thawed.wait()
            return await call()

        store = fleet.stores[0]
        store.faults = {"open": [frozen]}
        asked = asyncio.create_task(order(fleet.houses[0], Seek(Target("LATEST"))))
        await asyncio.sleep(60)
        assert store.faults["open"] == []
        assert {house.of("a").state.value for house in fleet.houses[1:]} == {"running"}, "it is dead, so they go on"
        more = fleet.put(range(20))
        await asyncio.sleep(30)
        if sought_since:
            await order(fleet.houses[1], BACK)
            await asyncio.sleep(30)
        store.faults = {}
        thawed.set()
        await asyncio.gather(asked, return_exceptions=True)
        await asyncio.sleep(120)
        assert await fleet.stages() == [Stage.DONE] * sought_since + [Stage.FAILED]
        assert Counter(fleet.delivered()) == Counter((first + more) * (1 + sought_since))
        assert fleet.states() == {"running"}


async def test_what_took_place_is_not_told_as_failed_where_old_seeks_cannot_be_forgotten():
    fleet = FaultyFleet(4)
    async with fleet.live():
        first = fleet.put(range(20))
        await asyncio.sleep(30)
        store = fleet.stores[0]

        async def moves(call: Call) -> Any:
            store.faults["actions"] = [request_lost]
            return await call()

        store.faults["open"] = [moves]
        assert (await order(fleet.houses[0], BACK)).action.stage is Stage.DONE
        assert store.faults["actions"] == []
        await asyncio.sleep(60)
        assert Counter(fleet.delivered()) == Counter(first * 2)
        await order(fleet.houses[1], Undo())


async def test_a_member_without_the_mapping_stands_in_no_orders_way():
    async with stuck() as fleet:
        asking, without = fleet.others()
        without.mappings.apply([])
        await asyncio.sleep(60)
        with pytest.raises(NotPossible, match="the batch that was shown has moved on; what waits now: 1 record, "):
            await order(asking, Skip(first="none such"))
        assert (await order(asking, Skip())).action.stage is Stage.DONE
        numbers = fleet.put(range(6))
        await order(asking, BACK)
        await asyncio.sleep(60)
        assert set(numbers) <= set(fleet.delivered())


async def held_up(fleet: FaultyFleet, wanted: Any) -> tuple[asyncio.Task[Any], asyncio.Event]:
    """An order to the first daemon that is planned and does not go on until the event is set."""
    goes_on = asyncio.Event()

    async def waits(call: Call) -> Any:
        await goes_on.wait()
        return await call()

    fleet.stores[0].faults["note"] = [waits]
    asked = asyncio.create_task(order(fleet.houses[0], wanted))
    await asyncio.sleep(10)
    assert fleet.stores[0].faults["note"] == []
    return asked, goes_on


@pytest.mark.parametrize("wanted", [BACK, Undo()])
async def test_an_order_that_was_planned_before_another_one_moved_the_position_is_refused(wanted):
    fleet = FaultyFleet(4)
    async with fleet.live():
        first = fleet.put(range(20))
        await asyncio.sleep(30)
        await order(fleet.houses[1], BACK)
        await asyncio.sleep(30)
        asked, goes_on = await held_up(fleet, wanted)
        await order(fleet.houses[2], BACK)
        await asyncio.sleep(30)
        goes_on.set()
        with pytest.raises(NotPossible, match="another order or another stream has replaced the position meanwhile"):
            await asked
        await asyncio.sleep(30)
        assert (Counter(fleet.delivered()), fleet.states()) == (Counter(first * 3), {"running"})


async def test_a_seek_to_the_beginning_takes_shards_along_that_were_split_off_since_it_was_planned():
    fleet = FaultyFleet(2)
    async with fleet.live():
        first = fleet.put(range(20))
        await asyncio.sleep(30)
        asked, goes_on = await held_up(fleet, BACK)
        fleet.stream.split(fleet.stream.open_shards()[0])
        await asyncio.sleep(120)
        second = fleet.put(range(20))
        await asyncio.sleep(30)
        assert Counter(fleet.delivered()) == Counter(first + second)
        goes_on.set()
        await asked
        await asyncio.sleep(120)
        assert Counter(fleet.delivered()) == Counter((first + second) * 2)


async def test_a_mapping_that_still_comes_to_rest_for_an_order_that_was_withdrawn_can_be_moved_by_the_next():
    fleet = FaultyFleet(4)
    async with fleet.live():
        fleet.function.delay = 28.0
        numbers = fleet.put(range(40))
        await asyncio.sleep(1)
        asked = asyncio.create_task(order(fleet.houses[0], BACK))
        await asyncio.sleep(6)
        await fleet.houses[0].steering.close()
        await asyncio.gather(asked, return_exceptions=True)
        await asyncio.sleep(5)
        assert fleet.states() == {"stopping"}, "what runs is not over"
        assert (await order(fleet.houses[1], BACK)).action is not None
        fleet.function.delay = 0.0
        await asyncio.sleep(120)
        assert await fleet.stages() == [Stage.DONE, Stage.BEGUN]
        assert (set(fleet.delivered()), fleet.states()) == (set(numbers), {"running"})
