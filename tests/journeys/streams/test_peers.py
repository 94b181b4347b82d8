"""What other consumers of streams lost data or stood still by; each test is named after its symptom."""

import asyncio
from dataclasses import replace

import pytest

from poller.daemon.api.shown_reasons import mapping_reason, state_of
from poller.policy.progress import StreamProgress
from tests.fakes.faults import HANG, refused
from tests.fakes.lambda_service import Hang, function_error
from tests.journeys.streams.world import StreamLife, StreamWorld
from tests.present import present

DENIED = refused(400, "AccessDeniedException", "not authorized")
KINDS = pytest.mark.parametrize("table", [False, True], ids=["kinesis", "dynamodb"])


def fill(world, count, keys=5, start=0):
    return [world.put(f"k{number % keys}", number) for number in range(start, start + count)]


def end_shards(world):
    """Every open shard is closed, and has two children."""
    if world.stream.name and hasattr(world.stream, "rollover"):
        world.stream.rollover(into=2)
    else:
        for shard in world.stream.open_shards():
            world.stream.split(shard)


@KINDS
async def test_closed_parents_with_unread_records_are_never_read(table):
    """Read they are, before their children, also when nobody was there while they were closed."""
    world = StreamWorld(table=table)
    fill(world, 20)
    end_shards(world)
    fill(world, 20, start=20)
    end_shards(world)
    fill(world, 20, start=40)
    life = StreamLife(world, world.mapping(batch_size=3))
    await asyncio.sleep(2)
    await life.end()
    life = StreamLife(world, world.mapping(batch_size=3))
    await world.until_done(within=600)
    await life.end()
    world.check()
    assert world.ledger.repeated() == set()


@KINDS
async def test_latest_is_applied_again_to_children_and_after_a_restart(table):
    """It is resolved once: what came after the first start is delivered, whatever happened meanwhile."""
    world = StreamWorld(table=table, shards=2)
    world.before_start.update(fill(world, 30))
    await asyncio.sleep(5)
    mapping = world.mapping(starting_position="LATEST")
    life = StreamLife(world, mapping)
    await asyncio.sleep(5)
    await life.end()
    assert (life.account.before_start, life.account.polled) == (0, 0)
    fill(world, 30, start=30)
    end_shards(world)
    fill(world, 30, start=60)
    await asyncio.sleep(1000)
    life = StreamLife(world, mapping)
    await world.until_done(within=600)
    await life.end()
    world.check()
    assert all(not world.ledger[number].invoked for number in world.before_start)


async def test_an_expired_iterator_is_used_for_ever_or_reading_starts_over():
    """Iterators last five minutes: reading goes on after the last record read, and nothing comes twice."""
    world = StreamWorld()
    life = StreamLife(world, world.mapping())
    fill(world, 10)
    await world.until_done()
    world.aws.faults.always("GetRecords", DENIED)
    await asyncio.sleep(400)
    fill(world, 10, start=10)
    world.aws.faults.clear()
    await world.until_done(within=120)
    await life.end()
    world.check()
    assert world.ledger.repeated() == set()
    assert life.account.polled == 20


@KINDS
async def test_shards_beyond_the_first_page_of_the_listing_are_missed(table):
    """Every page is read, and a shard that appears later is found."""
    world = StreamWorld(table=table, shards=7, shards_per_page=2)
    fill(world, 50, keys=50)
    life = StreamLife(world, world.mapping())
    await world.until_done(within=60)
    end_shards(world)
    fill(world, 50, keys=50, start=50)
    await world.until_done(within=120)
    await life.end()
    world.check()


async def test_a_position_is_stored_past_records_still_in_work():
    """A lane that hangs holds the shard's position, however far the other lanes are."""
    world = StreamWorld()
    first, *_ = fill(world, 200, keys=40)

    async def slow(event):
        if any(record["kinesis"]["sequenceNumber"] == first for record in event["Records"]):
            await asyncio.sleep(3600)

    world.function.handler = slow
    life = StreamLife(world, world.mapping(parallelization_factor=10, batch_size=5))
    await asyncio.sleep(20)
    assert len(world.lost()) < 60
    await life.crash()
    world.function.handler = lambda _: None
    life = StreamLife(world, world.mapping(parallelization_factor=10, batch_size=5))
    await world.until_done(within=60)
    await life.end()
    world.check()


async def test_a_shard_that_stands_still_shows_no_lag():
    """The age of the oldest record in hand is the lag, whether or not anything is read."""
    world = StreamWorld()
    world.function.handler = lambda _: function_error()
    life = StreamLife(world, world.mapping())
    fill(world, 1)
    await asyncio.sleep(1000)
    assert life.status.in_flight() == 1
    assert life.status.lag().seconds == pytest.approx(1000, abs=5)
    assert life.status.partitions[0].lanes[0].code == "retry"
    await life.end()


async def test_a_stopped_consumer_leaves_shards_that_nobody_may_read():
    """Nothing is left behind that has to run out: the next process goes on within seconds."""
    world = StreamWorld(shards=3)
    life = StreamLife(world, world.mapping())
    fill(world, 30)
    await world.until_done()
    await life.end()
    fill(world, 30, start=30)
    life = StreamLife(world, world.mapping())
    await world.until_done(within=5)
    await life.end()
    assert world.ledger.repeated() == set()
    world.check()


@pytest.mark.parametrize("choice", ["stop", "trim_horizon", "latest"])
async def test_a_recreated_stream_of_the_same_name_is_skipped_without_a_word(choice):
    """The old position means nothing there: by default the mapping stops and says so."""
    world = StreamWorld()
    mapping = world.mapping(on_stream_recreated=choice)
    life = StreamLife(world, mapping)
    fill(world, 10)
    await world.until_done()
    await life.end()
    await asyncio.sleep(10)
    world.stream = world.aws.stream("s")
    before = fill(world, 10)
    await asyncio.sleep(10)
    world.store.begin_again()
    life = StreamLife(world, mapping)
    if choice == "latest":
        world.before_start.update(before)
    await asyncio.sleep(10)
    fill(world, 10, start=10)
    if choice == "stop":
        await asyncio.sleep(100)
        assert present(life.status.reason).code == "stream_recreated"
        assert "on_stream_recreated" in present(life.status.reason).text
        assert life.account.polled == 0
    else:
        await world.until_done(within=60)
        assert life.account.delivered == (20 if choice == "trim_horizon" else 10)
        assert life.log.named("stream_recreated")
        world.check()
    await life.end()


async def test_a_removed_mappings_position_is_silently_passed_over():
    """A new mapping on that stream is not started before somebody decides."""
    world = StreamWorld()
    await world.store.open("old", StreamProgress("orders", world.stream.arn, "1"))
    life = StreamLife(world, world.mapping())
    await asyncio.sleep(20)
    reason = life.status.reason
    assert (life.status.state, present(reason).code) == ("problem", "position_left")
    assert "uuid: old" in present(reason).text
    assert "poller state forget orders" in present(reason).text
    assert life.account.polled == 0
    await life.end()


async def test_a_stuck_shard_needs_its_position_deleted():
    """A limit lowered by a reload frees it in seconds, and the attempts made count."""
    world = StreamWorld()
    poison, *_ = fill(world, 3, keys=1)
    world.function.handler = lambda event: (
        function_error() if event["Records"][0]["kinesis"]["sequenceNumber"] == poison else None
    )
    mapping = world.mapping(batch_size=1, destination=True)
    life = StreamLife(world, mapping)
    await asyncio.sleep(200)
    await life.end()
    attempts = len(world.ledger[poison].invoked)
    assert attempts > 5
    life = StreamLife(world, replace(mapping, maximum_retry_attempts=2))
    await world.until_done(within=10)
    await life.end()
    world.check()
    assert len(world.ledger[poison].invoked) == attempts
    assert life.account.destination == 1
    assert f'"approximateInvokeCount":{attempts}' in next(iter(world.failed.messages.values())).body


async def test_a_crash_between_success_and_checkpoint_loses_or_reorders():
    """It repeats: the batch comes again, and nothing else."""
    world = StreamWorld()
    fill(world, 10)
    world.function.script(Hang())
    life = StreamLife(world, world.mapping(batch_size=4))
    await asyncio.sleep(5)
    await life.crash()
    life = StreamLife(world, world.mapping(batch_size=4))
    await world.until_done(within=60)
    await life.end()
    world.check()


@KINDS
async def test_a_service_that_hangs_reads_as_an_idle_stream(table):
    """A stopped process behind the endpoint takes requests and answers none: no answer is said, and no lag is known."""
    world = StreamWorld(table=table)
    life = StreamLife(world, world.mapping())
    await asyncio.sleep(10)
    world.aws.faults.always("GetRecords", HANG)
    await asyncio.sleep(26)
    reason = mapping_reason(life.status, asyncio.get_running_loop().time())
    assert (present(reason).code, present(reason).text[:26]) == ("unreachable", "no answer from the source ")
    assert state_of(life.status, reason) == "problem"
    assert life.status.lag().seconds is None
    world.aws.faults.clear()
    fill(world, 5)
    await world.until_done(within=120)
    assert life.status.state == "running"
    await life.end()
