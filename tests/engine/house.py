"""All mappings of one process on the fake AWS, without its sockets: what `poller run` has between start and stop."""

import asyncio
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from typing import Any

from structlog.testing import capture_logs

from poller.aws.transports import Transports
from poller.configuration import Configuration
from poller.configuration.model.aws import AwsSettings
from poller.configuration.model.functions import FunctionConfig
from poller.configuration.model.mapping import EventSourceMapping, ScalingConfig
from poller.configuration.model.settings import Settings
from poller.engine.app import Poller
from poller.functions.lambda_api.options import LambdaOptions
from poller.sources.kinds import parse_source
from poller.sources.sharded.limits import ReadLimits
from poller.state.memory.store import MemoryStore
from tests.fakes.aws import FakeAws
from tests.fakes.queue import loop_time
from tests.fakes.recording import EventLog, RecordingTransport
from tests.virtual_time import EPOCH

SOFT_STOP = 21.0
"""Seconds: a long poll under way may return."""


class Lent(RecordingTransport):
    """One of the transports to the fake AWS, which itself stays open."""

    def __init__(self, aws, closed):
        super().__init__(aws)
        self._closed = closed

    async def close(self):
        self._closed()


class LocalTransports(Transports):
    """The real lending, of transports to the fake AWS."""

    def __init__(self, aws):
        log: Any = EventLog()
        super().__init__(log)
        self._aws = aws
        self.make = Lent
        self.open: set[tuple[AwsSettings, str]] = set()
        self.opened: list[tuple[AwsSettings, str]] = []
        self.lent: list[Lent] = []

    async def _build(self, aws, region):
        key = (aws, region)
        self.open.add(key)
        self.opened.append(key)
        self.lent.append(lent := self.make(self._aws, lambda: self.open.remove(key)))
        return lent


class House(Poller):
    """A Poller on the fake AWS, and the makers of what it runs on."""

    def __init__(self, store=None, aws=None, fleet=None, workers=None, *, watch=None, member=None):
        """`member` is its name in the fleet; else that of the machine."""
        self.aws = aws or FakeAws()
        self.aws.latency = 0.01
        state = (
            {"state": "memory:"}
            if fleet is None
            else {"state": "sqlite:////shared", "fleet": {"member": member} if member else {}}
        )
        self.local = LocalTransports(self.aws)
        super().__init__(
            Configuration(Settings(**state, max_bytes_in_flight=1 << 30), {}, [], [], []),
            fleet=fleet,
            clock=loop_time,
            store=store or MemoryStore(),
            transports=self.local,
            limits=ReadLimits(lambda _: nullcontext()),
            wall=self.wall,
            workers=workers,
            watch=watch,
        )

    def wall(self):
        """Seconds since the epoch."""
        return EPOCH + loop_time()

    def queue(self, name):
        return self.aws.queues.get(name) or self.aws.queue(name, visibility_timeout=30)

    def mapping(self, name, *, queue=None, uuid=None, function="fn", stream=None, **parameters):
        if function not in self.aws.functions:
            self.aws.function(function)
        of_function = {
            key.removeprefix("function_"): parameters.pop(key)
            for key in list(parameters)
            if key.startswith("function_") and key != "function_response_types"
        }
        target = FunctionConfig(
            key=function,
            type="lambda",
            options=LambdaOptions(function_name=function),
            aws=parameters.get("aws", AwsSettings()),
            **{"timeout_seconds": 30, **of_function},
        )
        arn = stream.arn if stream is not None else self.queue(queue or name).arn
        if stream is None:
            parameters.setdefault("scaling_config", ScalingConfig(maximum_concurrency=5))
        return EventSourceMapping(
            name=name,
            uuid=uuid or f"uuid of {name}",
            event_source_arn=arn,
            source=parse_source(arn),
            function=target,
            **parameters,
        )

    def declare(self, mapping):
        """The mapping's function has an entry of its own in the configuration."""
        function = mapping.function
        functions, declared = {function.key: function}, frozenset({function.key})
        self.invoker.apply(replace(self._configuration, functions=functions, declared=declared, mappings=[mapping]))

    def of(self, name):
        (found,) = (status for status in self.status.mappings if status.name == name)
        return found

    def states(self):
        return {status.name: status.state.value for status in self.status.mappings}

    def invoked(self, function="fn"):
        """Bodies by message, in the order of the invocations."""
        return self.aws.functions[function].invocations

    async def end(self):
        await self.stop()
        await self.close()
        assert not self.status.died
        for status in self.status.mappings:
            assert status.account.unaccounted(status.in_flight()) == 0


@asynccontextmanager
async def living(*mappings, house):
    """The mappings of a house from start to stop; the log of it all."""
    with capture_logs() as log:
        await house.open()
        house.mappings.apply(mappings)
        house.start()
        await asyncio.sleep(1)
        yield log
        await house.end()
