"""A change stream in a fleet: one daemon reads it, another goes on behind the stored token when that one stops."""

import asyncio
import json
from contextlib import nullcontext
from types import SimpleNamespace

from poller.configuration.model.mapping import DocumentDBEventSourceConfig
from poller.policy.positions import token_of
from poller.sources.documentdb.building import ChangeStreamBuilder
from poller.sources.kind import Shared
from poller.sources.sharded.limits import ReadLimits
from poller.state.memory.fleet import MemoryFleet, Rows
from tests.engine.house import House
from tests.fakes.aws import FakeAws
from tests.fakes.mongo.commands import FakeMongo
from tests.fakes.mongo.port import FakeServer
from tests.fakes.streams.account import virtual_clock

CLUSTER = SimpleNamespace(arn="arn:aws:rds:eu-west-1:123456789012:cluster:shop")
TAKEN_OVER = 60.0
"""Seconds: far above a lease."""


async def joined(rows: Rows, mongo: FakeMongo, aws: FakeAws) -> House:
    """One more daemon of the fleet."""
    house = House(fleet=MemoryFleet(rows), aws=aws)
    await house.open()
    shared = Shared(house.store, set(), ReadLimits(lambda _: nullcontext()))
    house.wiring.builders["documentdb"] = ChangeStreamBuilder(shared, lambda _: FakeServer(mongo))
    watched = DocumentDBEventSourceConfig(database_name="shop", collection_name="orders")
    house.mappings.apply(
        [house.mapping("a", stream=CLUSTER, starting_position="TRIM_HORIZON", batch_size=3, document_db=watched)]
    )
    house.start()
    return house


def put(mongo: FakeMongo, first: int, last: int) -> None:
    for number in range(first, last):
        mongo.log.insert("shop", "orders", {"_id": number})


def delivered(aws: FakeAws) -> list[int]:
    """Document numbers, in the order of the function's successes."""
    bodies = [json.loads(one.event) for one in aws.functions["fn"].invocations.all if one.ended is not None]
    return [change["event"]["documentKey"]["_id"] for body in bodies for change in body["events"]]


async def test_another_daemon_goes_on_behind_the_token_of_the_one_that_stops_and_nothing_comes_twice():
    rows, mongo, aws = Rows(), FakeMongo(virtual_clock), FakeAws()
    first = await joined(rows, mongo, aws)
    second = await joined(rows, mongo, aws)
    await asyncio.sleep(30)
    put(mongo, 0, 10)
    await asyncio.sleep(30)
    assert delivered(aws) == [*range(10)]
    reading = [house for house in (first, second) if house.of("a").account.delivered]
    # one partition is read by one daemon
    assert len(reading) == 1
    (stored,) = rows.mappings["uuid of a"].shards.values()
    assert stored.position is not None
    assert token_of(stored.position)
    (other,) = {first, second} - {*reading}
    await reading[0].end()
    put(mongo, 10, 20)
    await asyncio.sleep(TAKEN_OVER)
    assert delivered(aws) == [*range(20)]
    assert other.of("a").account.delivered == 10
    third = await joined(rows, mongo, aws)
    await asyncio.sleep(30)
    put(mongo, 20, 25)
    await asyncio.sleep(30)
    assert delivered(aws) == [*range(25)]
    for house in (other, third):
        await house.end()
