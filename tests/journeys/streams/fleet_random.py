"""Random hours of a fleet, by seed: what happens when is a schedule, which shrinks where a promise is broken."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

from tests.fakes.queue import loop_time
from tests.fakes.streams import KinesisStream
from tests.journeys.streams.fleet import FleetLife, FleetWorld
from tests.journeys.world import WatchedLoop
from tests.virtual_time import run

KEYS = 12
SECONDS = 240.0
KINDS = ("crash", "stop", "start", "freeze", "cut", "store", "split", "merge", "lossy", "slow")


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that happens."""

    at: float
    """Seconds after the start."""
    kind: str
    which: float
    """Of the daemons or shards there are then, from 0 to 1."""
    seconds: float


def schedule(seed: int) -> list[Incident]:
    chance = random.Random(seed)
    count = chance.randint(2, 7)
    found = [
        Incident(chance.uniform(5, SECONDS), chance.choice(KINDS), chance.random(), chance.uniform(1, 45))
        for _ in range(count)
    ]
    return sorted(found, key=lambda incident: incident.at)


class Story:
    def __init__(self, seed: int, incidents: Sequence[Incident]) -> None:
        self.chance = random.Random(seed)
        random.seed(seed)  # the runtime's own jitter
        pick = self.chance.choice
        self.incidents = incidents
        self.world = FleetWorld(shards=pick([1, 2, 4]), seed=seed)
        self.world.function.delay = pick([0, 0.2, 4])
        self.mapping = self.world.mapping(
            batch_size=pick([1, 5, 100]),
            parallelization_factor=pick([1, 1, 3]),
            poll_interval_seconds=2.0,
            idle_poll_interval_seconds=5.0,
        )
        self.interval = pick([0.0, 0.0, 1.0, 5.0])
        self.number = 0
        self.lives: list[FleetLife] = []

    def begin(self) -> None:
        """One more daemon, with a clock of its own."""
        rate, offset = self.chance.uniform(0.96, 1.04), self.chance.uniform(0, 1e6)
        life = FleetLife(
            self.world,
            self.mapping,
            clock=lambda: loop_time() * rate + offset,
            checkpoint_interval_seconds=self.interval,
        )
        life.link.latency = lambda: self.chance.uniform(0, 0.3)
        self.lives.append(life)

    async def produce(self) -> None:
        while loop_time() < SECONDS:
            for _ in range(self.chance.randint(1, 6)):
                self.world.put(f"k{self.number % KEYS}", self.number)
                self.number += 1
            await asyncio.sleep(self.chance.uniform(0, 4))

    async def run(self) -> None:
        for _ in range(self.chance.choice([2, 3])):
            self.begin()
        work = [asyncio.create_task(self.produce())]
        for incident in self.incidents:
            await asyncio.sleep(max(0.0, incident.at - loop_time()))
            work.append(asyncio.create_task(self.happen(incident)))
        await asyncio.gather(*work)
        if not self.lives:
            self.begin()
        try:
            await self.world.until_done(within=3600.0)
            await self.world.until(self.converged, 600.0)
        except TimeoutError:
            self.world.breaches.append(f"{len(self.world.lost())} not delivered; held: {self.world.held()}")
        for life in [*self.lives]:
            await life.end()
        await asyncio.gather(*self.world.late)
        self.world.check()

    def converged(self) -> bool:
        """Every shard that can be read is held, and as evenly as can be."""
        held = self.world.held()
        count = sum(held.values())
        return count == len(self.open()) and max(held.values()) - min(held.values()) <= 1

    def open(self) -> list[str]:
        stream = self.world.stream
        assert isinstance(stream, KinesisStream)
        return stream.open_shards()

    async def happen(self, incident: Incident) -> None:
        if incident.kind in ("split", "merge"):
            self.reshard(incident)
        elif incident.kind == "store":
            await self.away(self.lives, incident.seconds)
        elif incident.kind == "start" or not self.lives:
            self.begin()
        else:
            await self.happen_to(self.lives[int(incident.which * len(self.lives))], incident)

    def reshard(self, incident: Incident) -> None:
        stream = self.world.stream
        assert isinstance(stream, KinesisStream)
        ranges = sorted((stream.shards[one].hashes.start, one) for one in self.open())
        if incident.kind == "split":
            stream.split(ranges[int(incident.which * len(ranges))][1])
        elif len(ranges) > 1:
            index = int(incident.which * (len(ranges) - 1))
            stream.merge(ranges[index][1], ranges[index + 1][1])

    async def happen_to(self, life: FleetLife, incident: Incident) -> None:
        match incident.kind:
            case "crash":
                self.lives.remove(life)
                await life.crash()
                await asyncio.sleep(incident.seconds)
                self.begin()
            case "stop":
                self.lives.remove(life)
                await life.end()
                self.begin()
            case "freeze":
                # the worst moment is between a beat and its answer
                life.link.freezes_after = "beat"
                await asyncio.sleep(incident.seconds)
                life.thaw()
            case "cut":
                await self.away([life], incident.seconds)
            case "lossy":
                life.link.loses = 0.4
                await asyncio.sleep(incident.seconds)
                life.link.loses = 0.0
            case "slow":
                # as slow as its deadline lets it be, and then away
                life.link.latency = lambda: self.chance.uniform(0, 3)
                await asyncio.sleep(incident.seconds)
                await self.away([life], incident.seconds)
                life.link.latency = lambda: self.chance.uniform(0, 0.3)

    async def away(self, lives: Sequence[FleetLife], seconds: float) -> None:
        links = [life.link for life in lives]
        for link in links:
            link.broken = True
        await asyncio.sleep(seconds)
        for link in links:
            link.broken = False


def tell(seed: int, incidents: Sequence[Incident]) -> str | None:
    """What goes wrong by this schedule; None where every promise is kept."""

    async def story() -> None:
        await Story(seed, incidents).run()

    try:
        run(story(), loop_factory=WatchedLoop)
    except (AssertionError, TimeoutError, RuntimeError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def shrunk(seed: int, incidents: Sequence[Incident]) -> list[Incident]:
    """A part of the schedule by which something goes wrong still, and by nothing less."""
    left = [*incidents]
    for incident in incidents:
        fewer = [one for one in left if one is not incident]
        if tell(seed, fewer) is not None:
            left = fewer
    return left
