"""Every order works from any member of a fleet: about a batch that waits on another one, and about positions."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from poller.policy.actions import Asked, HandOver, Isolate, Retry, Seek, Skip, Stage, Undo
from poller.policy.seeking import Target
from poller.state.memory.fleet import MemoryFleet, Rows
from poller.values.errors import NotPossible, StateError
from tests.engine.house import House, living
from tests.fakes.aws import FakeAws
from tests.fakes.lambda_service import function_error

ANN = Asked("ann", "page", "customer 4711 is broken")


class Away(MemoryFleet):
    """A store that one daemon does not reach for a while."""

    away = False

    async def beat(self, *given: Any, **named: Any) -> bool:
        self._check()
        return await super().beat(*given, **named)

    async def members(self) -> Any:
        self._check()
        return await super().members()

    async def open(self, *given: Any, **named: Any) -> Any:
        self._check()
        return await super().open(*given, **named)

    def _check(self) -> None:
        if self.away:
            raise StateError("the store is away")


class Fleet:
    """Daemons in one process, with one stream."""

    def __init__(self, shards: int, daemons: int = 3, **parameters: Any) -> None:
        self.rows, self.aws = Rows(), FakeAws()
        self.stream: Any = self.aws.stream("s", shards=shards)
        self.parameters = {"starting_position": "TRIM_HORIZON", "batch_size": 3} | parameters
        self.stores = [Away(self.rows) for _ in range(daemons)]
        self.houses = [
            House(fleet=store, aws=self.aws, member=f"m{number}") for number, store in enumerate(self.stores)
        ]
        self.failed = self.houses[0].queue("failed").arn

    def mapping(self, house: House) -> Any:
        return house.mapping("a", stream=self.stream, on_failure_destination=self.failed, **self.parameters)

    @asynccontextmanager
    async def live(self) -> Any:
        async with AsyncExitStack() as stack:
            for house in self.houses:
                other = house.mapping("b", function="other")
                await stack.enter_async_context(living(self.mapping(house), other, house=house))
                house.declare(other)
            await asyncio.sleep(60)
            yield self

    def put(self, keys: range) -> list[str]:
        return [self.stream.put(f"key {key}", f"key {key}") for key in keys]

    @property
    def function(self) -> Any:
        return self.aws.functions["fn"]

    def delivered(self) -> list[str]:
        return self.delivered_by("fn")

    def delivered_by(self, function: str) -> list[str]:
        ended = [one for one in self.aws.functions[function].invocations.all if one.ended is not None]
        return [number for one in ended for number in one.identifiers if number in one.succeeded]

    def holding(self) -> House:
        """The only daemon that has the batch which waits."""
        (house,) = [
            house
            for house in self.houses
            if any(lane.held for partition in house.of("a").partitions for lane in partition.lanes)
        ]
        return house

    def others(self) -> list[House]:
        return [house for house in self.houses if house is not self.holding()]

    def of_account(self, name: str) -> int:
        return sum(getattr(house.of("a").account, name) for house in self.houses)


async def order(house: House, wanted: Any, *, dry_run: bool = False) -> Any:
    return await house.steering.act("a", wanted, ANN, dry_run=dry_run)


@asynccontextmanager
async def stuck() -> Any:
    """One of six shards fails because of one key."""
    fleet = Fleet(6, batch_size=1)
    async with fleet.live():
        fleet.function.handler = lambda event: (
            function_error() if "bad" in [one["kinesis"]["partitionKey"] for one in event["Records"]] else None
        )
        fleet.put(range(12))
        fleet.stream.put("bad", "bad")
        await asyncio.sleep(60)
        yield fleet


async def test_a_batch_that_waits_on_one_member_is_given_up_from_another_which_says_before_what_would_happen():
    async with stuck() as fleet:
        house = fleet.others()[0]
        preview = await order(house, Skip(), dry_run=True)
        assert preview.impact[0].startswith("Given up: 1 record, ")
        assert (preview.action, fleet.of_account("destination")) == (None, 0)
        named = Skip(preview.batch.partition, preview.batch.lane, preview.batch.first)
        done = await order(house, named)
        assert (done.action.stage, done.action.who, done.action.what) == (Stage.DONE, "ann", "skip")
        await asyncio.sleep(10)
        assert fleet.of_account("destination") == 1
        assert len(fleet.aws.queues["failed"].messages) == 1
        assert [one.id for one in await house.steering.actions()] == [done.action.id]
        await asyncio.sleep(10)
        assert len(fleet.rows.members) == 3
        assert not [row for row in fleet.rows.members.values() if {"requests", "answers"} & row.facts.keys()]


@pytest.mark.parametrize("wanted", [Isolate(key="bad"), HandOver(function="other"), Retry(reset_attempts=True)])
async def test_each_order_about_a_batch_works_from_every_member(wanted):
    async with stuck() as fleet:
        for house in (*fleet.others(), fleet.holding()):
            assert (await order(house, wanted, dry_run=True)).impact
        if isinstance(wanted, Retry):
            fleet.function.handler = lambda _: None
        await order(fleet.others()[0], wanted)
        await asyncio.sleep(10)
        bad = {"delivered": 13} if not isinstance(wanted, Isolate) else {"delivered": 12, "destination": 1}
        assert {name: fleet.of_account(name) for name in bad} == bad


async def test_what_no_member_has_is_refused_and_the_reason_names_what_waits_elsewhere():
    async with stuck() as fleet:
        house, (lane,) = fleet.others()[0], [Skip(first="none such")]
        with pytest.raises(NotPossible, match="the batch that was shown has moved on; what waits now: 1 record, "):
            await order(house, lane)
        with pytest.raises(NotPossible, match="say which key of the batch is to be given up: bad"):
            await order(house, Isolate(key="elsewhere"))
    fleet = Fleet(2)
    async with fleet.live():
        with pytest.raises(NotPossible, match="no batch waits for another try now"):
            await order(fleet.houses[0], Retry())


async def test_batches_on_several_members_are_all_tried_again_and_never_given_up_together():
    fleet = Fleet(6)
    async with fleet.live():
        fleet.function.handler = lambda _: function_error()
        fleet.put(range(40))
        await asyncio.sleep(60)
        with pytest.raises(NotPossible, match="batches wait, so say which"):
            await order(fleet.houses[0], Skip())
        fleet.function.handler = lambda _: None
        assert len((await order(fleet.houses[0], Retry())).impact) == 6
        await asyncio.sleep(20)
        assert len(fleet.delivered()) == 40


async def test_a_member_that_cannot_be_reached_stops_no_order_to_another():
    async with stuck() as fleet:
        house, away = fleet.others()
        fleet.stores[fleet.houses.index(away)].away = True
        assert (await order(house, Skip(), dry_run=True)).batch is not None
        await order(house, Skip())
        await asyncio.sleep(10)
        assert fleet.of_account("destination") == 1


async def test_an_order_whose_member_is_away_ends_and_says_so():
    async with stuck() as fleet:
        house, holder = fleet.others()[0], fleet.holding()
        store = fleet.stores[fleet.houses.index(holder)]
        preview = await order(house, Skip(), dry_run=True)
        store.away = True
        with pytest.raises(NotPossible):
            await order(house, Skip(preview.batch.partition, preview.batch.lane, preview.batch.first))
        store.away = False
        await asyncio.sleep(60)
        # whoever has the batch by now
        await order(house, Skip())
        await asyncio.sleep(10)
        assert fleet.of_account("destination") == 1


async def test_a_seek_from_a_member_that_does_not_reach_the_store_moves_nothing_and_holds_nobody():
    fleet = Fleet(6)
    async with fleet.live():
        numbers = fleet.put(range(12))
        await asyncio.sleep(30)
        fleet.stores[0].away = True
        begun = await order(fleet.houses[0], Seek(Target("TRIM_HORIZON")))
        assert begun.action.stage is Stage.BEGUN
        await asyncio.sleep(60)
        (failed,) = await fleet.houses[1].steering.actions()
        assert (failed.stage, "does not answer, so no other daemon was asked" in failed.effect) == (Stage.FAILED, True)
        fleet.stores[0].away = False
        more = fleet.put(range(12))
        await asyncio.sleep(60)
        assert Counter(fleet.delivered()) == Counter(numbers + more), "all go on"


@pytest.mark.parametrize("factor", [1, 2])
async def test_a_seek_from_any_member_delivers_the_interval_exactly_again_and_an_undo_from_another_goes_back(factor):
    fleet = Fleet(6, parallelization_factor=factor)
    async with fleet.live():
        first = fleet.put(range(40))
        await asyncio.sleep(30)
        assert Counter(fleet.delivered()) == Counter(first)
        done = await order(fleet.houses[1], Seek(Target("TRIM_HORIZON")))
        assert done.action is not None
        await asyncio.sleep(60)
        assert Counter(fleet.delivered()) == Counter(first * 2)
        assert [len(house.of("a").partitions) for house in fleet.houses] == [2, 2, 2], "nobody took them all"
        second = fleet.put(range(40))
        await asyncio.sleep(30)
        await order(fleet.houses[2], Undo())
        await asyncio.sleep(60)
        # back to where the first had been delivered once
        assert Counter(fleet.delivered()) == Counter(first * 2 + second * 2)
        assert [one.stage for one in await fleet.houses[0].steering.actions()] == [Stage.DONE, Stage.DONE]
        assert fleet.aws.streams.ledger.lost() == set()


async def test_a_seek_waits_for_what_runs_on_other_members():
    fleet = Fleet(6)
    async with fleet.live():
        fleet.function.delay = 25.0
        numbers = fleet.put(range(12))
        await asyncio.sleep(3)
        begun = await order(fleet.houses[0], Seek(Target("TRIM_HORIZON")))
        assert begun.action.stage is Stage.BEGUN
        with pytest.raises(NotPossible, match="moved already"):
            await order(fleet.houses[0], Seek(Target("LATEST")))
        await asyncio.sleep(120)
        assert set(fleet.delivered()) == set(numbers)
        assert 2 in Counter(fleet.delivered()).values(), "what ran was settled, and delivered again behind the seek"


async def test_of_two_seeks_from_two_members_at_one_instant_at_most_one_takes_place():
    fleet = Fleet(6)
    async with fleet.live():
        numbers = fleet.put(range(12))
        await asyncio.sleep(30)
        seeks = (order(house, Seek(Target("TRIM_HORIZON"))) for house in fleet.houses[:2])
        await asyncio.gather(*seeks, return_exceptions=True)
        await asyncio.sleep(60)
        stages = [one.stage for one in await fleet.houses[0].steering.actions()]
        done = stages.count(Stage.DONE)
        assert Stage.BEGUN not in stages
        assert Counter(fleet.delivered()) == Counter(numbers * (1 + done))
        await order(fleet.houses[0], Seek(Target("TRIM_HORIZON")))
        await asyncio.sleep(60)
        assert Counter(fleet.delivered()) == Counter(numbers * (2 + done)), "and nothing is held for ever"
