"""Seek and undo on a change stream: by instant, to the oldest change and to the tip; what cannot be had is refused."""

import asyncio
import json
from contextlib import asynccontextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from poller.configuration.model.mapping import DocumentDBEventSourceConfig
from poller.policy.actions import Asked, Seek, Undo
from poller.policy.seeking import Target
from poller.sources.documentdb.building import ChangeStreamBuilder
from poller.sources.kind import Shared
from poller.sources.sharded.limits import ReadLimits
from poller.values.errors import NotPossible
from tests.engine.house import House
from tests.fakes.mongo.commands import FakeMongo
from tests.fakes.mongo.port import FakeServer
from tests.fakes.queue import loop_time
from tests.fakes.streams.account import virtual_clock
from tests.virtual_time import EPOCH

ANN = Asked("ann")
CLUSTER = SimpleNamespace(arn="arn:aws:rds:eu-west-1:123456789012:cluster:shop")


@asynccontextmanager
async def reading(**parameters: Any):
    """A house whose one mapping reads the orders of a fake cluster from the oldest change on."""
    house, mongo = House(), FakeMongo(virtual_clock)
    await house.open()
    shared = Shared(house.store, set(), ReadLimits(lambda _: nullcontext()))
    house.wiring.builders["documentdb"] = ChangeStreamBuilder(shared, lambda _: FakeServer(mongo))
    watched = DocumentDBEventSourceConfig(database_name="shop", collection_name="orders")
    given = {"starting_position": "TRIM_HORIZON", "batch_size": 3, "document_db": watched, **parameters}
    house.mappings.apply([house.mapping("a", stream=CLUSTER, **given)])
    house.start()
    await asyncio.sleep(1)
    yield house, mongo
    await house.end()


def put(mongo: FakeMongo, first: int, last: int) -> list[int]:
    for number in range(first, last):
        mongo.log.insert("shop", "orders", {"_id": number})
    return [*range(first, last)]


def delivered(house: House) -> list[int]:
    """Document numbers in the order of the function's successes."""
    bodies = [json.loads(one.event) for one in house.aws.functions["fn"].invocations.all if one.ended is not None]
    return [change["event"]["documentKey"]["_id"] for body in bodies for change in body["events"]]


async def order(house: House, wanted: Any, *, dry_run: bool = False) -> Any:
    return await house.steering.act("a", wanted, ANN, dry_run=dry_run)


@pytest.mark.parametrize("factor", [1, 3])
async def test_a_seek_delivers_exactly_what_lies_behind_the_position(factor):
    async with reading(parallelization_factor=factor) as (house, mongo):
        numbers = put(mongo, 0, 4)
        await asyncio.sleep(10)
        middle = EPOCH + loop_time()
        numbers += put(mongo, 4, 12)
        await asyncio.sleep(10)
        assert sorted(delivered(house)) == numbers
        for target, first in (
            (Target("TRIM_HORIZON"), 0),
            (Target("AT_TIMESTAMP", middle), 4),
            (Target("AT_TIMESTAMP", middle, shard="changes"), 4),
            (Target("LATEST"), None),
        ):
            before, again = len(delivered(house)), [] if first is None else numbers[first:]
            assert (await order(house, Seek(target))).action.stage.value == "done"
            await asyncio.sleep(30)
            assert sorted(delivered(house)[before:]) == again, target
            numbers += put(mongo, len(numbers), len(numbers) + 1)
            await asyncio.sleep(5)
            assert delivered(house)[-1] == numbers[-1]
        before = len(delivered(house))
        await order(house, Seek(Target("TRIM_HORIZON")))
        await order(house, Undo())
        await asyncio.sleep(30)
        assert len(delivered(house)) - before <= len(numbers)
        assert house.of("a").account.unaccounted(house.of("a").in_flight()) == 0


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (Target("AT_TIMESTAMP", EPOCH + 1e6), "the instant is in the future"),
        (Target("AT_TIMESTAMP", EPOCH + 5), "ChangeStreamHistoryLost"),
        (Target("TRIM_HORIZON", shard="shardId-0"), "does not list a shard shardId-0; it lists: changes"),
        (Target("AT_SEQUENCE_NUMBER", sequence_number="82AB", shard="changes"), "a resume token is a place behind"),
        (Target("AT_SEQUENCE_NUMBER", sequence_number="17", shard="changes"), "give an instant before it, by --at"),
    ],
)
async def test_a_position_that_cannot_be_had_is_refused_and_nothing_moves(target, reason):
    async with reading() as (house, mongo):
        numbers = put(mongo, 0, 3)
        await asyncio.sleep(20)
        mongo.log.trim(int(EPOCH + loop_time()) << 32)
        numbers += put(mongo, 3, 5)
        await asyncio.sleep(10)
        stored = await house.store.load("uuid of a")
        for dry_run in (True, False):
            with pytest.raises(NotPossible, match=reason):
                await order(house, Seek(target), dry_run=dry_run)
        await asyncio.sleep(10)
        assert await house.store.load("uuid of a") == stored
        assert delivered(house) == numbers
