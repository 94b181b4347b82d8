"""Whatever is wished for, in any order, while everything fails now and then: nothing is lost and nothing left over."""

import asyncio
import json
import random
from contextlib import suppress
from dataclasses import replace

import pytest

from poller.sources.sqs.receive_memory import MARGIN, SMALLEST
from poller.values.errors import UnknownMapping
from tests.engine.house import SOFT_STOP, House, living
from tests.fakes.faults import HANG, INTERNAL, LOST_AFTER, LOST_BEFORE, NOT_SENT, THROTTLED
from tests.fakes.lambda_service import Hang, throttled
from tests.fakes.queue import loop_time
from tests.journeys.world import WatchedLoop, watched_loop
from tests.virtual_time import VirtualTimeLoop, run

OPERATIONS = ("ReceiveMessage", "DeleteMessageBatch", "ChangeMessageVisibilityBatch", "Invoke", "SendMessageBatch")
FAULTS = (NOT_SENT, LOST_BEFORE, LOST_AFTER, THROTTLED, INTERNAL, HANG)
WISHES = ("pause", "resume", "change", "function", "remove", "back", "fault", "fault", "clear", "hang")


class Story:
    """Two mappings that share a function, its circuit and its slots."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        random.seed(seed)  # the runtime's own jitter
        pick = self.pick = self.chance.choice
        self.house = House()
        self.breaches = []
        watched_loop().watcher = self.watch
        self.fifo = pick([True, False])
        self.names = ["a.fifo", "b.fifo"] if self.fifo else ["a", "b"]
        self.window = 0 if self.fifo else pick([0, 2, 30])
        self.skips = pick(["nothing", "delete", "send"])
        self.elsewhere = self.house.queue("elsewhere.fifo" if self.fifo else "elsewhere")
        self.unwanted = set()
        self.mappings = [self.some(name) for name in self.names]
        self.function = self.house.aws.functions["fn"]
        self.function.reports_failures = False
        self.function.delay = pick([0, 0.2, 7])

    def watch(self):
        for status in self.house.status.mappings:
            if missing := status.account.unaccounted(status.in_flight()):
                self.breaches.append(f"{status.name}: {missing} unaccounted at {loop_time():.3f} s")

    def some(self, name):
        pick = self.pick
        return self.house.mapping(
            name,
            batch_size=pick([3, 25]) if self.window else pick([1, 4, 10]),
            maximum_batching_window_in_seconds=self.window,
            filter_criteria=() if self.skips == "nothing" else ('{"body": {"wanted": [true]}}',),
            on_no_match=self.elsewhere.arn if self.skips == "send" else None,
            function_concurrency=pick([None, 1, 3]),
            function_max_requests_per_second=pick([None, None, 5.0]),
            maximum_hold_seconds=pick([15.0, 3600.0, 42300.0]),
        )

    def fill(self):
        for number in range(60):
            wanted = self.skips == "nothing" or number % 3 != 1
            group = {"group": f"g{number % 3}"} if self.fifo else {}
            body = json.dumps({"n": number, "wanted": wanted})
            identifier = self.house.queue(self.pick(self.names)).send(body, **group)
            if not wanted:
                self.unwanted.add(identifier)

    async def wish(self):
        pick, mappings = self.pick, self.mappings
        index, steered = pick([0, 1]), self.house.mappings
        match pick(WISHES):
            case "pause" | "resume" as verb:
                with suppress(UnknownMapping):
                    await getattr(steered, verb)(self.names[index])
            case "change":
                mappings[index] = replace(self.some(self.names[index]), function=mappings[index].function)
                steered.apply(mappings)
            case "function":
                mappings[index] = replace(mappings[index], function=self.some(self.names[index]).function)
                steered.apply(mappings)
            case "remove":
                steered.apply([mappings[index]])
            case "back":
                steered.apply(mappings)
            case "fault":
                self.house.aws.faults.always(pick(OPERATIONS), pick(FAULTS))
            case "clear":
                self.house.aws.faults.clear()
            case "hang":
                self.function.script(*[Hang()] * 2, throttled(retry_after=pick([0, 1, 30])))

    async def calm(self):
        house = self.house
        house.aws.faults.clear()
        house.mappings.apply(self.mappings)
        for name in self.names:
            await house.mappings.resume(name)
        async with asyncio.timeout(4 * 3600):
            while any(house.queue(name).messages for name in self.names):  # noqa: ASYNC110 - the queue tells nobody
                await asyncio.sleep(1)
        await asyncio.sleep(60)

    def check_calm(self):
        house, functions = self.house, self.house.wiring.functions
        assert self.breaches[:3] == []
        assert [(status.state.value, status.reason) for status in house.status.mappings] == [("running", None)] * 2
        keys = {mapping.function for mapping in self.mappings}
        assert len(functions.built) == len(functions.users) == len(functions.breakers) == len(keys)
        assert sum(len(breaker.listeners) for breaker in functions.breakers.values()) == 2
        assert not any(breaker.held for breaker in functions.breakers.values())
        assert all((slots.taken, len(slots.waiting)) == (0, 0) for slots in functions.limits.values())
        # nothing but what the long polls under way have reserved
        assert house.wiring.memory.held <= 2 * 10 * SMALLEST * MARGIN

    def check(self):
        ledger = self.house.aws.ledger
        assert (self.house.wiring.memory.held, self.house.wiring.memory.waiting) == (0, 0)
        assert ledger.lost() == self.unwanted
        assert [identifier for identifier in self.unwanted if ledger[identifier].invoked] == []
        assert self.house.local.open == set()
        if self.skips != "send":
            return
        sent = [entry for entry in ledger.entries.values() if entry.message_id in self.unwanted]
        # once each: an answer lost for longer than a FIFO queue remembers is made up for by sending twice
        arrived = list(dict.fromkeys(message.body for message in self.elsewhere.messages.values()))
        assert set(arrived) == {entry.body for entry in sent}
        if self.fifo:
            for path in {(entry.queue, entry.group) for entry in sent}:
                order = [entry.body for entry in sent if (entry.queue, entry.group) == path]
                assert [body for body in arrived if body in order] == order

    async def run(self):
        async with living(*self.mappings, house=self.house):
            self.fill()
            for _ in range(25):
                await asyncio.sleep(self.pick([0, 0, 0.01, 1, 20, 100]))
                await self.wish()
                assert not self.house.status.died
            await self.calm()
            self.check_calm()
        self.check()


@pytest.mark.parametrize("seed", range(5))
def test_a_story(seed):
    async def story():
        await Story(seed).run()

    run(story(), loop_factory=WatchedLoop)


async def test_hundreds_of_reloads_while_the_circuit_is_open_leave_nothing_behind():
    house = House()
    a, b = house.mapping("a"), house.mapping("b")
    async with living(a, b, house=house):
        house.aws.faults.always("Invoke", NOT_SENT)
        for number in range(50):
            house.queue("a").send(str(number))
        await asyncio.sleep(60)
        tasks = len(asyncio.all_tasks())
        for turn in range(300):
            function = replace(a.function, timeout_seconds=10 + turn % 7)
            house.mappings.apply([replace(a, function=function, tags={"turn": str(turn)}), b])
            await asyncio.sleep((0, 1, SOFT_STOP)[turn % 3])
        await asyncio.sleep(120)
        functions = house.wiring.functions
        assert len(functions.built) == len(functions.users) == len(functions.breakers) == 2
        assert sum(len(breaker.listeners) for breaker in functions.breakers.values()) == 2
        assert len(asyncio.all_tasks()) <= tasks
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        assert loop.timers < 100
        house.aws.faults.clear()
        await asyncio.sleep(120)
        assert not house.queue("a").messages
        assert house.of("a").account.delivered == 50
    assert not house.local.open
