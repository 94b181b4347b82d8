"""Orders to random members of a fleet that stop, join, freeze and lose the store, while the stream is split and merged."""

import asyncio
import json
import random
from contextlib import suppress
from typing import Any

from poller.policy.actions import HandOver, Isolate, Pause, Resume, Retry, Seek, Skip, Undo
from poller.policy.seeking import Target
from poller.state.memory.fleet import MemoryFleet, Rows
from poller.values.errors import NotPossible, StateError, UnknownMapping
from tests.engine.house import House, Lent
from tests.engine.test_fleet_orders import order
from tests.fakes.aws import FakeAws
from tests.fakes.lambda_service import function_error
from tests.fakes.queue import loop_time

CALLS = frozenset(
    [
        "beat",
        "join",
        "bury",
        "leave",
        "members",
        "sweep",
        "leases",
        "claim",
        "write",
        "load",
        "open",
        "drop",
        "note",
        "actions",
        "pause",
        "resume",
        "paused",
    ]
)
MOST_DAEMONS = 4
BACK = Seek(Target("TRIM_HORIZON"))


class Way:
    """Between one daemon and everything else."""

    def __init__(self, chance: random.Random) -> None:
        self.thawed = asyncio.Event()
        self.thawed.set()
        self.loses = 0.0
        """Part of the calls of the store whose request or answer is lost, or whose request arrives late."""
        self.late: set[asyncio.Task[Any]] = set()
        self.chance = chance

    async def _arrives_late(self, call: Any) -> None:
        await asyncio.sleep(self.chance.uniform(0, 40))
        with suppress(StateError):
            await call()

    async def store(self, call: Any) -> Any:
        await self.thawed.wait()
        if self.chance.random() >= self.loses:
            await asyncio.sleep(self.chance.uniform(0, 0.1))
            found = await call()
            await self.thawed.wait()
            return found
        fate = self.chance.choice(["lost", "late", "answer"])
        if fate == "answer":
            await call()
        elif fate == "late":
            self.late.add(asyncio.create_task(self._arrives_late(call)))
        raise StateError("no answer in time")


class Reached(MemoryFleet):
    """The rows, as one daemon reaches them."""

    def __init__(self, rows: Rows, way: Way) -> None:
        super().__init__(rows)
        self.way = way

    def listen(self, wake: Any, told: Any) -> None:
        """It tells nobody."""

    def __getattribute__(self, name: str) -> Any:
        call = super().__getattribute__(name)
        if name not in CALLS:
            return call
        return lambda *given, **named: self.way.store(lambda: call(*given, **named))


class Freezing(Lent):
    """The account, as one daemon reaches it."""

    house: "Daemon"

    async def call(self, operation: Any, body: bytes, *given: Any, **named: Any) -> Any:
        if operation.name == "Invoke":
            self.house.begins(body)
        await self.house.way.thawed.wait()
        reply = await super().call(operation, body, *given, **named)
        await self.house.way.thawed.wait()
        return reply

    async def close(self) -> None:
        # an order that is cut off by the end of its daemon closes what the end has closed
        with suppress(KeyError):
            await super().close()


class Daemon(House):
    """One that can be frozen, and that says by which fence it begins."""

    def __init__(self, story: "Story") -> None:
        self.way, self.story = Way(story.chance), story
        super().__init__(fleet=Reached(story.rows, self.way), aws=story.aws)

        class Own(Freezing):
            house = self

        self.local.make = Own

    def begins(self, body: bytes) -> None:
        event = json.loads(body)
        shard = event["Records"][0]["eventID"].split(":")[0]
        member: Any = self.neighbours.member
        shards = member._claiming.shards.get("uuid of a")  # noqa: SLF001 - by which fence it begins is told by nothing else
        hold = shards and shards.holds.get(shard)
        if hold is not None:
            self.story.begins(shard, hold.fence)

    async def begin(self, mapping: Any) -> None:
        await self.open()
        self.mappings.apply([mapping])
        self.start()


class Story:
    """By seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        random.seed(seed)
        pick = self.pick = self.chance.choice
        self.rows, self.aws = Rows(), FakeAws()
        self.stream: Any = self.aws.stream("s", shards=pick([1, 3, 6]))
        self.parameters = {"parallelization_factor": pick([1, 1, 2]), "batch_size": pick([1, 3, 10])}
        self.ordered = pick([True, False])
        """Whether nothing is passed over, so that each key's records are first delivered in their order."""
        self.bad = 0.2
        self.numbers: dict[str, list[str]] = {}
        self.fences: dict[str, int] = {}
        self.breaches: list[str] = []
        self.said: list[str] = []
        self.at_work: list[asyncio.Task[Any]] = []
        self.houses: list[Daemon] = []

    def begins(self, shard: str, fence: int) -> None:
        """Work on a shard begins by this fence."""
        if fence < self.fences.get(shard, 0):
            self.breaches.append(f"{shard} begins by {fence} after {self.fences[shard]} at {loop_time():.1f}")
        self.fences[shard] = max(fence, self.fences.get(shard, 0))

    def _answer(self, _event: Any) -> Any:
        return function_error() if self.chance.random() < self.bad else None

    async def join(self) -> None:
        house = Daemon(self)
        failed = house.queue("failed").arn
        mapping = house.mapping(
            "a",
            stream=self.stream,
            starting_position="TRIM_HORIZON",
            on_failure_destination=failed,
            **self.parameters,
        )
        await house.begin(mapping)
        self.houses.append(house)

    async def leave(self, house: Daemon) -> None:
        self.houses.remove(house)
        house.way.thawed.set()
        house.way.loses = 0.0
        await house.end()

    def _goes_on(self, work: Any) -> None:
        self.at_work.append(asyncio.create_task(work))

    def put(self) -> None:
        for _ in range(self.chance.randrange(1, 20)):
            key = f"key {self.chance.randrange(12)}"
            self.numbers.setdefault(key, []).append(self.stream.put(key, key))

    def reshard(self) -> None:
        found = self.stream.open_shards()
        if len(found) > 1 and self.chance.random() < 0.5:
            at = self.chance.randrange(len(found) - 1)
            self.stream.merge(found[at], found[at + 1])
        elif len(found) < 8:
            self.stream.split(self.pick(found))

    async def _for_a_while(self, house: Daemon, what: str) -> None:
        if what == "freeze":
            house.way.thawed.clear()
        else:
            house.way.loses = 0.3 if what == "lossy" else 1.0
        await asyncio.sleep(self.chance.uniform(1, 45))
        house.way.thawed.set()
        house.way.loses = 0.0

    def _orders(self) -> dict[str, Any]:
        """By name."""
        found = {"back": BACK, "undo": Undo(), "retry": Retry(), "pause": Pause(), "resume": Resume()}
        passing_over = {
            "skip": Skip(),
            "isolate": Isolate(key=f"key {self.chance.randrange(12)}"),
            "hand over": HandOver(function="other"),
            "latest": Seek(Target("LATEST")),
        }
        return found if self.ordered else found | passing_over

    async def wish(self) -> None:
        house, orders = self.pick(self.houses), self._orders()
        others = ["put", "put", "freeze", "lossy", "away", "reshard", "leave", "join"]
        kind = self.pick([*others, *orders, "back"])
        self.said.append(f"{loop_time():.1f} {kind} {self.houses.index(house)}")
        match kind:
            case "put":
                self.put()
            case "reshard":
                self.reshard()
            case "leave":
                if len(self.houses) > 1:
                    self._goes_on(self.leave(house))
            case "join":
                if len(self.houses) < MOST_DAEMONS:
                    await self.join()
            case "freeze" | "lossy" | "away":
                self._goes_on(self._for_a_while(house, kind))
            case _:
                self._goes_on(self.order(house, orders[kind]))

    async def order(self, house: House, wanted: Any) -> None:
        with suppress(NotPossible, StateError, UnknownMapping, asyncio.CancelledError):
            await order(house, wanted, dry_run=self.pick([True, False, False]))

    async def _mended(self) -> None:
        for house in self.houses:
            house.way.thawed.set()
            house.way.loses = 0.0
        await asyncio.sleep(200)
        for house in self.houses:
            house.way.thawed.set()
            house.way.loses = 0.0
        await asyncio.gather(*self.at_work, *(task for house in self.houses for task in house.way.late))
        self.bad = self.aws.functions["fn"].delay = 0.0
        await order(self.houses[0], Resume())
        await asyncio.sleep(400)

    async def run(self) -> None:
        self.aws.function("other")
        for _ in range(3):
            await self.join()
        self.aws.functions["fn"].handler = self._answer
        self.aws.functions["fn"].delay = self.pick([0.0, 0.2, 4.0, 20.0])
        await asyncio.sleep(60)
        for _ in range(30):
            await asyncio.sleep(self.pick([0, 0, 0.5, 3, 20]))
            await self.wish()
        await self._mended()
        states = {house.of("a").state.value for house in self.houses}
        assert states == {"running"}, f"nobody is held for ever: {states}"
        await order(self.houses[0], BACK)
        await asyncio.sleep(600)
        self._check()
        for house in [*self.houses]:
            await self.leave(house)

    def _check(self) -> None:
        facts = [row.facts for row in self.rows.members.values() if row.state.value != "dead"]
        assert not [one for one in facts if {"requests", "answers"} & one.keys()], "nothing is asked any more"
        assert not self.breaches, self.breaches
        delivered: dict[str, float] = {}
        for name in ("fn", "other"):
            for one in self.aws.functions[name].invocations.all:
                if one.ended is not None:
                    for number in one.identifiers:
                        if number in one.succeeded:
                            delivered[number] = min(one.ended, delivered.get(number, one.ended))
        put = {number for numbers in self.numbers.values() for number in numbers}
        assert not put - delivered.keys(), "all that was passed over is delivered after the last seek"
        for numbers in self.numbers.values() if self.ordered else ():
            ends = [delivered[number] for number in numbers]
            assert ends == sorted(ends), "each key's records are first delivered in their order"
        for house in self.houses:
            assert house.of("a").account.unaccounted(house.of("a").in_flight()) == 0


async def test_orders_to_a_fleet_that_changes_lose_nothing_and_hold_nobody(fleet_seed: int) -> None:
    story = Story(fleet_seed)
    try:
        await story.run()
    except (AssertionError, RuntimeError) as error:
        raise AssertionError(f"{error}\n" + "\n".join(story.said)) from error
