"""Enhanced fan-out: renewed every five minutes, across reshards, crashes and outages, and nothing is lost or doubled."""

import asyncio
import random
from dataclasses import replace

import pytest

from poller.ports.status import ReasonCode
from poller.sources.kinds import parse_source
from poller.values.errors import AnswerLost, ServiceError
from tests.fakes.faults import HANG, INTERNAL, LOST_AFTER, LOST_BEFORE, NOT_SENT, THROTTLED, refused
from tests.fakes.lambda_service import function_error
from tests.journeys.run import end
from tests.journeys.streams.test_windows import WindowJourney
from tests.journeys.streams.world import StreamLife, StreamWorld
from tests.journeys.world import WatchedLoop
from tests.present import present
from tests.virtual_time import run

READS = ("GetRecords", "GetShardIterator")
KEYS = 8


class FanOutWorld(StreamWorld):
    def __init__(self, **settings):
        super().__init__(**settings)
        self.number = 0
        self.fan_out = self.aws.streams.fan_out
        self.consumer = self.fan_out.register(self.kinesis, "c")

    def mapping(self, **parameters):
        return super().mapping(**{"event_source_arn": self.consumer} | parameters)

    def fill(self, count):
        for _ in range(count):
            self.put(f"k{self.number % KEYS}", self.number)
            self.number += 1

    async def trickle(self, seconds, every=7.0):
        """A record now and then for so long."""
        end = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < end:
            self.fill(1)
            await asyncio.sleep(every)


async def test_records_are_pushed_within_a_fraction_of_a_second_and_no_read_is_spent():
    world = FanOutWorld(shards=2)
    life = StreamLife(world, world.mapping())
    await asyncio.sleep(30)
    world.fill(KEYS)
    await asyncio.sleep(0.3)
    assert world.lost() == set()
    await life.end()
    world.check()
    assert not any(world.aws.calls[read] for read in READS)
    delays = [entry.succeeded[0] - entry.put for entry in world.ledger.entries.values()]
    assert max(delays) < 0.2


async def test_events_and_failure_records_name_the_consumer():
    world = FanOutWorld()
    world.fill(1)
    world.function.script(function_error(), function_error())
    life = StreamLife(world, world.mapping(destination=True, maximum_retry_attempts=0))
    await world.until(lambda: life.account.destination == 1)
    await life.end()
    [record] = world.function.invocations.all[0].records
    assert record["eventSourceARN"] == world.consumer
    assert f'"streamArn":"{world.consumer}"' in next(iter(world.failed.messages.values())).body.replace('": "', '":"')


async def test_aggregates_are_always_taken_apart():
    world = FanOutWorld()
    world.kinesis.put_aggregate(["a", "b", "c"])
    life = StreamLife(world, world.mapping(batch_size=2))
    await world.until_done()
    await life.end()
    world.check()
    assert life.account.delivered == 3


async def test_a_subscription_is_renewed_every_five_minutes_without_gap_or_duplicate():
    world = FanOutWorld()
    life = StreamLife(world, world.mapping())
    await world.trickle(1250)
    await world.until_done()
    await life.end()
    world.check()
    assert world.ledger.repeated() == set()
    assert world.fan_out.opened == 5
    assert max(entry.succeeded[0] - entry.put for entry in world.ledger.entries.values()) < 1


async def test_a_quiet_shard_goes_on_from_where_the_service_said():
    world = FanOutWorld()
    life = StreamLife(world, world.mapping())
    await asyncio.sleep(1000)
    world.fill(3)
    await world.until_done()
    await life.end()
    world.check()
    assert world.ledger.repeated() == set()
    first, *others = world.fan_out.positions
    assert first == {"Type": "TRIM_HORIZON"}
    assert {position["Type"] for position in others} == {"AFTER_SEQUENCE_NUMBER"}
    assert {position["SequenceNumber"] for position in others} <= world.fan_out.continuations


@pytest.mark.parametrize("life_seconds", [299.9, 300.0, 300.1, 301.3])
async def test_crashes_around_the_renewal_lose_nothing(life_seconds):
    world = FanOutWorld()
    world.function.delay = 0.2
    producing = asyncio.create_task(world.trickle(1000, every=2.3))
    while not producing.done():
        life = StreamLife(world, world.mapping(batch_size=5, parallelization_factor=3))
        await asyncio.sleep(life_seconds)
        await life.crash()
    life = StreamLife(world, world.mapping())
    await world.until_done()
    await life.end()
    world.check()
    assert life.account.unaccounted(life.status.in_flight()) == 0


async def test_a_restart_within_five_seconds_waits_for_its_turn_and_shows_no_problem():
    world = FanOutWorld()
    life = StreamLife(world, world.mapping())
    await asyncio.sleep(1)
    await life.end()
    world.fill(5)
    life = StreamLife(world, world.mapping())
    await world.until_done(within=12)
    assert [one.reason for one in life.status.partitions] == [None]
    await life.end()
    world.check()


async def test_a_consumer_in_use_elsewhere_is_told_with_what_to_do():
    world = FanOutWorld()
    world.fan_out.consumers[world.consumer].status = "CREATING"
    life = StreamLife(world, world.mapping())
    await asyncio.sleep(60)
    [partition] = life.status.partitions
    assert "register one for each mapping" in present(partition.reason).text
    world.fan_out.consumers[world.consumer].status = "ACTIVE"
    world.fill(3)
    await world.until_done()
    await life.end()
    world.check()


async def test_a_consumer_that_is_gone_is_told_and_taken_up_again_when_it_is_back():
    world = FanOutWorld()
    consumer = world.fan_out.consumers.pop(world.consumer)
    life = StreamLife(world, world.mapping())
    await asyncio.sleep(20)
    [partition] = life.status.partitions
    assert present(partition.reason).code is ReasonCode.SOURCE_MISSING
    assert "RegisterStreamConsumer" in present(partition.reason).text
    world.fan_out.consumers[world.consumer] = consumer
    world.fill(3)
    await world.until_done()
    await life.end()
    world.check()


@pytest.mark.parametrize("factor", [1, 4])
async def test_across_splits_and_merges(factor):
    world = FanOutWorld(shards=2)
    life = StreamLife(world, world.mapping(parallelization_factor=factor, batch_size=7))
    for round_ in range(6):
        world.fill(40)
        await asyncio.sleep(11)
        shards = world.stream.open_shards()
        world.fill(20)
        if round_ % 2:
            world.stream.merge(*shards[:2])
        else:
            world.stream.split(shards[-1])
        world.fill(20)
    await world.until_done()
    await life.end()
    world.check()
    assert world.ledger.repeated() == set()


async def test_back_pressure_is_not_reading_and_the_rest_comes_when_there_is_room():
    world = FanOutWorld()
    world.function.concurrency = 0
    mapping = world.mapping(max_bytes_in_flight=20_000)
    for number in range(3000):
        world.kinesis.put("k", str(number))
    life = StreamLife(world, mapping)
    await asyncio.sleep(700)
    assert 0 < life.account.polled < 3000
    assert present(life.status.partitions[0].reason).code is ReasonCode.READ_AHEAD
    world.function.concurrency = None
    await world.until_done()
    await life.end()
    world.check()
    assert world.ledger.repeated() == set()


async def test_what_breaks_a_subscription_is_followed_by_another():
    world = FanOutWorld()
    life = StreamLife(world, world.mapping())
    await world.until(lambda: world.fan_out.opened == 1)
    for fault in (
        AnswerLost("reset"),
        ServiceError(400, "InternalFailureException", "by plan"),
        ServiceError(400, "ResourceInUseException", "taken over"),
        ServiceError(400, "KMSThrottlingException", "slow down"),
    ):
        world.fan_out.faults.append(fault)
        world.fill(5)
        await asyncio.sleep(60)
        assert world.lost() == set()
    await life.end()
    world.check()
    assert world.ledger.repeated() == set()


async def test_one_that_broke_at_once_is_followed_only_when_the_service_allows_it():
    world = FanOutWorld()
    life = StreamLife(world, world.mapping())
    await world.until(lambda: world.fan_out.opened == 1)
    world.fan_out.faults.append(AnswerLost("reset"))
    world.fill(5)
    await world.until_done(within=8)
    await life.end()
    world.check()
    assert (world.fan_out.opened, world.fan_out.refused) == (2, 0)


async def test_one_that_is_taken_over_waits_as_long_before_it_takes_over_itself():
    world = FanOutWorld()
    life = StreamLife(world, world.mapping())
    await asyncio.sleep(30)
    world.fan_out.faults.append(ServiceError(400, "ResourceInUseException", "taken over"))
    world.fill(1)
    begun = asyncio.get_running_loop().time()
    await world.until(lambda: world.fan_out.opened == 2)
    assert asyncio.get_running_loop().time() - begun >= 5
    await world.until_done()
    await life.end()
    world.check()


async def test_an_endpoint_without_event_streams_says_so():
    text = "the endpoint answers SubscribeToShard with application/json, not with an event stream"
    world = FanOutWorld()
    world.aws.faults.always("SubscribeToShard", refused(400, "UnknownOperationException", text))
    life = StreamLife(world, world.mapping())
    await asyncio.sleep(10)
    assert text in present(life.status.partitions[0].reason).text
    await life.end()


async def test_latest_begins_at_the_mapping_s_start_with_a_consumer_too():
    world = FanOutWorld()
    world.fill(10)
    world.before_start.update(world.ledger.entries)
    await asyncio.sleep(5)
    mapping = world.mapping(starting_position="LATEST")
    life = StreamLife(world, mapping)
    await asyncio.sleep(2)
    await life.crash()
    world.fill(10)
    life = StreamLife(world, mapping)
    await world.until_done()
    await life.end()
    world.check()
    assert all(not world.ledger[number].invoked for number in world.before_start)


async def test_a_mapping_changes_between_polling_and_being_pushed_and_keeps_its_position():
    world = FanOutWorld()
    for arn in (world.stream.arn, world.consumer, world.stream.arn, world.consumer):
        life = StreamLife(world, world.mapping(event_source_arn=arn))
        world.fill(10)
        await world.until_done()
        await asyncio.sleep(20)
        await life.end()
        await asyncio.sleep(20)
    world.check()
    assert world.ledger.repeated() == set()


class PushedWindows(WindowJourney):
    """Windows of a stream whose records are pushed."""

    def __init__(self, seed):
        super().__init__(seed, table=False)
        consumer = self.world.aws.streams.fan_out.register(self.world.kinesis, "c")
        self.mapping = replace(self.mapping, event_source_arn=consumer, source=parse_source(consumer))


@pytest.mark.parametrize("number", range(6))
def test_windows_sum_up_what_is_pushed_as_what_is_polled(number):
    async def journey():
        await PushedWindows(number).run()

    run(journey(), loop_factory=WatchedLoop)


class Journey:
    """One mapping's lives, one after the other."""

    def __init__(self, seed):
        self.chance = chance = random.Random(seed)
        self.world = FanOutWorld(shards=chance.choice([1, 2]), seed=seed)
        self.world.function.delay = chance.choice([0, 0.3, 4])
        self.mapping = self.world.mapping(
            batch_size=chance.choice([1, 7, 100]), parallelization_factor=chance.choice([1, 3])
        )
        self.life = StreamLife(self.world, self.mapping)

    async def crash(self):
        await self.life.crash()
        self.life = StreamLife(self.world, self.mapping)

    async def stop(self):
        await end(self.life, self.chance.choice(["hard", "soft"]))
        self.life = StreamLife(self.world, self.mapping)

    async def reload(self):
        self.mapping = replace(self.mapping, parallelization_factor=self.chance.choice([1, 2, 5]))
        await self.stop()

    async def reshard(self):
        stream, shards = self.world.stream, self.world.stream.open_shards()
        if len(shards) > 1:
            stream.merge(*shards[:2])
        else:
            stream.split(shards[0])

    async def outage(self):
        self.world.aws.faults.always("SubscribeToShard", self.chance.choice([LOST_BEFORE, THROTTLED, INTERNAL]))
        await asyncio.sleep(self.chance.uniform(1, 400))

    async def taken_over(self):
        self.world.fan_out.faults.append(ServiceError(400, "ResourceInUseException", "taken over"))

    async def broken(self):
        self.world.fan_out.faults.append(AnswerLost("reset"))

    async def produce(self):
        for _ in range(self.chance.randint(1, 5)):
            self.world.fill(self.chance.randint(0, 12))
            # an aggregate's inner keys keep their order in one shard only
            if len(self.world.stream.shards) == 1:
                self.world.kinesis.put_aggregate(self.chance.choices([f"k{n}" for n in range(KEYS)], k=9))
            await asyncio.sleep(self.chance.uniform(0, 80))


async def test_journeys_with_a_consumer(special_seed):
    """Reshards, aggregates, faults of every kind, stops and crashes, by chance."""
    journey = Journey(special_seed)
    world, chance = journey.world, journey.chance
    for _ in range(10):
        await journey.produce()
        world.aws.faults.at_random("SubscribeToShard", chance.choice([0, 0.5]), NOT_SENT, LOST_AFTER, INTERNAL, HANG)
        incidents = ["crash", "stop", "reload", "reshard", "outage", "taken_over", "broken"]
        await getattr(journey, chance.choice(incidents))()
        world.aws.faults.clear()
    world.fan_out.faults.clear()
    await world.until_done()
    await world.until(lambda: journey.life.status.in_flight() == 0)
    account = journey.life.account
    assert account.polled == account.delivered + account.returned
    await journey.life.end()
    world.check()
