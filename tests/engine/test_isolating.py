"""The records of one key are given up, or a batch goes to another function once: nothing unaccounted, order per key."""

import asyncio
import json
from contextlib import asynccontextmanager
from typing import Any

import pytest

from poller.policy.actions import Asked, HandOver, Isolate
from poller.state.memory.fleet import MemoryFleet, Rows
from poller.state.memory.store import MemoryStore
from poller.values.errors import NotPossible
from tests.engine.house import House, living
from tests.engine.test_seek import delivered
from tests.fakes.aws import FakeAws
from tests.fakes.lambda_service import function_error

ANN = Asked("ann", "page", "customer 4711 is broken")
KEYS = ["a", "bad", "b", "bad", "c", "a"]


def poisoned(event):
    return function_error() if "bad" in [one["kinesis"]["partitionKey"] for one in event["Records"]] else None


@asynccontextmanager
async def stuck(*, keys=KEYS, destination=True, store=None, aws=None, **parameters):
    """A stream of one batch that fails because of one key, and a second function."""
    house: Any = House(store or MemoryStore(), aws)
    stream = house.aws.streams.streams["s"] if aws else house.aws.stream("s")
    house.numbers = [] if aws else [stream.put(key, str(number)) for number, key in enumerate(keys)]
    given: dict[str, Any] = {"starting_position": "TRIM_HORIZON", "batch_size": 100} | parameters
    if destination:
        given["on_failure_destination"] = house.queue("failed").arn
    mapping = house.mapping("a", stream=stream, **given)
    house.aws.functions["fn"].handler = poisoned
    other = house.mapping("b", function="other")
    async with living(mapping, other, house=house):
        house.declare(other)
        await asyncio.sleep(100)
        yield house


async def order(house: Any, wanted: Any, *, dry_run: bool = False) -> Any:
    return await house.steering.act("a", wanted, ANN, dry_run=dry_run)


async def test_the_records_of_one_key_are_given_up_and_the_others_pass_in_order():
    async with stuck() as house:
        preview = await order(house, Isolate(key="bad"), dry_run=True)
        assert "2 records with the key bad" in preview.impact[0]
        assert house.of("a").account.destination == 0
        await order(house, Isolate(key="bad"))
        await asyncio.sleep(10)
        account = house.of("a").account
        assert (account.delivered, account.destination, account.dropped) == (4, 2, 0)
        assert delivered(house) == [house.numbers[place] for place in (0, 2, 4, 5)]
        records = [json.loads(message.body) for message in house.queue("failed").messages.values()]
        assert [one["requestContext"]["condition"] for one in records] == ["IsolatedByHand"] * 2
        assert [one["KinesisBatchInfo"]["startSequenceNumber"] for one in records] == [
            house.numbers[1],
            house.numbers[3],
        ]
        assert house.of("a").partitions[0].position == house.numbers[-1]


async def test_without_a_destination_they_are_dropped_only_when_that_is_said():
    async with stuck(destination=False) as house:
        with pytest.raises(NotPossible, match="would be dropped"):
            await order(house, Isolate(key="bad"), dry_run=True)
        await order(house, Isolate(key="bad", drop=True))
        await asyncio.sleep(10)
        assert (house.of("a").account.delivered, house.of("a").account.dropped) == (4, 2)


async def test_a_key_has_to_be_one_of_the_batch():
    async with stuck() as house:
        for wanted in (Isolate(), Isolate(key="elsewhere")):
            with pytest.raises(NotPossible, match=r"say which key of the batch is to be given up: a \(2\), bad \(2\)"):
                await order(house, wanted, dry_run=True)
    async with stuck(keys=["bad"]) as house:
        await order(house, Isolate())
        await asyncio.sleep(10)
        assert house.of("a").account.destination == 1


@pytest.mark.parametrize("factor", [1, 2])
async def test_a_crash_behind_it_loses_nothing_and_gives_up_nothing_else(factor):
    """Whatever of it was stored: what is not settled comes again."""
    store = MemoryStore()
    async with stuck(store=store, parallelization_factor=factor) as house:
        (lane,) = [number for number, one in enumerate(house.of("a").partitions[0].lanes) if one.held]
        await order(house, Isolate(lane=lane, key="bad"))
        first, told = delivered(house), len(house.queue("failed").messages)
    async with stuck(store=store, aws=house.aws, parallelization_factor=factor) as again:
        await asyncio.sleep(60)
        keys = set(delivered(again))
        assert keys >= set(first)
        records = [json.loads(message.body) for message in again.queue("failed").messages.values()]
        assert len(records) >= max(told, 1)
        starts = {one["KinesisBatchInfo"]["startSequenceNumber"] for one in records}
        assert starts <= {house.numbers[1], house.numbers[3]}
        assert keys >= set(house.numbers) - {house.numbers[1], house.numbers[3]}
        assert again.of("a").partitions[0].position == house.numbers[-1]


async def test_another_function_gets_the_batch_once_and_its_success_settles_it():
    async with stuck() as house:
        preview = await order(house, HandOver(function="other"), dry_run=True)
        assert "in the place of fn" in preview.impact[0]
        tried = len(house.invoked().all)
        await order(house, HandOver(function="other"))
        await asyncio.sleep(5)
        (one,) = house.invoked("other").all
        assert one.identifiers == house.numbers
        assert (len(house.invoked().all), house.of("a").account.delivered) == (tried, 6)


async def test_another_function_that_fails_is_one_try_more_and_the_own_function_goes_on():
    async with stuck(maximum_retry_attempts=20) as house:
        house.aws.functions["other"].handler = lambda _: function_error()
        (lane,) = house.of("a").partitions[0].lanes
        attempts, tried = lane.held.part.attempts, len(house.invoked().all)
        await order(house, HandOver(function="other"))
        await asyncio.sleep(1)
        assert (len(house.invoked("other").all), lane.held.part.attempts) == (1, attempts + 1)
        house.aws.functions["fn"].handler = lambda _: None
        await asyncio.sleep(200)
        assert (len(house.invoked("other").all), len(house.invoked().all) > tried) == (1, True)
        assert house.of("a").account.delivered == 6
        with pytest.raises(NotPossible, match="no batch waits"):
            await order(house, HandOver(function="other"), dry_run=True)


async def test_another_function_has_to_be_there():
    async with stuck() as house:
        with pytest.raises(NotPossible, match="there is no function nobody"):
            await order(house, HandOver(function="nobody"), dry_run=True)


async def test_a_message_whose_function_is_away_goes_to_another_one():
    house: Any = House()
    other = house.mapping("b", function="other")
    async with living(house.mapping("a"), other, house=house):
        house.declare(other)
        house.aws.functions.pop("fn")
        house.queue("a").send("1")
        await asyncio.sleep(100)
        with pytest.raises(NotPossible, match="dead-letter queue"):
            await order(house, Isolate(), dry_run=True)
        await order(house, HandOver(function="other"))
        await asyncio.sleep(10)
        assert (house.of("a").account.delivered, len(house.queue("a").messages)) == (1, 0)


async def test_an_order_about_a_batch_at_any_member_of_a_fleet_is_answered_by_the_one_that_reads_the_shard():
    rows, aws = Rows(), FakeAws()
    houses: Any = [House(aws=aws, fleet=MemoryFleet(rows)) for _ in range(2)]
    stream = aws.stream("s")
    first, second = (house.mapping("a", stream=stream, starting_position="TRIM_HORIZON") for house in houses)
    async with living(first, house=houses[0]), living(second, house=houses[1]):
        aws.functions["fn"].handler = lambda _: function_error()
        stream.put("bad", "1")
        await asyncio.sleep(60)
        (reader,) = [house for house in houses if house.of("a").partitions[0:]]
        (other,) = [house for house in houses if house is not reader]
        with pytest.raises(NotPossible, match="the mapping has no on-failure destination"):
            await order(other, Isolate(), dry_run=True)
        there, here = [await order(house, HandOver(function="fn"), dry_run=True) for house in (other, reader)]
        assert there.impact == here.impact
