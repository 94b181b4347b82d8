"""What happens to a fleet, scenario by scenario: daemons with their real runtime, in one virtual time, under steady load."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.fakes.queue import loop_time
from tests.fakes.streams.ledger import StreamLedger
from tests.journeys.streams.fleet import FleetLife, FleetWorld
from tests.virtual_time import VirtualTimeLoop

SHARDS, DAEMONS = 6, 3
A_SECOND = 20
"""Records that are written."""
KEYS = 120
BATCH = 5
INVOCATION_SECONDS = 0.2
LOOK_SECONDS = 0.01
SETTLING_SECONDS = 60.0
"""Before a scenario begins: the daemons have their parts by then."""
IDLE_SHARDS, IDLE_DAEMONS, IDLE_SECONDS = 1000, 4, 300.0
KILLS = 5
AT_KILL = SHARDS // DAEMONS * 2 * BATCH
"""Records that one kill may repeat: on each shard of the daemon one batch in work, and one more."""


class LongLoop(VirtualTimeLoop):
    """For hours of a fleet, and for a thousand shards."""

    turn_limit = 20_000_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a scenario came to."""

    records: int
    lost: int
    duplicates: int
    """Records that were delivered more than once."""
    out_of_order: int
    """Keys whose records were not done in their order."""
    gap: float
    """The longest time for which a shard had records and none of them was delivered, in seconds."""
    writes: float | None
    """Writes of the store a minute; None where they are not counted."""
    taken_over: float | None = None
    """Seconds after which the shards of a daemon that died were all held again, at most."""
    unaccounted: int = 0
    """Records of which the daemons do not know what became of them."""


class Play:
    """A fleet under load."""

    def __init__(self) -> None:
        self.world = FleetWorld(shards=SHARDS)
        self.world.function.delay = INVOCATION_SECONDS
        self.lives: list[FleetLife] = []
        self.taken_over: float | None = None
        self._number = 0

    def begin(self) -> FleetLife:
        life = FleetLife(self.world, self.world.mapping(batch_size=BATCH))
        self.lives.append(life)
        return life

    async def load(self, seconds: float) -> None:
        """Write records steadily for so long."""
        until = loop_time() + seconds
        while loop_time() < until:
            self.world.put(f"key {self._number % KEYS}", self._number)
            self._number += 1
            await asyncio.sleep(1 / A_SECOND)

    async def kill(self) -> None:
        """Kill the first daemon while it works on something, and note how long its shards are nobody's."""
        life = self.lives.pop(0)
        await self._until(lambda: life.status.in_flight() > 0)
        await life.crash()
        began = loop_time()
        await self._until(lambda: {*self.world.owners().values()} <= {one.id for one in self.lives})
        self.taken_over = max(self.taken_over or 0.0, loop_time() - began)

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():  # noqa: ASYNC110  (in virtual time)
            await asyncio.sleep(LOOK_SECONDS)

    async def outcome(self, happens: Callable[["Play"], Awaitable[None]]) -> Outcome:
        for _ in range(DAEMONS):
            self.begin()
        await asyncio.sleep(SETTLING_SECONDS)
        before, began = self.world.rows.writes, loop_time()
        await happens(self)
        writes = 60 * (self.world.rows.writes - before) / (loop_time() - began)
        await self.world.until_done(within=600.0)
        for life in self.lives:
            await life.end()
        self.world.check()
        return outcome_of(self.world.ledger, self._number, writes, self.taken_over)


def outcome_of(
    ledger: StreamLedger, records: int, writes: float | None = None, taken_over: float | None = None
) -> Outcome:
    """What the ledger says."""
    again = sum(1 for entry in ledger.entries.values() if len(entry.invoked) > 1)
    gap = longest_gap(ledger)
    return Outcome(records, len(ledger.lost()), again, len(ledger.out_of_order()), gap, writes, taken_over)


def longest_gap(ledger: StreamLedger) -> float:
    """See `Outcome.gap`."""
    by_shard: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for entry in ledger.entries.values():
        if entry.done is not None:
            by_shard[entry.shard].append((entry.done, entry.put))
    longest = 0.0
    for entries in by_shard.values():
        last = 0.0
        for done, put in sorted(entries):
            longest = max(longest, done - max(put, last))
            last = done
    return longest


async def undisturbed(play: Play) -> None:
    await play.load(120.0)


async def kills(play: Play) -> None:
    """Each a minute after the one before, with a new daemon in the place of the dead one."""
    work = asyncio.ensure_future(play.load(KILLS * 90.0))
    for _ in range(KILLS):
        await asyncio.sleep(60.0)
        await play.kill()
        play.begin()
    await work


async def freeze(play: Play) -> None:
    """As by SIGSTOP, for 40 s."""
    work = asyncio.ensure_future(play.load(150.0))
    await asyncio.sleep(30.0)
    life = play.lives[0]
    life.link.thawed.clear()
    await asyncio.sleep(40.0)
    life.thaw()
    await work


async def stop(play: Play) -> None:
    work = asyncio.ensure_future(play.load(120.0))
    await asyncio.sleep(30.0)
    await play.lives.pop(0).end()
    await work


async def deploy(play: Play) -> None:
    """Ten rolling deployments: each daemon stops and one begins in its place, 15 s apart."""
    work = asyncio.ensure_future(play.load(10 * DAEMONS * 15.0))
    for _ in range(10 * DAEMONS):
        await asyncio.sleep(15.0)
        await play.lives.pop(0).end()
        play.begin()
    await work


async def store_away(play: Play) -> None:
    work = asyncio.ensure_future(play.load(180.0))
    await asyncio.sleep(30.0)
    for life in play.lives:
        life.link.broken = True
    await asyncio.sleep(60.0)
    for life in play.lives:
        life.link.broken = False
    await work


async def reshard(play: Play) -> None:
    work = asyncio.ensure_future(play.load(180.0))
    for _ in range(2):
        await asyncio.sleep(30.0)
        stream = play.world.kinesis
        first, second, third, *_ = sorted(stream.open_shards(), key=lambda one: stream.shards[one].hashes.start)
        stream.merge(first, second)
        stream.split(third)
    await work


KILLED, FROZEN = "kill -9 of a daemon, five times", "a daemon frozen for 40 s"
SCENARIOS: dict[str, Callable[[Play], Awaitable[None]]] = {
    "nothing happens": undisturbed,
    KILLED: kills,
    FROZEN: freeze,
    "a daemon stops": stop,
    "ten rolling deployments": deploy,
    "the store away for 60 s": store_away,
    "shards split and merged": reshard,
}


async def measured(name: str) -> Outcome:
    """Play one scenario, the same way each time."""
    random.seed(name)  # the runtime's own jitter
    return await Play().outcome(SCENARIOS[name])


async def idle_writes(shards: int = IDLE_SHARDS, daemons: int = IDLE_DAEMONS) -> float:
    """Writes a minute of a fleet that has nothing to do."""
    world = FleetWorld(shards=shards)
    # the polls of the source are no matter here, and a thousand of them a second would take minutes
    mapping = world.mapping(poll_interval_seconds=60.0, idle_poll_interval_seconds=60.0)
    lives = [FleetLife(world, mapping) for _ in range(daemons)]
    await world.until(lambda: sorted(world.held().values()) == [shards // daemons] * daemons, 600.0)
    await asyncio.sleep(SETTLING_SECONDS)
    before = world.rows.writes
    await asyncio.sleep(IDLE_SECONDS)
    writes = 60 * (world.rows.writes - before) / IDLE_SECONDS
    for life in lives:
        await life.end()
    return writes
