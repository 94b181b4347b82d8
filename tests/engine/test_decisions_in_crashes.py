"""A batch is handed over, or a key of it given up, and the process dies at any write: nothing lost, order per key."""

import asyncio
import json
from contextlib import suppress
from typing import Any

import pytest

from poller.policy.actions import Asked, HandOver, Isolate, Stage
from poller.state.memory.store import MemoryStore
from poller.values.errors import NotPossible, StateError
from tests.engine.house import House, Lent
from tests.engine.test_isolating import KEYS, poisoned
from tests.fakes.queue import loop_time

ANN = Asked("ann", "api", "customer 4711 is broken")


class Life:
    """How many writes are left to the process."""

    left = 1 << 30
    kept = False
    """Whether the last write is stored, and only its answer is lost."""

    def __init__(self) -> None:
        self.over = asyncio.Event()

    def spend(self) -> bool:
        """Whether the write at hand is stored. Raises StateError behind the end."""
        if self.over.is_set():
            raise StateError("the process is dead")
        self.left -= 1
        if self.left < 0:
            self.over.set()
        return self.left >= 0 or self.kept


class Store(MemoryStore):
    """Of one life after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.life = Life()

    async def save(self, uuid, shard_id, progress):
        if self.life.spend():
            await super().save(uuid, shard_id, progress)
        self._answer()

    async def note(self, action):
        if self.life.spend():
            await super().note(action)
        self._answer()

    def _answer(self) -> None:
        if self.life.over.is_set():
            raise StateError("the process dies")


class Ward(House):
    """Reaches no service once it is dead. The destination's records count as discarded when it takes them."""

    def __init__(self, store: Store, aws: Any = None) -> None:
        super().__init__(store, aws)
        ward, life = self, store.life

        class Mortal(Lent):
            async def call(self, operation, body, *given, **more):
                if life.over.is_set():
                    await asyncio.get_running_loop().create_future()
                reply = await super().call(operation, body, *given, **more)
                if operation.name == "SendMessage":
                    ward.discarded(json.loads(json.loads(body)["MessageBody"]))
                return reply

        self.local.make = Mortal

    def discarded(self, record: dict[str, Any]) -> None:
        assert record["requestContext"]["condition"] == "IsolatedByHand"
        first, last = (int(record["KinesisBatchInfo"][name]) for name in ("startSequenceNumber", "endSequenceNumber"))
        ledger = self.aws.streams.ledger
        named = [number for number, one in ledger.entries.items() if first <= int(number) <= last and one.key == "bad"]
        ledger.note("discarded", named, loop_time())

    async def held(self, last: str) -> int | None:
        """The lane that waits with the batch that fails; None once the position is at the last record."""
        async with asyncio.timeout(3600):
            while last not in await self.durable():
                for partition in self.of("a").partitions:
                    for number, lane in enumerate(partition.lanes):
                        if lane.held is not None and "bad" in dict(lane.held.keys()):
                            return number
                await asyncio.sleep(1)
        return None

    async def durable(self) -> list[str | None]:
        """The stored positions."""
        stored = await self.store.load("uuid of a")
        return [] if stored is None else [shard.position for shard in stored.shards.values()]

    async def end_now(self) -> None:
        hard = asyncio.Event()
        hard.set()
        await self.stop(hard)
        await self.close()
        for status in self.status.mappings:
            assert status.account.unaccounted(status.in_flight()) == 0


async def begun(ward: Ward, factor: int) -> None:
    stream = ward.aws.streams.streams.get("s") or ward.aws.stream("s")
    mapping = ward.mapping(
        "a",
        stream=stream,
        starting_position="TRIM_HORIZON",
        batch_size=100,
        parallelization_factor=factor,
        on_failure_destination=ward.queue("failed").arn,
    )
    other = ward.mapping("b", function="other")
    ward.aws.functions["fn"].handler = poisoned
    await ward.open()
    ward.mappings.apply([mapping, other])
    ward.declare(other)
    ward.start()


async def journey(order: Any, factor: int, writes: int, *, kept: bool) -> bool:
    """Whether the process died in it, `writes` writes behind the order."""
    store = Store()
    ward = Ward(store)
    await begun(ward, factor)
    numbers = [ward.aws.streams.streams["s"].put(key, str(number)) for number, key in enumerate(KEYS)]
    lane = await ward.held(numbers[-1])
    store.life.left, store.life.kept = writes, kept
    with suppress(StateError):
        await ward.steering.act("a", order(lane), ANN, dry_run=False)
    with suppress(TimeoutError):
        async with asyncio.timeout(5):
            await store.life.over.wait()
    died = store.life.over.is_set()
    if not died:
        # whatever is written later is no part of the order
        store.life.left = 1 << 30
    else:
        await ward.end_now()
        store.life = Life()
        ward = Ward(store, ward.aws)
        await begun(ward, factor)
    while (lane := await ward.held(numbers[-1])) is not None:
        # it has moved on where it is tried at this moment
        with suppress(NotPossible):
            await ward.steering.act("a", order(lane), ANN, dry_run=False)
        await asyncio.sleep(2)
    await asyncio.sleep(10)
    ledger = ward.aws.streams.ledger
    assert (ledger.lost(), ledger.out_of_order()) == (set(), set())
    records = [json.loads(message.body) for message in ward.queue("failed").messages.values()]
    assert bool(records) == (order is isolated)
    stages = [one.stage for one in await store.actions()]
    assert (stages.count(Stage.DONE) > 0, Stage.FAILED in stages) == (True, False)
    await ward.end_now()
    return died


def isolated(lane: int) -> Isolate:
    return Isolate(lane=lane, key="bad")


def handed_over(lane: int) -> HandOver:
    return HandOver(lane=lane, function="other")


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("factor", [1, pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize("order", [isolated, handed_over])
async def test_a_death_at_every_write_loses_nothing_and_keeps_the_order_of_each_key(order, factor, kept):
    writes = 0
    while await journey(order, factor, writes, kept=kept):
        writes += 1
    assert writes >= 3, "the order, what became of it, and the position"
