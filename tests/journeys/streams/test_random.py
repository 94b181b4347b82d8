"""Whatever happens on the way, every record of a stream is delivered, in the order of its key: journeys by seed."""

import asyncio
import random
from dataclasses import replace
from typing import Any

import pytest

from tests.fakes.faults import HANG, INTERNAL, LOST_AFTER, LOST_BEFORE, NOT_SENT, THROTTLED, refused
from tests.fakes.lambda_service import Answer, batch_item_failures, function_error
from tests.fakes.streams import KinesisStream
from tests.journeys.run import end
from tests.journeys.streams.world import DAY, StreamLife, StreamWorld
from tests.journeys.world import WatchedLoop
from tests.virtual_time import run

READS = ("GetRecords", "GetShardIterator", "ListShards", "DescribeStreamSummary", "DescribeStream")
FAULTS = (NOT_SENT, LOST_BEFORE, LOST_AFTER, THROTTLED, INTERNAL, HANG)
DENIED = refused(400, "AccessDeniedException", "not authorized")
KEYS = 12


class Plan:
    """The function fails some records so often, alone or with their whole batch."""

    def __init__(self, chance: random.Random, *, partial: bool) -> None:
        self.partial = partial
        self._chance = chance
        self._failures: dict[str, int] = {}
        self.poison: set[str] = set()

    def __call__(self, event: dict[str, Any]) -> Answer | None:
        failed = []
        for record in event["Records"]:
            number = (record.get("kinesis") or {}).get("sequenceNumber") or record["dynamodb"]["SequenceNumber"]
            left = self._failures.setdefault(number, self._chance.choice([0, 0, 0, 0, 0, 0, 0, 0, 0, 2]))
            if left:
                self._failures[number] = left - 1
            if left or number in self.poison:
                failed.append(number)
        if not failed:
            return None
        return batch_item_failures(*failed) if self.partial else function_error()


class Journey:
    def __init__(self, seed: int, *, table: bool, hours: float, records: int) -> None:
        self.chance = random.Random(seed)
        random.seed(seed)  # the runtime's own jitter
        pick = self.chance.choice
        self.seconds, self.records, self.number = hours * 3600.0, records, 0
        self.world = StreamWorld(table=table, shards=pick([1, 2, 3]), seed=seed, empty_pages=pick([0, 0, 2]))
        self.plan = Plan(self.chance, partial=pick([True, False]))
        self.world.function.handler = self.plan
        self.world.function.reports_failures = self.plan.partial
        self.world.function.delay = pick([0, 0.2, 5])
        self.clean = True
        """Nothing happened that makes duplicates legal."""
        self.gives_up = pick([True, False])
        self.mapping = self.world.mapping(
            destination=True,
            batch_size=pick([1, 5, 100]),
            maximum_batching_window_in_seconds=pick([0, 0, 3]),
            function_response_types=("ReportBatchItemFailures",) if self.plan.partial else (),
            bisect_batch_on_function_error=pick([True, False]),
            parallelization_factor=pick([1, 1, 2, 10]),
            function_concurrency=pick([None, 2]),
            # a little idling keeps two days of reading short
            poll_interval_seconds=20.0,
            idle_poll_interval_seconds=60.0,
            maximum_retry_attempts=3 if self.gives_up else -1,
        )
        if (share := random.Random(seed + 1000).choice([None, None, 2, 5])) is not None:
            patterns = self.world.only_wanted(lambda number: number % share > 0)
            self.mapping = replace(self.mapping, filter_criteria=patterns)

    async def produce(self) -> None:
        for _ in range(self.records):
            number = self.world.put(f"k{self.number % KEYS}", self.number)
            self.number += 1
            if self.gives_up and self.chance.random() < 0.02:
                self.plan.poison.add(number)
            if self.chance.random() < 0.4:
                await asyncio.sleep(self.chance.uniform(0, 5 * self.seconds / self.records))

    async def reshard(self, changes: int) -> None:
        stream = self.world.stream
        assert isinstance(stream, KinesisStream)
        for _ in range(changes):
            await asyncio.sleep(self.chance.uniform(0, 2 * self.seconds / changes))
            shards = stream.open_shards()
            if len(shards) > 1 and self.chance.random() < 0.5:
                ranges = sorted((stream.shards[one].hashes.start, one) for one in shards)
                index = self.chance.randrange(len(ranges) - 1)
                stream.merge(ranges[index][1], ranges[index + 1][1])
            else:
                stream.split(self.chance.choice(shards))

    def changed(self) -> Any:
        """The mapping after a reload."""
        pick = self.chance.choice
        return replace(
            self.mapping,
            parallelization_factor=pick([1, 2, 5]),
            batch_size=pick([1, 7, 100]),
            maximum_retry_attempts=pick([1, 5]) if self.gives_up else -1,
            bisect_batch_on_function_error=pick([True, False]),
        )

    async def incident(self, life: StreamLife) -> StreamLife:
        faults, pick = self.world.aws.faults, self.chance.choice
        kind = pick(["outage", "throttled", "denied", "state", "crash", "soft", "hard", "reload", "reload", "quiet"])
        match kind:
            case "outage":
                faults.always(pick((*READS, "Invoke", "SendMessage")), pick(FAULTS))
            case "throttled":
                self.world.function.concurrency = 0
            case "denied":
                for operation in READS:
                    faults.always(operation, DENIED)
            case "state":
                self.world.store.break_down()
            case "crash" | "soft" | "hard" | "reload":
                self.clean = self.clean and kind in ("soft", "reload")
                await end(life, kind)
                self.mapping = self.changed() if kind == "reload" else self.mapping
                life = StreamLife(self.world, self.mapping)
        await asyncio.sleep(self.chance.uniform(1, 300))
        faults.clear()
        self.world.store.fault = None
        self.world.function.concurrency = None
        return life

    async def run(self) -> None:
        life = StreamLife(self.world, self.mapping)
        work = [asyncio.create_task(self.produce())]
        if isinstance(self.world.stream, KinesisStream):
            work.append(asyncio.create_task(self.reshard(40 if self.seconds > DAY / 4 else 5)))
        for _ in range(self.chance.randint(2, 6)):
            for operation in READS:
                self.world.aws.faults.at_random(operation, self.chance.choice([0, 0.03, 0.2]), *FAULTS)
            await asyncio.sleep(self.chance.uniform(0, self.seconds / 8))
            life = await self.incident(life)
        await asyncio.gather(*work)
        await self.world.until_done(within=DAY / 2)
        await self.world.until(lambda: life.status.in_flight() == 0)
        await asyncio.sleep(60)
        account = life.account
        assert account.polled == account.delivered + account.filtered + account.destination + account.returned
        await life.end()
        assert life.status.state == "stopped"
        self.world.check()
        if self.clean and not self.plan.partial:
            assert self.world.ledger.delivered_after_success() == set()


@pytest.mark.parametrize("table", [False, True], ids=["kinesis", "dynamodb"])
def test_a_journey(seed, table):
    """Some hours with everything that can go wrong."""

    async def journey():
        await Journey(seed, table=table, hours=0.5, records=150).run()

    run(journey(), loop_factory=WatchedLoop)


def test_a_day_and_a_half_of_a_table_that_rolls_its_shards_over_every_four_hours():
    async def journey():
        story = Journey(1, table=True, hours=36, records=1000)
        await story.run()
        assert len({entry.shard for entry in story.world.ledger.entries.values()}) >= 9

    run(journey(), loop_factory=WatchedLoop)


def test_forty_splits_and_merges_of_a_stream_under_load():
    async def journey():
        story = Journey(2, table=False, hours=8, records=1500)
        await story.run()
        assert len(story.world.stream.shards) > 40

    run(journey(), loop_factory=WatchedLoop)
