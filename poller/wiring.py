"""From configuration to running parts: which class serves which kind of source and function, and with what values."""

import os
import random
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from poller import telemetry
from poller.aws.proxies import proxy_for
from poller.aws.transports import Transports
from poller.configuration import EventSourceMapping, FunctionConfig
from poller.functions.http import HttpFunction
from poller.functions.lambda_api import LambdaFunction
from poller.occasionally import Occasionally
from poller.policy.batching import BatchLimits
from poller.policy.delivery import RetryPolicy
from poller.policy.pace import Pace
from poller.ports import Function, Source, StateStore
from poller.runtime.admission import Admission
from poller.runtime.lane import LaneContext
from poller.runtime.memory import Memory
from poller.runtime.slots import Slots
from poller.runtime.status import MappingStatus
from poller.runtime.stop import Stop
from poller.sources.sharded.limits import ReadLimits
from poller.sources.sqs.queue import QueueName
from poller.sources.sqs.source import SqsOptions, SqsPartition, SqsSource
from poller.state.memory import MemoryStore
from poller.wiring_streams import Streams, queue_url

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
    ) -> None:
        """`store` keeps positions, by default for this process only; `mappings` are the uuids of all configured."""
        self._transports = transports
        self._streams = Streams(transports, store or MemoryStore(), mappings, limits or ReadLimits())
        self._memory = Memory(max_bytes_in_flight)
        self._functions: dict[tuple[FunctionConfig, str], Function] = {}
        self._slots: dict[FunctionConfig, Slots] = {}

    async def mapping(
        self, mapping: EventSourceMapping, status: MappingStatus, stop: Stop, log: FilteringBoundLogger
    ) -> Wired:
        """Make no call; what cannot be reached shows once the mapping runs."""
        chance = random.random
        start, most = mapping.lanes
        pace = Pace(start, most, steady=mapping.source.kind != "sqs")
        admission = Admission(stop, pace, Memory(mapping.max_bytes_in_flight, self._memory), status, chance)
        rare = Occasionally(log)
        function = await self._function(mapping.function, mapping.region)
        context = LaneContext(
            function=function,
            slots=self._slots.setdefault(mapping.function, Slots(mapping.function.concurrency)),
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
        if mapping.source.kind != "sqs":
            return Wired(await self._streams.source(mapping, admission, status, rare), context)
        partition = SqsPartition(
            _queue_name(mapping),
            await self._transports.get(mapping.aws, mapping.region),
            admission=admission,
            status=status,
            options=SqsOptions(mapping.maximum_hold_seconds, mapping.failure_visibility_timeout_seconds),
            policy=RetryPolicy(mapping.report_batch_item_failures, mapping.fifo_stop_at_first_failure),
            chance=chance,
            log=rare,
        )
        return Wired(SqsSource(partition), context)

    async def _function(self, config: FunctionConfig, region: str) -> Function:
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
        )

    async def http_function(self, config: FunctionConfig, _region: str) -> Function:
        """Anything that takes a POST."""
        web = config.web
        assert web is not None
        proxy = proxy_for(web.url, os.environ)
        if proxy is not None:
            telemetry.logger().info(
                "transport_chosen", function=config.key, transport="aiohttp", because="a proxy applies"
            )
        return HttpFunction(
            config.key,
            web.url,
            headers=lambda: {name: value.read() for name, value in web.headers.items()},
            timeout=config.timeout_seconds,
            payload_limit=config.payload_limit,
            proxy=proxy,
        )

    async def close(self) -> None:
        """Close every function; transports belong to whoever made them."""
        for function in self._functions.values():
            await function.close()


_BUILDERS: dict[str, Callable[[Wiring, FunctionConfig, str], Awaitable[Function]]] = {
    "lambda": Wiring.lambda_function,
    "http": Wiring.http_function,
}


def _queue_name(mapping: EventSourceMapping) -> QueueName:
    source = mapping.source
    url = queue_url(source.arn, source.region, source.account, source.name, mapping.endpoint_url)
    return QueueName(source.arn, url, source.region, source.fifo)
