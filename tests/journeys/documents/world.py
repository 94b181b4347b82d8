"""A MongoDB cluster, a function and one mapping's real runtime between them, watched at every turn of the loop.

A `DocumentLife` is one process; the cluster and what was stored live on.
"""

import asyncio
from collections import defaultdict
from contextlib import nullcontext
from typing import Any

from poller.aws.port import Operation, Reply, ReservedBytes
from poller.configuration.model.functions import FunctionConfig
from poller.configuration.model.mapping import DocumentDBEventSourceConfig, EventSourceMapping
from poller.engine.fleet.alone import Alone
from poller.engine.parts import Wiring
from poller.functions.lambda_api.options import LambdaOptions
from poller.policy.progress import ShardProgress
from poller.ports.status import MappingStatus
from poller.sources.documentdb.building import ChangeStreamBuilder
from poller.sources.documentdb.order import Order, order_of
from poller.sources.kind import Shared
from poller.sources.kinds import parse_source
from poller.sources.sharded.limits import ReadLimits
from poller.state.memory.store import MemoryStore
from poller.values.errors import StateError
from tests.fakes.aws import FakeAws
from tests.fakes.mongo.commands import FakeMongo
from tests.fakes.mongo.log import Key
from tests.fakes.mongo.port import FakeServer
from tests.fakes.queue import loop_time
from tests.fakes.streams.account import virtual_clock
from tests.journeys.run import Run
from tests.journeys.world import FUNCTION, WatchedLoop

ARN = "arn:aws:rds:eu-west-1:123456789012:cluster:c"


class WatchedStore(MemoryStore):
    """Lets no position pass that covers a change neither delivered nor given up."""

    def __init__(self, world: "DocumentWorld") -> None:
        super().__init__()
        self._world = world
        self.fault: Exception | None = None
        self.saves = 0

    @property
    def progress(self) -> Any:
        return self._mappings["u"]

    async def save(self, uuid: str, shard_id: str, progress: ShardProgress) -> None:
        await asyncio.sleep(0)
        if self.fault is not None:
            raise self.fault
        self.saves += 1
        if progress.position is not None:
            self._world.check_position(order_of(progress.position))
        await super().save(uuid, shard_id, progress)


class DocumentWorld:
    def __init__(self, *, collection: str | None = "orders", **server: Any) -> None:
        self.aws = FakeAws()
        self.aws.latency = 0.01
        self.mongo = FakeMongo(virtual_clock, **server)
        self.mongo.latency = 0.01
        self.collection = collection
        self.failed = self.aws.queue("failed")
        self.events: list[list[dict[str, Any]]] = []
        """Of every invocation that the function succeeded on, the changes."""
        self.attempts = 0
        self.fails: int = 0
        """So many of the next invocations fail."""
        self.expected: dict[str, Key] = {}
        """Tokens of the changes to deliver."""
        self.given_up: set[str] = set()
        self.store = WatchedStore(self)
        self.lives: list[DocumentLife] = []
        self.breaches: list[str] = []
        self.function = self.aws.function(FUNCTION, self._handle)
        loop = asyncio.get_running_loop()
        if isinstance(loop, WatchedLoop):
            loop.watcher = self.watch

    @property
    def log(self) -> Any:
        return self.mongo.log

    def _handle(self, event: Any) -> Any:
        assert event["eventSourceArn"] == ARN
        assert event["eventSource"] == "aws:docdb"
        self.attempts += 1
        if self.fails:
            self.fails -= 1
            raise RuntimeError("by plan")
        self.events.append([one["event"] for one in event["events"]])

    def expect(self, key: Key) -> str:
        """A change that is to be delivered; its token."""
        token = key.token(self.log.cluster)["_data"]
        self.expected[token] = key
        return token

    def put(self, number: int, **fields: Any) -> str:
        """A document of this number is written."""
        return self.expect(self.log.insert("shop", "orders", {"_id": number, **fields}))

    def puts(self, first: int, last: int) -> None:
        for number in range(first, last):
            self.put(number)

    def mapping(self, *, destination: bool = False, **parameters: Any) -> EventSourceMapping:
        function = FunctionConfig(
            key=FUNCTION, type="lambda", options=LambdaOptions(function_name=FUNCTION), timeout_seconds=30
        )
        values: dict[str, Any] = {
            "name": "m",
            "uuid": "u",
            "event_source_arn": ARN,
            "source": parse_source(ARN),
            "function": function,
            "batch_size": 100,
            "document_db": DocumentDBEventSourceConfig(database_name="shop", collection_name=self.collection),
            "on_failure_destination": self.failed.arn if destination else None,
        }
        return EventSourceMapping(**values | parameters)

    @property
    def delivered(self) -> list[str]:
        """The tokens, in the order of the function's successes."""
        return [change["_id"]["_data"] for batch in self.events for change in batch]

    def lost(self) -> set[str]:
        return self.expected.keys() - set(self.delivered) - self.given_up

    def check_position(self, order: Order) -> None:
        for token in self.lost():
            # where a transaction wrote to one collection only, both count its changes alike
            if self.expected[token][:2] <= order[:2]:
                self.breaches.append(f"stored past {token} at {loop_time():.3f} s")

    def watch(self) -> None:
        for life in self.lives:
            life.watch()
            missing = life.status.account.unaccounted(life.status.in_flight())
            if missing:
                self.breaches.append(f"{missing} unaccounted at {loop_time():.3f} s")

    async def until(self, met: Any, within: float = 3600.0) -> None:
        async with asyncio.timeout(within):
            while not met():  # noqa: ASYNC110 - virtual time; the server tells nobody
                await asyncio.sleep(0.5)

    async def until_done(self, within: float = 3600.0) -> None:
        await self.until(lambda: not self.lost(), within)

    def check(self, *, once: bool = False) -> None:
        """At the end: everything arrived, and of each document in order."""
        assert self.breaches[:3] == []
        assert self.lost() == set()
        by_document: dict[str, list[str]] = defaultdict(list)
        seen: set[str] = set()
        for batch in self.events:
            for change in batch:
                token = change["_id"]["_data"]
                assert not (once and token in seen), f"{token} twice"
                if token not in seen:
                    by_document[repr(change.get("documentKey"))].append(token)
                seen.add(token)
        for tokens in by_document.values():
            assert tokens == sorted(tokens)


class DocumentLife(Run):
    """With the positions of its world."""

    def __init__(self, world: DocumentWorld, mapping: EventSourceMapping, **settings: Any) -> None:
        limits = ReadLimits(lambda _: nullcontext())
        wiring = Wiring(self, 1 << 30, fleet=Alone(world.store), mappings={mapping.uuid}, limits=limits, **settings)  # type: ignore[arg-type]
        self.server = FakeServer(world.mongo)
        shared = Shared(world.store, {mapping.uuid}, limits)
        wiring.builders["documentdb"] = ChangeStreamBuilder(shared, lambda _: self.server)
        super().__init__(world, mapping, wiring, MappingStatus(mapping.name, mapping.uuid, ARN, FUNCTION))

    @property
    def account(self) -> Any:
        return self.status.account

    @property
    def reason(self) -> Any:
        """Why the one partition does not read; None if it does."""
        return next((partition.reason for partition in self.status.partitions), None)

    async def call(
        self,
        operation: Operation,
        body: bytes,
        timeout: float | None = None,  # noqa: ASYNC109
        *,
        trace: str | None = None,
        room: ReservedBytes | None = None,
    ) -> Reply:
        if self.dead:
            await asyncio.get_running_loop().create_future()
        return await self.world.aws.call(operation, body, timeout, trace=trace, room=room)

    async def crash(self) -> None:
        """From now on nothing of it reaches the services, and nothing more is stored."""
        self.dead = self.server.dead = True
        keep, self.world.store.fault = self.world.store.fault, StateError("the process is dead")
        self.task.cancel()
        await asyncio.wait([self.task])
        self.world.store.fault = keep
        self.world.lives.remove(self)
