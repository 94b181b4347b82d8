"""Aggregates that are taken apart: a batch may end inside of one, and whatever happens there, nothing is lost."""

import asyncio
import json
import random
from base64 import b64decode
from dataclasses import replace

import pytest

from poller.sources.kinds import parse_source
from tests.fakes.lambda_service import batch_item_failures, function_error
from tests.fakes.streams.aggregates import sealed
from tests.journeys.streams.test_random import KEYS as KEY_COUNT
from tests.journeys.streams.test_random import Journey
from tests.journeys.streams.world import StreamLife, StreamWorld
from tests.journeys.world import WatchedLoop
from tests.present import present
from tests.virtual_time import run

KEYS = [f"k{number}" for number in range(6)]


def fill(world, aggregates, inner=10, seed=1):
    chance = random.Random(seed)
    for number in range(aggregates):
        world.kinesis.put_aggregate(chance.choices(KEYS, k=inner), str(number))
        if number % 3 == 0:
            world.put(chance.choice(KEYS), number)
    return aggregates * inner + (aggregates + 2) // 3


def told(event):
    return [json.loads(b64decode(record["kinesis"]["data"])) for record in event["Records"]]


async def test_without_the_option_an_aggregate_is_handed_over_whole():
    world = StreamWorld()
    world.kinesis.put_aggregate(KEYS)
    life = StreamLife(world, world.mapping())
    await world.until(lambda: life.account.delivered == 1)
    await life.end()
    [invocation] = world.function.invocations.all
    [record] = invocation.records
    assert b64decode(record["kinesis"]["data"]).startswith(b"\xf3\x89\x9a\xc2")
    assert life.account.polled == 1


async def test_inner_records_have_key_and_data_of_their_own_and_one_event_id():
    world = StreamWorld()
    number = world.kinesis.put_aggregate(["a", "b", "a"], "hello")
    life = StreamLife(world, world.mapping(deaggregate=True))
    await world.until_done()
    await life.end()
    records = world.function.invocations.all[0].records
    assert [record["kinesis"]["partitionKey"] for record in records] == ["a", "b", "a"]
    assert {record["eventID"] for record in records} == {f"shardId-000000000000:{number}"}
    assert {record["kinesis"]["sequenceNumber"] for record in records} == {number}
    assert [record["kinesis"].keys() for record in records] == [
        {"kinesisSchemaVersion", "partitionKey", "sequenceNumber", "data", "approximateArrivalTimestamp"}
    ] * 3
    assert life.account.polled == life.account.delivered == 3


@pytest.mark.parametrize("factor", [1, 3])
@pytest.mark.parametrize("batch_size", [1, 7, 100])
async def test_batches_cut_aggregates_wherever_they_end(factor, batch_size):
    world = StreamWorld()
    count = fill(world, 30)
    mapping = world.mapping(deaggregate=True, batch_size=batch_size, parallelization_factor=factor)
    life = StreamLife(world, mapping)
    await world.until_done()
    await life.end()
    world.check()
    assert life.account.polled == life.account.delivered == count
    assert world.ledger.repeated() == set()


@pytest.mark.parametrize("factor", [1, 4])
async def test_a_soft_stop_inside_an_aggregate_goes_on_inside_of_it(factor):
    """Delivered once each: the position inside is what is stored."""
    world = StreamWorld()
    count = fill(world, 4, inner=25)
    world.function.delay = 1.0
    mapping = world.mapping(deaggregate=True, batch_size=3, parallelization_factor=factor)
    delivered, inside = 0, 0
    for _ in range(60):
        life = StreamLife(world, mapping)
        await asyncio.sleep(3.5)
        await life.end()
        delivered += life.account.delivered
        stored = (present(await world.store.load("u"))).shards["shardId-000000000000"]
        inside += any(":" in (lane.position or "") for lane in stored.lanes)
        if not world.lost():
            break
    world.check()
    assert inside
    assert delivered == count
    assert world.ledger.repeated() == set()


async def test_a_crash_inside_an_aggregate_repeats_no_more_than_what_was_not_stored():
    world = StreamWorld()
    count = fill(world, 6, inner=20)
    world.function.delay = 0.5
    mapping = world.mapping(deaggregate=True, batch_size=7)
    for _ in range(40):
        life = StreamLife(world, mapping)
        await asyncio.sleep(2.3)
        await life.crash()
        if not world.lost():
            break
    world.check()
    assert len(world.ledger.entries) == count
    assert len(world.ledger.repeated()) < count / 2


async def test_a_change_of_the_factor_inside_an_aggregate_loses_and_reorders_nothing():
    world = StreamWorld()
    count = fill(world, 10, inner=20)
    world.function.delay = 0.5
    mapping = world.mapping(deaggregate=True, batch_size=3, parallelization_factor=3)
    for factor in (3, 1, 4, 2):
        life = StreamLife(world, replace(mapping, parallelization_factor=factor))
        await asyncio.sleep(4)
        await life.end()
    life = StreamLife(world, replace(mapping, parallelization_factor=5))
    await world.until_done()
    await life.end()
    world.check()
    assert len(world.ledger.entries) == count
    assert world.ledger.repeated() == set()


async def test_a_retry_is_restored_inside_an_aggregate_with_its_attempts():
    world = StreamWorld()
    world.kinesis.put_aggregate(["a"] * 20)
    poison = {13}

    def handler(event):
        return function_error() if poison & {one["inner"] for one in told(event)} else None

    world.function.handler = handler
    mapping = world.mapping(
        destination=True,
        deaggregate=True,
        batch_size=6,
        bisect_batch_on_function_error=True,
        maximum_retry_attempts=6,
    )
    lives = []
    while world.lost():
        lives.append(StreamLife(world, mapping))
        await asyncio.sleep(5)
        await lives[-1].end()
    world.check()
    assert len(lives) > 2
    [record] = [json.loads(message.body) for message in world.failed.messages.values()]
    [number] = {one.sequence_number.partition(":")[0] for one in world.ledger.entries.values()}
    assert (
        record["KinesisBatchInfo"]["startSequenceNumber"] == record["KinesisBatchInfo"]["endSequenceNumber"] == number
    )
    assert record["KinesisBatchInfo"]["batchSize"] == 1
    assert record["requestContext"]["approximateInvokeCount"] == 7


async def test_what_is_named_of_an_aggregate_is_delivered_again_from_its_first_record_in_the_batch():
    world = StreamWorld()
    world.put("a", 0)
    number = world.kinesis.put_aggregate(["a"] * 4)
    world.function.script(batch_item_failures(number))
    mapping = world.mapping(deaggregate=True, batch_size=3, function_response_types=("ReportBatchItemFailures",))
    life = StreamLife(world, mapping)
    await world.until_done()
    await life.end()
    identifiers = [[one.rpartition(":")[2] for one in each.identifiers] for each in world.function.invocations.all]
    assert identifiers[0][1:] == ["0", "1"]
    assert identifiers[1] == ["0", "1"]
    assert identifiers[2] == ["2", number]
    world.check()


async def test_the_option_turned_off_inside_an_aggregate_hands_it_over_whole():
    world = StreamWorld()
    world.kinesis.put_aggregate(["a"] * 10)
    world.function.delay = 1.0
    life = StreamLife(world, world.mapping(deaggregate=True, batch_size=4))
    await asyncio.sleep(1.5)
    await life.end()
    assert 0 < life.account.delivered < 10
    life = StreamLife(world, world.mapping(batch_size=4))
    await world.until(lambda: life.account.delivered == 1)
    await life.end()
    assert b64decode(world.function.invocations.all[-1].records[0]["kinesis"]["data"])[:1] == b"\xf3"


async def test_a_broken_aggregate_is_handed_over_whole_between_sound_ones():
    world = StreamWorld()
    world.kinesis.put_aggregate(["a"] * 3)
    world.kinesis.put("a", sealed(b"broken"))
    world.kinesis.put_aggregate(["a"] * 3)
    life = StreamLife(world, world.mapping(deaggregate=True))
    await world.until_done()
    await life.end()
    world.check()
    assert life.account.delivered == 7


async def test_inner_records_of_other_hash_keys_are_delivered_after_a_split():
    """An aggregate lies in one shard, and its inner keys may be of another: they are handed over all the same."""
    world = StreamWorld()
    world.stream.split("shardId-000000000000")
    keys = [f"key-{number}" for number in range(40)]
    world.kinesis.put_aggregate(keys)
    life = StreamLife(world, world.mapping(deaggregate=True))
    await world.until_done()
    await life.end()
    assert life.account.delivered == 40
    world.check()


class AggregateJourney(Journey):
    """A random journey of packed records, polled or pushed. One aggregate holds one key, whose order a shard keeps."""

    def __init__(self, seed):
        super().__init__(seed, table=False, hours=0.5, records=60)
        self.world.only_wanted(lambda _: True)
        self.mapping = replace(self.mapping, filter_criteria=(), deaggregate=True)
        if self.chance.random() < 0.5:
            consumer = self.world.aws.streams.fan_out.register(self.world.kinesis, "c")
            self.mapping = replace(self.mapping, event_source_arn=consumer, source=parse_source(consumer))

    async def produce(self):
        for number in range(self.records):
            key = f"k{self.chance.randrange(KEY_COUNT)}"
            if self.chance.random() < 0.7:
                written = self.world.kinesis.put_aggregate([key] * self.chance.choice([1, 2, 9, 40]))
            else:
                written = self.world.put(key, number)
            if self.gives_up and self.chance.random() < 0.03:
                self.plan.poison.add(written)
            if self.chance.random() < 0.4:
                await asyncio.sleep(self.chance.uniform(0, 5 * self.seconds / self.records))


def test_a_journey_of_aggregates(special_seed):
    """Reshards, crashes, reloads, partial responses, bisects and a destination, wherever batches end."""

    async def journey():
        await AggregateJourney(special_seed).run()

    run(journey(), loop_factory=WatchedLoop)
