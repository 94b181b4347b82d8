"""Stops: soft, hard, and at every single turn of the event loop. Each is bounded, and what follows finds it all."""

import asyncio
import random
from typing import Any

import pytest

from tests.fakes.faults import ACCESS_DENIED, HANG, LOST_AFTER, LOST_BEFORE
from tests.fakes.lambda_service import Hang, throttled
from tests.fakes.queue import loop_time
from tests.journeys.run import HARD_STOP_SECONDS
from tests.journeys.world import Life, Plan, WatchedLoop, World, watched_loop
from tests.virtual_time import run

PARTIAL = ("ReportBatchItemFailures",)
KINDS_OF_STOP = ("soft", "hard", "crash")


def story_of(main):
    """Run a journey on a watched loop."""
    run(main(), loop_factory=WatchedLoop)


class Small:
    """A short journey that meets everything once: failures, throttles, lost answers, a window, several lanes."""

    def __init__(self, *, fifo):
        random.seed(1)
        self.world = world = World(fifo=fifo, visibility=10)
        world.function.handler = Plan(random.Random(3), partial=True, most=1)
        world.function.handler.in_order = fifo
        world.function.delay = 0.05
        world.function.script(None, throttled(retry_after=1))
        world.aws.faults.script("DeleteMessageBatch", LOST_AFTER, None, LOST_BEFORE)
        world.aws.faults.script("ReceiveMessage", None, LOST_AFTER)
        self.mapping = world.mapping(
            batch_size=3,
            lanes=2,
            maximum_batching_window_in_seconds=0 if fifo else 1,
            function_response_types=PARTIAL,
        )
        for number in range(8):
            world.queue.send(str(number), group=f"g{number % 2}" if fifo else None)

    async def finish(self):
        """By another life."""
        self.world.aws.faults.clear()
        life = Life(self.world, self.mapping)
        await self.world.until_empty(within=120)
        await life.end()
        self.world.check()
        if self.world.queue.fifo:
            self.world.check_groups()


def turns_of(*, fifo):
    async def whole():
        small = Small(fifo=fifo)
        life = Life(small.world, small.mapping)
        await small.world.until_empty(within=120)
        turns.append(watched_loop().turns)
        await life.end()

    turns: list[Any] = []
    story_of(whole)
    return turns[0]


async def at_turn(turn):
    """Return in the loop's turn of that number."""
    reached = asyncio.get_running_loop().create_future()
    loop = watched_loop()
    watch = loop.watcher

    def watcher():
        watch()
        if loop.turns >= turn and not reached.done():
            reached.set_result(None)

    loop.watcher = watcher
    await reached


EVERY = [5, pytest.param(1, marks=pytest.mark.slow)]


@pytest.mark.parametrize("how", KINDS_OF_STOP)
@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
@pytest.mark.parametrize("every", EVERY, ids="every {}".format)
def test_a_stop_at_any_turn_of_the_loop_loses_nothing(fifo, how, every):
    """At each one in the slow form. In the everyday one at every fifth, each kind of stop at others."""

    async def journey(turn):
        small = Small(fifo=fifo)
        life = Life(small.world, small.mapping)
        await at_turn(turn)
        begun = loop_time()
        match how:
            case "soft":
                await life.end()
                assert loop_time() - begun <= 25 + HARD_STOP_SECONDS
            case "hard":
                await life.cut()
            case _:
                await life.crash()
        await small.finish()

    turns = turns_of(fifo=fifo)
    assert turns > 100
    first = 1 + (KINDS_OF_STOP.index(how) * 2 + fifo) % every
    for turn in range(first, turns, every):
        story_of(lambda turn=turn: journey(turn))


def test_a_soft_stop_while_quiet_waits_for_the_long_poll_and_no_longer():
    async def journey():
        world = World()
        life = Life(world, world.mapping())
        await asyncio.sleep(50)
        await life.end()
        assert 59 < loop_time() < 61
        assert world.calls.total() == 4, "attributes and three long polls"

    story_of(journey)


def test_what_a_long_poll_brings_after_a_soft_stop_goes_back_at_once():
    async def journey():
        world = World(visibility=600)
        life = Life(world, world.mapping())
        await asyncio.sleep(5)
        life.stop.request()
        await asyncio.sleep(5)
        world.queue.send("late")
        await life.end()
        assert loop_time() < 11
        assert world.queue.counts() == (1, 0, 0)
        assert (life.status.account.polled, life.status.account.returned) == (1, 1)
        assert world.function.invocations.all == []

    story_of(journey)


def test_a_soft_stop_finishes_the_invocation_that_runs_and_settles_it():
    async def journey():
        world = World()
        world.function.delay = 15.0
        life = Life(world, world.mapping(batch_size=2))
        for number in range(4):
            world.queue.send(str(number))
        await asyncio.sleep(1)
        await life.end()
        assert loop_time() == pytest.approx(21, abs=6)
        world.check()

    story_of(journey)


def test_a_soft_stop_waits_for_no_throttle():
    async def journey():
        world = World(visibility=600)
        world.function.concurrency = 0
        life = Life(world, world.mapping(batch_size=10, lanes=1))
        for number in range(10):
            world.queue.send(str(number))
        await asyncio.sleep(300)
        stopped = loop_time()
        await life.end()
        assert loop_time() - stopped < 1
        assert world.queue.counts() == (10, 0, 0), "and what was held can be received again"

    story_of(journey)


def test_a_soft_stop_while_deletes_are_refused_ends_though_a_lane_comes_to_wait_for_them_later():
    """The deletes are given up while the lane still invokes: it must not wait for what is over."""

    async def journey():
        world = World(visibility=600)
        world.function.delay = 10.0
        world.aws.faults.always("DeleteMessageBatch", ACCESS_DENIED)
        life = Life(world, world.mapping(batch_size=1, function_concurrency=1, lanes=1))
        for number in range(3):
            world.queue.send(str(number))
        await asyncio.sleep(17)
        await life.end()
        assert loop_time() < 30
        world.aws.faults.clear()
        after = Life(world, world.mapping(), wiring=life.wiring)
        await world.until_empty(within=1300)
        await after.end()
        world.check()
        assert len(world.function.invocations.all) == 3, "what the first run delivered is only deleted"

    story_of(journey)


@pytest.mark.parametrize("operation", ["ReceiveMessage", "DeleteMessageBatch", "ChangeMessageVisibilityBatch"])
@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_a_soft_stop_ends_by_itself_though_the_service_does_not_answer(operation, fifo):
    async def journey():
        world = World(fifo=fifo, visibility=20)
        world.function.delay = 3.0
        life = Life(world, world.mapping(batch_size=1, lanes=2))
        for number in range(8):
            world.queue.send(str(number), group=f"g{number % 4}" if fifo else None)
        await asyncio.sleep(4)
        world.aws.faults.always(operation, HANG)
        await asyncio.sleep(20)
        await life.end()

    story_of(journey)


def test_a_soft_stop_ends_by_itself_though_the_queue_was_not_reached_yet():
    async def journey():
        world = World()
        world.aws.faults.always("GetQueueAttributes", HANG)
        life = Life(world, world.mapping())
        await asyncio.sleep(1)
        await life.end(within=6)

    story_of(journey)


def test_a_soft_stop_waits_for_no_open_window():
    async def journey():
        world = World(visibility=600)
        life = Life(world, world.mapping(batch_size=100, maximum_batching_window_in_seconds=300))
        world.queue.send("early")
        await asyncio.sleep(100)
        assert life.status.in_flight() == 1
        life.stop.request()
        await asyncio.sleep(1)
        assert life.status.in_flight() == 0
        await life.end()
        assert world.queue.counts() == (1, 0, 0)
        assert world.function.invocations.all == []

    story_of(journey)


def test_a_soft_stop_waits_for_no_slot_of_another_mappings_invocation():
    async def journey():
        world = World(visibility=600)
        world.function.script(Hang())
        mapping = world.mapping(batch_size=1, function_concurrency=1, function_timeout=900)
        busy = Life(world, mapping)
        world.queue.send("1")
        await asyncio.sleep(1)
        waiting = Life(world, mapping, wiring=busy.wiring)
        world.queue.send("2")
        world.queue.send("3")
        await asyncio.sleep(120)
        assert waiting.status.in_flight() == 1, "while it waits for the slot it receives no more"
        assert waiting.status.partitions[0].lanes[0].code == "waiting_for_slot"
        assert (
            len(world.aws.ledger.entries) == sum(len(entry.receives) for entry in world.aws.ledger.entries.values()) + 1
        )
        stopped = loop_time()
        await waiting.end()
        assert loop_time() - stopped <= 20
        assert world.queue.counts()[:2] == (2, 1), "what waited is back, the other still runs"
        await busy.end_in_vain(grace=1)

    story_of(journey)


def test_a_hard_stop_is_bounded_though_nothing_answers_any_more():
    async def journey():
        world = World(visibility=600)
        world.function.delay = 0.2
        life = Life(world, world.mapping())
        for number in range(200):
            world.queue.send(str(number))
        await asyncio.sleep(1)
        for operation in ("ReceiveMessage", "DeleteMessageBatch", "ChangeMessageVisibilityBatch", "Invoke"):
            world.aws.faults.always(operation, HANG)
        await asyncio.sleep(10)
        await life.end()
        world.aws.faults.clear()
        after = Life(world, world.mapping())
        await world.until_empty(within=700)
        await after.end()
        world.check()

    story_of(journey)


def test_a_hard_stop_still_sends_the_deletes_that_were_handed_over():
    async def journey():
        world = World(visibility=600, latency=0.5)
        life = Life(world, world.mapping(batch_size=3))
        for number in range(3):
            world.queue.send(str(number))
        await asyncio.sleep(1.6)  # attributes, receive and invoke take half a second each
        assert world.queue.messages, "the deletes are not through yet"
        await life.cut()
        world.check()

    story_of(journey)


def test_what_runs_at_a_hard_stop_comes_back_by_the_rule_of_a_failure():
    async def journey():
        world = World(visibility=30)
        world.function.delay = 100.0
        life = Life(world, world.mapping(function_timeout=900))
        [message] = [world.queue.send("m")]
        await asyncio.sleep(20)
        await life.cut()
        assert world.queue.messages[message].visible_at == pytest.approx(30.5, abs=0.6)

    story_of(journey)
