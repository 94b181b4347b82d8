"""From configuration to running parts: which class serves which kind of source and function, and with what values."""

import asyncio
import random
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from structlog.typing import FilteringBoundLogger

from poller.aws.transports import Borrowed, Transports, credentials_end_in
from poller.configuration import EventSource, EventSourceMapping, Settings, parse_source
from poller.engine.functions import Functions
from poller.engine.streams import Streams, queue_url
from poller.functions.runtime_api import RuntimeFunction, SharedRuntimeFunction
from poller.policy.backoff import Chance
from poller.policy.batching import BatchLimits
from poller.policy.delivery import RetryPolicy
from poller.policy.pace import Pace
from poller.ports.source import Source
from poller.ports.status import MappingStatus
from poller.ports.store import StateStore
from poller.runtime.admission import Admission
from poller.runtime.context import LaneContext
from poller.runtime.memory import Memory
from poller.runtime.stop import Stop
from poller.sources.sharded.limits import ReadLimits
from poller.sources.sqs.queue import Queue, QueueName
from poller.sources.sqs.skipping import SqsFiltering
from poller.sources.sqs.source import SqsOptions, SqsPartition, SqsSource
from poller.state.memory import MemoryStore
from poller.support import codec
from poller.support.rate_limited_log import RateLimitedLog

if TYPE_CHECKING:
    # loaded only where traces are asked for
    from poller.engine.tracing import Tracing

SHORTEST_RECEIVE = 1.0
"""Seconds: WaitTimeSeconds is whole, so a shorter rest of a window would be a loop of short polls."""


@dataclass(slots=True)
class Wired:
    """A mapping ready to run."""

    mapping: EventSourceMapping
    source: Source
    context: LaneContext
    borrowed: AsyncExitStack
    """What others may use as well."""

    async def close(self) -> None:
        """Let go of what nobody else uses. Before that, the next run of the mapping may have taken it over."""
        await self.borrowed.aclose()


class Wiring:
    """Builds parts, and keeps what several mappings share: transports, functions with their slots, and memory."""

    def __init__(
        self,
        transports: Transports,
        max_bytes_in_flight: int,
        *,
        store: StateStore | None = None,
        mappings: Collection[str] = (),
        limits: ReadLimits | None = None,
        traces: "Tracing | None" = None,
        chance: Chance = random.random,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`store` keeps positions, by default for this process only; `mappings` are the uuids of all configured."""
        self.chance = chance
        """For the jitter of everything that is built."""
        self._wall = wall
        self._transports = transports
        self._store = store or MemoryStore()
        self._mappings = mappings
        self._limits = limits or ReadLimits()
        self._memory = Memory(max_bytes_in_flight)
        self._functions = Functions(transports, chance)
        self._undeleted: dict[str, OrderedDict[str, bool]] = {}
        """By the mapping's uuid: messages that are done with, and not to be delivered by its next run either."""
        self._building = asyncio.Lock()
        self._traces = traces

    async def mapping(
        self, mapping: EventSourceMapping, status: MappingStatus, stop: Stop, log: FilteringBoundLogger
    ) -> Wired:
        """Make no call; what cannot be reached shows once the mapping runs."""
        # one after the other, so that nothing shared is built twice
        async with self._building, AsyncExitStack() as borrowed:
            transports = self._transports.borrow()
            borrowed.push_async_callback(transports.close)
            status.credentials_end_in = credentials_end_in(await transports.get(mapping.aws, mapping.region))
            rare = RateLimitedLog(log)
            context = await self._context(mapping, status, stop, rare)
            borrowed.push_async_callback(self._functions.release, mapping)
            # a run that never begins must not go on listening to what it shares
            borrowed.callback(context.admission.close)
            if mapping.source.kind == "sqs":
                source: Source = await self._queue(mapping, context, transports)
            else:
                streams = Streams(
                    transports, self._store, self._mappings, self._limits, chance=self.chance, wall=self._wall
                )
                source = await streams.source(mapping, context.admission, status, rare)
            wired = Wired(mapping, source, context, borrowed.pop_all())
        if self._traces is not None:
            kind, name = mapping.source.kind, mapping.source.name
            wired.source = self._traces.source(source, mapping=mapping.name, kind=kind, name=name)
            context.function = self._traces.function(context.function)
        return wired

    async def _context(
        self, mapping: EventSourceMapping, status: MappingStatus, stop: Stop, log: RateLimitedLog
    ) -> LaneContext:
        start, most = mapping.lanes
        pace = Pace(start, most, steady=mapping.source.kind != "sqs")
        own = Memory(mapping.max_bytes_in_flight, self._memory)
        function = await self._functions.take(mapping)
        if isinstance(function, RuntimeFunction | SharedRuntimeFunction):
            status.function_trouble = function.trouble
        return LaneContext(
            function=function,
            slots=self._functions.slots(mapping.function),
            limits=BatchLimits(
                mapping.batch_size,
                mapping.maximum_batching_window_in_seconds,
                function.payload_limit,
                SHORTEST_RECEIVE if mapping.source.kind == "sqs" else 0.0,
            ),
            report_batch_item_failures=mapping.report_batch_item_failures,
            admission=Admission(stop, pace, own, status, self.chance, breaker=self._functions.breaker(mapping)),
            stop=stop,
            status=status,
            chance=self.chance,
            log=log,
        )

    async def _queue(self, mapping: EventSourceMapping, context: LaneContext, transports: Borrowed) -> SqsSource:
        partition = SqsPartition(
            queue_name(mapping),
            await transports.get(mapping.aws, mapping.region),
            admission=context.admission,
            status=context.status,
            options=SqsOptions(
                mapping.maximum_hold_seconds, mapping.failure_visibility_timeout_seconds, mapping.receive_wait_seconds
            ),
            policy=RetryPolicy(mapping.report_batch_item_failures, mapping.fifo_stop_at_first_failure),
            chance=context.chance,
            log=context.log,
            wall=self._wall,
            filtering=await _filtering(mapping, transports),
            undeleted=self._undeleted.setdefault(mapping.uuid, OrderedDict()),
        )
        return SqsSource(partition)

    def forget(self, uuid: str) -> None:
        """The mapping was removed, and has ended."""
        self._undeleted.pop(uuid, None)

    def resize(self, max_bytes_in_flight: int) -> None:
        """Another bound for the whole process from now on."""
        self._memory.resize(max_bytes_in_flight)

    def restart_function(self, name: str) -> None:
        """See `Functions.restart`."""
        self._functions.restart(name)

    def refresh(self) -> None:
        """Secrets and code may have changed."""
        self._functions.refresh()

    async def close(self) -> None:
        """Close every function; transports belong to whoever made them."""
        await self._functions.close()


async def traces_of(settings: Settings, stack: AsyncExitStack) -> "Tracing | None":
    """Traces as configured, until the stack ends; None for none."""
    if settings.telemetry.traces == "none":
        return None
    from poller.engine.tracing import otlp  # noqa: PLC0415  (memory of those who want none)

    return await stack.enter_async_context(otlp())


async def _filtering(mapping: EventSourceMapping, transports: Borrowed) -> SqsFiltering | None:
    if not mapping.filter_criteria:
        return None
    arn = mapping.on_no_match
    send_to = None
    if arn is not None:
        target = parse_source(arn)
        region = mapping.aws.region_of("sqs", target.region) or target.region
        send_to = Queue(queue_name(mapping, target), await transports.get(mapping.aws, region))
    return SqsFiltering(mapping.criteria(codec.fast_loads), send_to)


def queue_name(mapping: EventSourceMapping, other: EventSource | None = None) -> QueueName:
    """The mapping's queue, or another one it knows, in all the forms calls need."""
    queue = other or mapping.source
    url = queue_url(queue.arn, queue.region, queue.account, queue.name, mapping.endpoint_url)
    return QueueName(queue.arn, url, queue.region, queue.fifo)
