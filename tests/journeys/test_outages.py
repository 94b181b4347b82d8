"""One thing is down for ten minutes: the reason shows, few calls are made, nothing is lost, and it recovers by itself."""

import asyncio

import pytest

from tests.fakes.faults import ACCESS_DENIED, HANG, INTERNAL, LOST_AFTER, LOST_BEFORE, NOT_SENT, THROTTLED, refused
from tests.fakes.lambda_service import Answer, Hang, function_error
from tests.journeys.world import Life, WatchedLoop, World
from tests.present import present
from tests.virtual_time import run

OUTAGE = 600.0
EXPIRED = refused(403, "ExpiredToken", "The security token included in the request is expired")
MISSING = refused(400, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")


def reasons(life):
    """Every typed reason that can be seen now, of the mapping and of its lanes."""
    found = {life.status.reason.code} if life.status.reason else set()
    return found | {lane.code for partition in life.status.partitions for lane in partition.lanes}


async def down(world, life, begin, end, *, most_calls, reason, backlog=200):
    """A backlog is being worked off when `begin` happens; `end` puts it right."""
    for number in range(backlog):
        world.queue.send(str(number), **({"group": f"g{number % 7}"} if world.queue.fifo else {}))
    await asyncio.sleep(3)
    begin()
    await asyncio.sleep(60)
    before = sum(world.calls.values())
    seen = set()
    for _ in range(int(OUTAGE)):
        await asyncio.sleep(1)
        seen |= reasons(life)
    assert sum(world.calls.values()) - before <= most_calls
    assert reason in seen
    end()
    # the longest back-off is a minute, a hidden message needs its timeout, and a long poll may take all its time
    await world.until_empty(within=300)
    await asyncio.sleep(81)
    assert life.status.state == "running"
    await life.end()
    world.check()


def fault(operation, fault_):
    def begin(world):
        world.aws.faults.always(operation, fault_)

    return begin


def throttled(world):
    world.function.concurrency = 0


def credentials_gone(world):
    for operation in (
        "ReceiveMessage",
        "DeleteMessageBatch",
        "ChangeMessageVisibilityBatch",
        "GetQueueAttributes",
        "Invoke",
    ):
        world.aws.faults.always(operation, EXPIRED)


def put_right(world):
    world.aws.faults.clear()
    world.function.concurrency = None


@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
@pytest.mark.parametrize(
    ("begin", "most_calls", "reason"),
    [
        pytest.param(fault("ReceiveMessage", NOT_SENT), 60, "unreachable", id="receive: nothing answers"),
        pytest.param(fault("ReceiveMessage", LOST_BEFORE), 60, "unreachable", id="receive: connections reset"),
        pytest.param(fault("ReceiveMessage", INTERNAL), 60, "unreachable", id="receive: errors of the service"),
        pytest.param(fault("ReceiveMessage", THROTTLED), 60, "throttled", id="receive: throttled"),
        pytest.param(fault("ReceiveMessage", ACCESS_DENIED), 60, "access_denied", id="receive: denied"),
        pytest.param(fault("ReceiveMessage", MISSING), 60, "source_missing", id="receive: no such queue"),
        pytest.param(fault("ReceiveMessage", HANG), 60, "unreachable", id="receive: hangs"),
        pytest.param(fault("DeleteMessageBatch", LOST_BEFORE), 1200, "unreachable", id="delete: connections reset"),
        pytest.param(fault("DeleteMessageBatch", ACCESS_DENIED), 1200, "access_denied", id="delete: denied"),
        pytest.param(fault("Invoke", NOT_SENT), 1000, "circuit_open", id="invoke: nothing answers"),
        pytest.param(credentials_gone, 600, "credentials", id="credentials gone"),
        pytest.param(throttled, 1000, "circuit_open", id="invoke: throttled"),
    ],
)
def test_an_outage(begin, most_calls, reason, fifo):
    async def story():
        world = World(fifo=fifo)
        world.function.delay = 3.0
        life = Life(world, world.mapping())
        await down(world, life, lambda: begin(world), lambda: put_right(world), most_calls=most_calls, reason=reason)

    run(story(), loop_factory=WatchedLoop)


def test_a_throttled_function_spends_no_receive():
    """An hour of throttles, and a queue that would give a message up at its third receive."""

    async def story():
        world = World(max_receive_count=2)
        world.function.concurrency = 0
        life = Life(world, world.mapping(batch_size=4))
        for number in range(12):
            world.queue.send(str(number))
        await asyncio.sleep(3600)
        world.function.concurrency = None
        await world.until_empty(within=120)
        await life.end()
        world.check()
        assert all(len(entry.receives) == 1 for entry in world.aws.ledger.entries.values())

    run(story(), loop_factory=WatchedLoop)


@pytest.mark.parametrize(
    "step",
    [function_error(), Hang(), Answer(b"{", None), Answer(b"x" * 100_000)],
    ids=["error", "hang", "not JSON", "long"],
)
def test_a_function_that_fails_is_not_asked_again_and_again(step):
    """Messages come back by their timeout; meanwhile the pace goes down, so that not even those are all received."""

    async def story():
        world = World(visibility=30)
        life = Life(world, world.mapping(function_response_types=("ReportBatchItemFailures",)))
        world.function.script(*[step] * 1000)
        for number in range(100):
            world.queue.send(str(number))
        await asyncio.sleep(OUTAGE)
        # a hundred messages in tens, at most once per visibility timeout
        assert len(world.function.invocations.all) <= 10 * (OUTAGE / 30 + 1)
        assert all(len(entry.receives) <= OUTAGE / 30 + 1 for entry in world.aws.ledger.entries.values())
        world.function.forget_script()
        await world.until_empty(within=600)
        await life.end()
        world.check()

    run(story(), loop_factory=WatchedLoop)


def test_after_an_outage_of_the_function_all_lanes_work_again():
    """The pace goes down to one lane under errors, and up again with the successes."""

    async def story():
        world = World(visibility=30)
        world.function.delay = 1.0
        world.function.concurrency = 0
        life = Life(world, world.mapping(batch_size=1, lanes=5))
        for number in range(600):
            world.queue.send(str(number))
        await asyncio.sleep(200)
        world.function.concurrency = None
        await asyncio.sleep(100)
        world.function.invocations.peak = 0
        await asyncio.sleep(20)
        assert world.function.invocations.peak == 5
        await world.until_empty(within=600)
        await life.end()
        world.check()

    run(story(), loop_factory=WatchedLoop)


def test_a_burst_of_resets_does_not_stop_receiving_for_longer_than_one_back_off():
    """Fifty receives fail at once; one back-off is enough for all of them."""

    async def story():
        world = World(visibility=600)
        world.function.delay = 0.2
        life = Life(world, world.mapping(batch_size=1, lanes=100))
        for number in range(3000):
            world.queue.send(str(number))
        await asyncio.sleep(10)
        world.aws.faults.always("ReceiveMessage", LOST_BEFORE)
        await asyncio.sleep(0.5)
        world.aws.faults.clear()
        before = len(world.function.invocations.all)
        await asyncio.sleep(10)
        assert len(world.function.invocations.all) - before > 1000
        await world.until_empty(within=600)
        await life.end()
        world.check()

    run(story(), loop_factory=WatchedLoop)


def test_a_service_that_does_not_wait_as_asked_is_no_reason_for_a_loop():
    async def story():
        world = World()
        receive = world.queue.receive

        async def at_once(limit, wait, visibility, attempt_id=None):
            return await receive(limit, 0, visibility, attempt_id)

        world.queue.__class__ = type(
            "Impatient", (type(world.queue),), {"__slots__": (), "receive": staticmethod(at_once)}
        )
        life = Life(world, world.mapping())
        await asyncio.sleep(60)
        assert sum(world.calls.values()) <= 70
        world.queue.send("m")
        await world.until_empty(within=5)
        await life.end()
        world.check()

    run(story(), loop_factory=WatchedLoop)


def test_credentials_missing_from_the_start_are_told_and_recovered_from():
    async def story():
        world = World()
        credentials_gone(world)
        life = Life(world, world.mapping())
        world.queue.send("m")
        await asyncio.sleep(OUTAGE)
        assert life.status.state == "problem"
        assert present(life.status.reason).code == "credentials"
        assert life.status.reached, "ready, since it says why it cannot read"
        assert sum(world.calls.values()) <= 25
        put_right(world)
        await world.until_empty(within=61)
        assert (life.status.state, life.status.reason) == ("running", None)
        await life.end()
        world.check()

    run(story(), loop_factory=WatchedLoop)


def test_a_queue_deleted_and_made_again_is_polled_again():
    async def story():
        world = World()
        life = Life(world, world.mapping())
        await asyncio.sleep(5)
        queue = world.aws.queues.pop("q")
        await asyncio.sleep(OUTAGE)
        assert present(life.status.reason).code == "source_missing"
        world.aws.queues["q"] = queue
        queue.send("m")
        await world.until_empty(within=61)
        await life.end()
        world.check()

    run(story(), loop_factory=WatchedLoop)


def test_lost_answers_of_receives_hide_fifo_messages_no_longer_than_it_takes_to_ask_again():
    async def story():
        world = World(fifo=True, visibility=600)
        life = Life(world, world.mapping(lanes=3))
        await asyncio.sleep(1)
        world.aws.faults.script("ReceiveMessage", LOST_AFTER, LOST_AFTER)
        for number in range(30):
            world.queue.send(str(number), group=f"g{number % 3}")
        await world.until_empty(within=60)
        await life.end()
        world.check()
        world.check_groups()

    run(story(), loop_factory=WatchedLoop)
