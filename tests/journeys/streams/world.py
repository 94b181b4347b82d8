"""A stream, a function and one mapping's real runtime between them, watched at every turn of the loop and every write.

A `StreamLife` is one process; the account, its streams and what was stored live on.
"""

import asyncio
import json
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from poller.aws.port import EventStream, Operation, Reply, ReservedBytes
from poller.configuration.model.functions import FunctionConfig
from poller.configuration.model.mapping import EventSourceMapping
from poller.engine.fleet.alone import Alone
from poller.engine.parts import Wired, Wiring
from poller.functions.lambda_api.options import LambdaOptions
from poller.policy.invocation_record import Discarded
from poller.policy.progress import ShardProgress, StreamProgress
from poller.ports.holdings import Fleet
from poller.ports.status import MappingStatus
from poller.sources.kinds import parse_source
from poller.sources.sharded.limits import ReadLimits
from poller.sources.sharded.source import ShardedSource
from poller.sources.sharded.stream import Notify
from poller.state.memory.store import MemoryStore
from poller.values.errors import StateError
from tests.fakes.aws import FakeAws
from tests.fakes.queue import loop_time
from tests.fakes.streams import KinesisStream, TableStream
from tests.journeys.run import Run
from tests.journeys.world import FUNCTION, WatchedLoop

DAY = 24 * 3600.0


class WatchedStore(MemoryStore):
    """Lets no position pass that covers a record neither delivered nor discarded."""

    def __init__(self, world: "StreamWorld") -> None:
        super().__init__()
        self._world = world
        self._checked: dict[str, str] = {}
        self.fault: Exception | None = None
        self.opening_takes = 0.0
        """Seconds that the answer to `open` takes."""

    @property
    def progress(self) -> StreamProgress:
        """What is stored of the mapping."""
        return self._mappings["u"]

    def begin_again(self) -> None:
        """From now on positions may be stored that were passed before."""
        self._checked.clear()

    def break_down(self) -> None:
        """Until `fault` is taken away again."""
        self.fault = StateError("the disk is full")

    async def open(
        self, uuid: str, first: StreamProgress, *, instead_of: StreamProgress | None = None, by: str | None = None
    ) -> StreamProgress:
        stands = await super().open(uuid, first, instead_of=instead_of, by=by)
        if self.opening_takes:
            await asyncio.sleep(self.opening_takes)
        return stands

    async def save(self, uuid: str, shard_id: str, progress: ShardProgress) -> None:
        await asyncio.sleep(0)
        if self.fault is not None:
            raise self.fault
        last = str(10**60) if progress.finished else progress.position
        if last is not None:
            self.check_passing(shard_id, last)
        await super().save(uuid, shard_id, progress)

    def check_passing(self, shard_id: str, last: str) -> None:
        """A position that is stored now."""
        ledger = self._world.aws.streams.ledger
        first = self._checked.get(shard_id, "0")
        for entry in ledger.between(self._world.stream.arn, shard_id, first, last):
            if entry.done is not None or entry.trimmed:
                continue
            if entry.sequence_number not in self._world.before_start | self._world.skipped:
                self._world.breaches.append(f"{shard_id} stored past {entry.sequence_number} at {loop_time():.3f} s")
        self._checked[shard_id] = last


class StreamWorld:
    def __init__(self, *, table: bool = False, shards: int = 1, seed: int = 0, **settings: Any) -> None:
        self.aws = FakeAws(seed=seed)
        self.aws.latency = 0.01
        make = self.aws.table if table else self.aws.stream
        self.stream: KinesisStream | TableStream = make("s", shards, **settings)
        self.function = self.aws.function(FUNCTION)
        self.failed = self.aws.queue("failed")
        self.store = WatchedStore(self)
        self.lives: list[StreamLife] = []
        self.breaches: list[str] = []
        self.windows_given_up: list[Any] = []
        """Whose closing failed too often; a test that has a destination sees them."""
        self.before_start: set[str] = set()
        """Sequence numbers that a mapping at LATEST is not to deliver."""
        self.skipped: set[str] = set()
        """Sequence numbers that match no filter."""
        self.wanted: Callable[[int], bool] = lambda _: True
        loop = asyncio.get_running_loop()
        if isinstance(loop, WatchedLoop):
            loop.watcher = self.watch

    @property
    def kinesis(self) -> KinesisStream:
        assert isinstance(self.stream, KinesisStream)
        return self.stream

    @property
    def table_stream(self) -> TableStream:
        assert isinstance(self.stream, TableStream)
        return self.stream

    @property
    def ledger(self) -> Any:
        return self.aws.streams.ledger

    def put(self, key: str, number: int) -> str:
        """One record; the number it is known by."""
        found = (
            self.stream.put(key, self._data(number))
            if isinstance(self.stream, KinesisStream)
            else self._write(key, number)
        )
        assert found is not None
        if not self.wanted(number):
            self.skipped.add(found)
        return found

    def _write(self, key: str, number: int) -> str | None:
        return self.table_stream.put(key, n={"N": str(number)}, wanted={"BOOL": self.wanted(number)})

    def _data(self, number: int) -> str:
        """Of those not wanted, some are not even JSON."""
        wanted = self.wanted(number)
        return json.dumps({"n": number, "wanted": wanted}) if wanted or number % 2 else "plain"

    def only_wanted(self, wanted: Callable[[int], bool]) -> tuple[str, ...]:
        """From now on not every number is wanted; the `filter_criteria` of a mapping that knows."""
        self.wanted = wanted
        if isinstance(self.stream, KinesisStream):
            return ('{"data": {"wanted": [true]}}',)
        return ('{"dynamodb": {"NewImage": {"wanted": {"BOOL": [true]}}}}',)

    def mapping(self, *, destination: bool = False, function_concurrency: int | None = None, **parameters: Any) -> Any:
        function = FunctionConfig(
            key=FUNCTION,
            type="lambda",
            options=LambdaOptions(function_name=FUNCTION),
            timeout_seconds=30,
            concurrency=function_concurrency,
        )
        values: dict[str, Any] = {
            "name": "m",
            "uuid": "u",
            "event_source_arn": self.stream.arn,
            "source": parse_source(parameters.get("event_source_arn", self.stream.arn)),
            "function": function,
            "batch_size": 100,
            "on_failure_destination": self.failed.arn if destination else None,
        }
        return EventSourceMapping(**values | parameters)

    def watch(self) -> None:
        for life in self.lives:
            life.watch()
            missing = life.status.account.unaccounted(life.status.in_flight())
            if missing:
                self.breaches.append(f"{missing} unaccounted at {loop_time():.3f} s")

    async def until(self, met: Any, within: float = 3600.0) -> None:
        async with asyncio.timeout(within):
            while not met():  # noqa: ASYNC110 - virtual time; the service tells nobody
                await asyncio.sleep(0.5)

    async def until_done(self, within: float = 4 * 3600.0) -> None:
        await self.until(lambda: not self.lost(), within)

    def lost(self) -> set[str]:
        return set(self.ledger.lost(self.stream.arn)) - self.before_start - self.skipped

    def check(self) -> None:
        """At the end of a story in which everything was delivered or discarded."""
        assert self.breaches[:3] == []
        assert self.lost() == set()
        assert [number for number in self.skipped if self.ledger[number].invoked] == []
        assert self.ledger.out_of_order() == set()


class StreamLife(Run):
    """With the positions of its world, and what its destination accepted."""

    def __init__(
        self,
        world: StreamWorld,
        mapping: EventSourceMapping,
        *,
        process_bytes: int = 1 << 30,
        fleet: Fleet | None = None,
        **settings: Any,
    ) -> None:
        shared = {"fleet": fleet or Alone(world.store), "limits": ReadLimits(lambda _: nullcontext())}
        wiring = Wiring(self, process_bytes, mappings={mapping.uuid}, **shared, **settings)  # type: ignore[arg-type]
        status = MappingStatus(mapping.name, mapping.uuid, mapping.event_source_arn, FUNCTION)
        super().__init__(world, mapping, wiring, status)

    def built(self, wired: Wired) -> None:
        assert isinstance(wired.source, ShardedSource)
        stream = wired.source.stream
        stream.notify = None if stream.notify is None else self._noting(stream.notify)

    @property
    def account(self) -> Any:
        return self.status.account

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

    async def subscribe(self, operation: Operation, body: bytes) -> "LivingStream":
        if self.dead:
            await asyncio.get_running_loop().create_future()
        return LivingStream(self, await self.world.aws.subscribe(operation, body))

    def _noting(self, notify: Notify) -> Notify:
        """What a destination accepted is done. Its record names first and last only, of one lane among several."""

        async def noting(discarded: Discarded, shard_id: str, now: float) -> None:
            await notify(discarded, shard_id, now)
            self.world.ledger.note("discarded", [record.identifier for record in discarded.records], loop_time())
            if discarded.window is not None and not discarded.records:
                self.world.windows_given_up.append(discarded.window)

        return noting

    async def crash(self) -> None:
        """From now on nothing of it reaches the services, and nothing more is stored."""
        self.dead = True
        keep, self.world.store.fault = self.world.store.fault, StateError("the process is dead")
        self.task.cancel()
        await asyncio.wait([self.task])
        self.world.store.fault = keep
        self.world.lives.remove(self)


class LivingStream:
    """An event stream that a dead process hears no more of, nor closes: the service ends it when its time is over."""

    def __init__(self, life: StreamLife, events: EventStream) -> None:
        self.date = events.date
        self._life = life
        self._events = events

    async def event(self, room: ReservedBytes | None = None) -> bytes | None:
        return await self._events.event(room)

    async def close(self) -> None:
        if not self._life.dead:
            await self._events.close()
