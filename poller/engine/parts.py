"""Builds the running parts of a mapping from its configuration (source, function, destination), and keeps what mappings
share.
"""

import asyncio
import random
import time
from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from structlog.typing import FilteringBoundLogger

from poller.aws.transports import Borrowed, Transports, credentials_end_in
from poller.configuration import EventSourceMapping, Settings
from poller.destinations.kinds import kind_of
from poller.engine.asynchronous import asynchronous_function
from poller.engine.beside import beside
from poller.engine.failed_events import FailedEvents
from poller.engine.fleet.alone import Alone
from poller.engine.functions import Functions, Use, shared_slots
from poller.engine.shadowing import shadowed
from poller.engine.standing_by import standby_of
from poller.functions.arns import arn_of
from poller.policy.backoff import Chance
from poller.policy.batching import BatchLimits
from poller.policy.beside import Which
from poller.policy.pace import Pace
from poller.policy.progress import ShardProgress
from poller.policy.seeking import Target
from poller.ports.destination import Destination
from poller.ports.function import Function, ReportsProblem
from poller.ports.holdings import Fleet
from poller.ports.source import Source
from poller.ports.status import MappingStatus
from poller.runtime.admission import Admission
from poller.runtime.breaker import Breaker
from poller.runtime.context import LaneContext
from poller.runtime.memory import Memory
from poller.runtime.running import Running
from poller.runtime.slots import Slots
from poller.runtime.stop import Stop
from poller.sources.kind import Beside, ReadsBeside, Run, Seeks, Shared, SourceBuilder
from poller.sources.kinds import KINDS
from poller.sources.sharded.limits import ReadLimits
from poller.state.memory.store import MemoryStore
from poller.support.rate_limited_log import RateLimitedLog
from poller.values.errors import NotPossible

if TYPE_CHECKING:
    # loaded only where traces are asked for
    from poller.engine.tracing import Tracing
    from poller.engine.workers import Workers


Watch = Callable[[Function, EventSourceMapping], Function]
"""Replaces a mapping's function by one that also shows its invocations."""


@dataclass(slots=True)
class Wired:
    """A mapping ready to run."""

    mapping: EventSourceMapping
    source: Source
    context: LaneContext
    running: Running
    """The parts that the status asks."""
    borrowed: AsyncExitStack
    """Parts that others may use as well."""

    async def close(self) -> None:
        """Release the borrowed parts. The next run of the mapping may already share them."""
        await self.borrowed.aclose()


@dataclass(slots=True, eq=False)
class Invocable:
    """A function with its limits and its circuit, which it shares with the mappings that use it."""

    use: Use
    function: Function
    slots: Slots
    breaker: Breaker


class Wiring:
    """Builds parts, and keeps what several mappings share: transports, functions with their slots, and memory."""

    def __init__(
        self,
        transports: Transports,
        max_bytes_in_flight: int,
        *,
        fleet: Fleet | None = None,
        mappings: Collection[str] = (),
        limits: ReadLimits | None = None,
        failed_events: FailedEvents | None = None,
        traces: "Tracing | None" = None,
        watch: Watch | None = None,
        workers: "Workers | None" = None,
        chance: Chance = random.random,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`fleet` keeps positions and says which shards are this daemon's: by default all of them, and for this process
        only. `mappings` are the uuids of all configured. `workers` knows the other processes of the daemon.
        """
        self.chance = chance
        """Gives numbers from 0 to 1 for the jitter of all parts."""
        self._wall = wall
        self._transports = transports
        self._fleet = fleet or Alone(MemoryStore())
        self._shared = Shared(self._fleet.store, mappings, limits or ReadLimits())
        self.builders: dict[str, SourceBuilder] = {}
        """By the kind of source, from its first mapping; of a shadow by its uuid."""
        self.memory = Memory(max_bytes_in_flight)
        """Bytes in flight of all mappings together."""
        self.functions = Functions(transports, chance)
        self._building = asyncio.Lock()
        self._failed_events = failed_events
        self._traces = traces
        self._watch = watch
        self.workers = workers
        self._shadows: dict[str, Alone] = {}
        """Where mappings that move nothing keep their positions, by uuid."""

    async def mapping(
        self, mapping: EventSourceMapping, status: MappingStatus, stop: Stop, log: FilteringBoundLogger
    ) -> Wired:
        """Build the parts of a mapping. Makes no call: a part that cannot be reached shows once the mapping runs."""
        # one after the other, so that no shared part is built twice
        async with self._building, AsyncExitStack() as borrowed:
            transports = self._transports.borrow()
            borrowed.push_async_callback(transports.close)
            credentials = credentials_end_in(await transports.get(mapping.aws, mapping.region))
            rare = RateLimitedLog(log)
            context = await self._context(mapping, status, stop, rare, borrowed)
            borrowed.push_async_callback(self.functions.release, Use.by(mapping))
            # a run that never begins must not go on listening to shared parts
            borrowed.callback(context.admission.close)
            source = await self._source(mapping, context, transports, borrowed)
            running = Running(source, context.admission, credentials)
            if isinstance(context.function, ReportsProblem):
                running.function_problem = context.function.problem
            if mapping.shadow_function is not None:
                context.function = await shadowed(mapping, context, self.functions, borrowed)
            wired = Wired(mapping, source, context, running, borrowed.pop_all())
        if mapping.asynchronous is not None:
            context.function = await asynchronous_function(mapping, context.function, transports, self._wall)
        if self._watch is not None:
            context.function = self._watch(context.function, mapping)
        if self._traces is not None:
            system, name = KINDS[mapping.source.kind].messaging_system, mapping.source.name
            wired.source = self._traces.source(source, mapping=mapping.name, system=system, name=name)
            context.function = self._traces.function(context.function)
        return wired

    async def _context(
        self,
        mapping: EventSourceMapping,
        status: MappingStatus,
        stop: Stop,
        log: RateLimitedLog,
        borrowed: AsyncExitStack,
    ) -> LaneContext:
        kind = KINDS[mapping.source.kind]
        start, most = mapping.lanes
        pace = Pace(start, most, steady=kind.steady)
        own = Memory(mapping.max_bytes_in_flight, self.memory)
        use = Use.by(mapping)
        function = await self.functions.take(use)
        standby = standby_of(self._fleet_of(mapping), self.workers, mapping, borrowed)
        breaker = self.functions.breaker(use)
        slots = self.functions.slots(mapping.function)
        # workers have their parts of every limit already
        shared = shared_slots(self._fleet, mapping, slots, borrowed) if self.workers is None else None
        admission = Admission(stop, pace, own, status, self.chance, breaker=breaker, standby=standby, shared=shared)
        return LaneContext(
            function=function,
            slots=shared or slots,
            limits=BatchLimits(
                mapping.batch_size,
                mapping.maximum_batching_window_in_seconds,
                function.payload_limit,
                kind.shortest_receive,
            ),
            report_batch_item_failures=mapping.report_batch_item_failures,
            admission=admission,
            stop=stop,
            status=status,
            chance=self.chance,
            log=log,
            keep_failed=None if self._failed_events is None else self._failed_events.keeper(mapping),
        )

    async def function(self, use: Use) -> Invocable:
        """A function for calls beside those of mappings, until `release_function`. Raises EnvironmentProblem and
        ConfigurationError.
        """
        async with self._building:
            function = await self.functions.take(use)
        return Invocable(use, function, self.functions.slots(use.config), self.functions.breaker(use))

    async def release_function(self, use: Use) -> None:
        """Release a function that `function` gave, once no call of it runs."""
        async with self._building:
            await self.functions.release(use)

    def builder(self, mapping: EventSourceMapping) -> SourceBuilder:
        """The builder for the mapping's kind of source."""
        kind = KINDS[mapping.source.kind]
        key = mapping.uuid if mapping.shadow else kind.name
        if key not in self.builders:
            self.builders[key] = kind.builder(replace(self._shared, store=self._fleet_of(mapping).store))
        return self.builders[key]

    def _fleet_of(self, mapping: EventSourceMapping) -> Fleet:
        if not mapping.shadow:
            return self._fleet
        return self._shadows.setdefault(mapping.uuid, Alone(MemoryStore()))

    def looks(self, mapping: EventSourceMapping) -> bool:
        """Whether the mapping's source can be read beside it."""
        return isinstance(self.builder(mapping), ReadsBeside)

    def seeks(self, mapping: EventSourceMapping) -> bool:
        """Whether the mapping has a position that can be moved."""
        return isinstance(self.builder(mapping), Seeks)

    async def seek(self, mapping: EventSourceMapping, target: Target, epoch: str) -> dict[str, ShardProgress]:
        """The progress of the shards that a seek would move. Raises NotPossible."""
        builder = self.builder(mapping)
        if not isinstance(builder, Seeks):
            raise NotPossible("the position of this kind of source cannot be moved by hand")
        transports = self._transports.borrow()
        try:
            return await builder.seek(mapping, transports, target, epoch)
        finally:
            await transports.close()

    def beside(self, mapping: EventSourceMapping, which: Which, visibility: int) -> AbstractAsyncContextManager[Beside]:
        """See `engine.beside`."""
        return beside(self.builder(mapping), self._transports, mapping, which, visibility)

    async def _source(
        self, mapping: EventSourceMapping, context: LaneContext, transports: Borrowed, resources: AsyncExitStack
    ) -> Source:
        holdings = self._fleet_of(mapping).holdings(mapping.uuid, mapping.event_source_arn)
        resources.callback(holdings.close)
        run = Run(
            transports,
            context.admission,
            context.status,
            context.chance,
            context.log,
            self._wall,
            arn_of(mapping),
            holdings,
            await _destination(mapping, transports),
            resources,
        )
        return await self.builder(mapping).source(mapping, run)

    def forget(self, uuid: str) -> None:
        """Forget a mapping that was removed and has ended."""
        for builder in self.builders.values():
            builder.forget(uuid)
        self.builders.pop(uuid, None)
        self._shadows.pop(uuid, None)

    def resize(self, max_bytes_in_flight: int) -> None:
        """Change the bound of bytes in flight for the whole process."""
        self.memory.resize(max_bytes_in_flight)

    def restart_function(self, name: str) -> None:
        """See `Functions.restart`."""
        self.functions.restart(name)

    def refresh(self) -> None:
        """Take over changed secrets and code."""
        self.functions.refresh()

    async def close(self) -> None:
        """Close every function. The transports belong to their maker."""
        await self.functions.close()


async def traces_of(settings: Settings, stack: AsyncExitStack) -> "Tracing | None":
    """Open the traces that the settings ask for, until the stack ends; None for none."""
    if settings.telemetry.traces == "none":
        return None
    from poller.engine.tracing import otlp  # noqa: PLC0415  (memory of those who want none)

    return await stack.enter_async_context(otlp())


async def _destination(mapping: EventSourceMapping, transports: Borrowed) -> Destination | None:
    arn = mapping.on_failure_destination
    return None if arn is None else await kind_of(arn).build(mapping, arn, transports)
