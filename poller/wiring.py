"""From configuration to running parts: which class serves which kind of source and function, and with what values."""

import os
import random
from collections.abc import Awaitable, Callable, Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from structlog.typing import FilteringBoundLogger

from poller import codec
from poller.aws.transports import Transports, credentials_end_in
from poller.configuration import EventSource, EventSourceMapping, FunctionConfig, Settings, parse_source
from poller.functions.lambda_api import LambdaFunction
from poller.functions.step_functions import StepFunctionsFunction
from poller.occasionally import Occasionally
from poller.policy.batching import BatchLimits
from poller.policy.delivery import RetryPolicy
from poller.policy.pace import Pace
from poller.ports import Function, Source, StateStore
from poller.runtime.admission import Admission
from poller.runtime.breaker import Breaker
from poller.runtime.context import LaneContext
from poller.runtime.memory import Memory
from poller.runtime.slots import Slots
from poller.runtime.status import MappingStatus
from poller.runtime.stop import Stop
from poller.sources.sharded.limits import ReadLimits
from poller.sources.sqs.queue import Queue, QueueName
from poller.sources.sqs.skipping import SqsFiltering
from poller.sources.sqs.source import SqsOptions, SqsPartition, SqsSource
from poller.state.memory import MemoryStore
from poller.throttled import Throttled
from poller.wiring_functions import web_function
from poller.wiring_runtime import Runtimes
from poller.wiring_streams import Streams, queue_url

if TYPE_CHECKING:
    # loaded only where traces are asked for
    from poller.tracing import Tracing

SHORTEST_RECEIVE = 1.0
"""Seconds: WaitTimeSeconds is whole, so a shorter rest of a window would be a loop of short polls."""


@dataclass(slots=True)
class Wired:
    """A mapping ready to run."""

    source: Source
    context: LaneContext


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
    ) -> None:
        """`store` keeps positions, by default for this process only; `mappings` are the uuids of all configured."""
        self._transports = transports
        self._streams = Streams(transports, store or MemoryStore(), mappings, limits or ReadLimits())
        self._memory = Memory(max_bytes_in_flight)
        self._runtimes = Runtimes()
        self._functions: dict[tuple[FunctionConfig, str], Function] = {}
        self._slots: dict[FunctionConfig, Slots] = {}
        self._breakers: dict[tuple[FunctionConfig, str], Breaker] = {}
        self._traces = traces

    async def mapping(
        self, mapping: EventSourceMapping, status: MappingStatus, stop: Stop, log: FilteringBoundLogger
    ) -> Wired:
        """Make no call; what cannot be reached shows once the mapping runs."""
        wired = await self._wired(mapping, status, stop, log)
        if self._traces is not None:
            source = mapping.source
            wired.source = self._traces.source(wired.source, mapping=mapping.name, kind=source.kind, name=source.name)
            wired.context.function = self._traces.function(wired.context.function)
        return wired

    async def _wired(
        self, mapping: EventSourceMapping, status: MappingStatus, stop: Stop, log: FilteringBoundLogger
    ) -> Wired:
        chance = random.random
        start, most = mapping.lanes
        pace = Pace(start, most, steady=mapping.source.kind != "sqs")
        own = Memory(mapping.max_bytes_in_flight, self._memory)
        breaker = self._breakers.setdefault((mapping.function, mapping.region), Breaker(chance))
        admission = Admission(stop, pace, own, status, chance, breaker=breaker)
        rare = Occasionally(log)
        function = await self._function(mapping)
        context = LaneContext(
            function=function,
            slots=self._slots_of(mapping.function),
            limits=BatchLimits(
                mapping.batch_size,
                mapping.maximum_batching_window_in_seconds,
                function.payload_limit,
                SHORTEST_RECEIVE if mapping.source.kind == "sqs" else 0.0,
            ),
            report_batch_item_failures=mapping.report_batch_item_failures,
            admission=admission,
            status=status,
            chance=chance,
            log=rare,
        )
        transport = await self._transports.get(mapping.aws, mapping.region)
        status.credentials_end_in = credentials_end_in(transport)
        if mapping.source.kind != "sqs":
            return Wired(await self._streams.source(mapping, admission, status, rare), context)
        partition = SqsPartition(
            queue_name(mapping),
            transport,
            admission=admission,
            status=status,
            options=SqsOptions(mapping.maximum_hold_seconds, mapping.failure_visibility_timeout_seconds),
            policy=RetryPolicy(mapping.report_batch_item_failures, mapping.fifo_stop_at_first_failure),
            chance=chance,
            log=rare,
            filtering=await self._filtering(mapping),
        )
        return Wired(SqsSource(partition), context)

    def _slots_of(self, config: FunctionConfig) -> Slots:
        if config not in self._slots:
            rate = config.max_requests_per_second
            self._slots[config] = Slots(config.concurrency, None if rate is None else Throttled(rate))
        return self._slots[config]

    async def _filtering(self, mapping: EventSourceMapping) -> SqsFiltering | None:
        if not mapping.filter_criteria:
            return None
        arn = mapping.on_no_match
        send_to = None
        if arn is not None:
            target = parse_source(arn)
            region = mapping.aws.region_of("sqs", target.region) or target.region
            send_to = Queue(queue_name(mapping, target), await self._transports.get(mapping.aws, region))
        return SqsFiltering(mapping.criteria(codec.fast_loads), send_to)

    async def _function(self, mapping: EventSourceMapping) -> Function:
        config, region = mapping.function, mapping.region
        if config.type == "runtime":
            return await self._runtimes.get(mapping)
        key = (config, region)
        if key not in self._functions:
            self._functions[key] = await _BUILDERS[config.type](self, config, region)
        return self._functions[key]

    async def lambda_function(self, config: FunctionConfig, region: str) -> Function:
        """In the mapping's region, unless the configuration says otherwise: Lambda itself knows nothing else."""
        assert config.function_name is not None
        return LambdaFunction(
            config.key,
            await self._transports.get(config.aws, config.region or region),
            function_name=config.function_name,
            qualifier=config.qualifier,
            timeout=config.timeout_seconds,
            payload_limit=config.payload_limit,
            rie=config.rie,
            invocation_type=config.invocation_type,
            log_type=config.log_type,
        )

    async def step_functions(self, config: FunctionConfig, region: str) -> Function:
        """An Express workflow, in its ARN's region unless an endpoint applies."""
        assert config.state_machine_arn is not None
        return StepFunctionsFunction(
            config.key,
            await self._transports.get(config.aws, config.region or region),
            state_machine_arn=config.state_machine_arn,
            timeout=config.timeout_seconds,
            payload_limit=config.payload_limit,
        )

    async def web_function(self, config: FunctionConfig, _region: str) -> Function:
        """Anything that takes a POST, function URLs included."""
        return web_function(config, os.environ)

    async def close(self) -> None:
        """Close every function; transports belong to whoever made them."""
        await self._runtimes.close()
        for function in self._functions.values():
            await function.close()


async def traces_of(settings: Settings, stack: AsyncExitStack) -> "Tracing | None":
    """Traces as configured, until the stack ends; None for none."""
    if settings.telemetry.traces == "none":
        return None
    from poller.tracing import otlp  # noqa: PLC0415  (memory of those who want none)

    return await stack.enter_async_context(otlp())


_BUILDERS: dict[str, Callable[[Wiring, FunctionConfig, str], Awaitable[Function]]] = {
    "lambda": Wiring.lambda_function,
    "function_url": Wiring.web_function,
    "http": Wiring.web_function,
    "step_functions": Wiring.step_functions,
}


def queue_name(mapping: EventSourceMapping, other: EventSource | None = None) -> QueueName:
    """The mapping's queue, or another one it knows, in all the forms calls need."""
    queue = other or mapping.source
    url = queue_url(queue.arn, queue.region, queue.account, queue.name, mapping.endpoint_url)
    return QueueName(queue.arn, url, queue.region, queue.fifo)
