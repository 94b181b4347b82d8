"""Whatever happens on the way, every message is delivered and none is lost: journeys by seed."""

import asyncio
import random

import pytest

from tests.fakes.faults import HANG, INTERNAL, LOST_AFTER, LOST_BEFORE, NOT_SENT, THROTTLED, refused
from tests.fakes.lambda_service import Hang, throttled
from tests.journeys.run import end
from tests.journeys.world import FUNCTION, Life, Plan, WatchedLoop, World
from tests.virtual_time import run

OPERATIONS = (
    *("ReceiveMessage", "DeleteMessageBatch", "ChangeMessageVisibilityBatch", "GetQueueAttributes", "Invoke"),
    "SendMessageBatch",
)
FAULTS = (NOT_SENT, LOST_BEFORE, LOST_AFTER, THROTTLED, INTERNAL, HANG)
EXPIRED = refused(403, "ExpiredToken", "The security token included in the request is expired")
MOST_CALLS_A_SECOND = 400
"""Of a backlog worked off with short invocations; an endless loop makes as many in no time at all."""


class Journey:
    def __init__(self, seed: int, *, fifo: bool) -> None:
        self.chance = random.Random(seed)
        random.seed(seed)  # the runtime's own jitter
        pick = self.chance.choice
        self.world = World(seed=seed, fifo=fifo, visibility=pick([2, 10, 30, 120]), latency=pick([0.002, 0.05, 0.3]))
        partial = pick([True, False])
        self.plan = Plan(self.chance, partial=partial)
        self.world.function.handler = self.plan
        self.world.function.reports_failures = partial
        self.world.function.delay = pick([0, 0.2, 7])
        stops = fifo and partial and pick([True, False])
        self.plan.in_order = fifo and not stops
        window = 0 if fifo else pick([0, 0, 1, 5])
        self.skips = random.Random(seed + 1000).choice([None, None, "delete", "send"])
        self.mapping = self.world.mapping(
            filter_criteria=('{"body": {"wanted": [true]}}',) if self.skips else (),
            on_no_match=self.world.unmatched.arn if self.skips == "send" else None,
            batch_size=pick([1, 4, 10]) if not window else pick([3, 25]),
            maximum_batching_window_in_seconds=window,
            function_response_types=("ReportBatchItemFailures",) if partial else (),
            fifo_stop_at_first_failure=stops,
            function_concurrency=pick([None, None, 2]),
            lanes=pick([1, 3, 5, 20]),
        )

    async def send(self, count: int) -> None:
        for number in range(count):
            group = {"group": f"g{number % 5}"} if self.world.queue.fifo else {}
            self.world.send(number, wanted=not self.skips or number % 4 > 0, **group)
            if self.chance.random() < 0.2:
                await asyncio.sleep(self.chance.uniform(0, 10))

    async def incident(self, life: Life) -> Life:
        """One thing that goes wrong for a while, or ends this life and begins the next."""
        faults, pick = self.world.aws.faults, self.chance.choice
        kind = pick(
            ["outage", "outage", "throttled", "hang", "credentials", "missing", "crash", "soft", "hard", "quiet"]
        )
        seconds = self.chance.uniform(1, 150)
        match kind:
            case "outage":
                faults.always(pick(OPERATIONS), pick(FAULTS))
            case "throttled":
                self.world.function.concurrency = 0
            case "hang":
                self.world.function.script(*[Hang()] * 3, throttled(retry_after=pick([0, 1, 30])))
            case "credentials":
                for operation in OPERATIONS:
                    faults.always(operation, EXPIRED)
            case "missing":
                del self.world.aws.queues[self.world.queue.name]
            case "crash" | "soft" | "hard":
                await end(life, kind)
                life = Life(self.world, self.mapping)
        await asyncio.sleep(seconds)
        faults.clear()
        self.world.aws.queues[self.world.queue.name] = self.world.queue
        self.world.function.concurrency = None
        return life

    async def run(self) -> None:
        life = Life(self.world, self.mapping)
        sending = asyncio.create_task(self.send(40))
        for _ in range(self.chance.randint(2, 6)):
            self.at_random()
            await asyncio.sleep(self.chance.uniform(0, 40))
            life = await self.incident(life)
        await sending
        await self.world.until_empty(within=4 * 3600)
        await asyncio.sleep(30)
        account = life.status.account
        assert life.status.in_flight() == 0
        assert account.polled == account.delivered + account.filtered + account.returned
        await life.end()
        assert life.status.state == "stopped"
        self.world.check()
        if self.skips == "send":
            self.world.check_unmatched()
        assert max(self.world.calls.values()) <= MOST_CALLS_A_SECOND
        if self.world.queue.fifo:
            self.world.check_groups(kept_by_us=self.mapping.fifo_stop_at_first_failure)

    def at_random(self) -> None:
        faults = self.world.aws.faults
        for operation in OPERATIONS:
            faults.at_random(operation, self.chance.choice([0, 0.03, 0.2]), *FAULTS)
        for operation in ("DeleteMessageBatch", "SendMessageBatch", "ChangeMessageVisibilityBatch"):
            faults.entries_at_random(operation, self.chance.choice([0, 0.1]))


@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_a_journey(seed, fifo):
    async def journey():
        await Journey(seed, fifo=fifo).run()

    run(journey(), loop_factory=WatchedLoop)


def test_the_function_is_the_one_the_mapping_names():
    async def names():
        world = World()
        assert world.mapping().function.key == FUNCTION == world.function.name

    run(names(), loop_factory=WatchedLoop)
