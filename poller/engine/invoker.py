"""Invokes functions by name, for callers other than mappings. A caller handles errors and retries itself.

A function that only callers use is built at its first call, and kept until the configuration changes it. It shares
slots and circuit with the mappings that use it.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from poller.aws.transports import Transports
from poller.configuration import Configuration, EventSourceMapping, FunctionConfig
from poller.engine.asynchronous import event_queue
from poller.engine.bounded_stop import CLOSE_SECONDS, within
from poller.engine.functions import Use
from poller.engine.parts import Invocable, Wiring
from poller.functions.arns import function_arn
from poller.functions.types import FUNCTION_TYPES
from poller.policy.asynchronous import Accepted
from poller.policy.response import NotInvoked, Outcome, TooLarge
from poller.ports.function import Client, ServesClients
from poller.ports.invoker import Hosted
from poller.runtime.slots import Slots
from poller.runtime.stop import Stop
from poller.support import telemetry
from poller.values.arns import HOME_ACCOUNT, HOME_REGION
from poller.values.errors import ConfigurationError, EnvironmentProblem, UnknownFunction

SLOT_SECONDS = 1.0
"""Seconds to wait for a free slot, in line with the function's mappings. Lambda has no line: it throttles at once."""
STOPPING = NotInvoked("stopping", "the daemon stops")


@dataclass(slots=True, eq=False)
class _Taken:
    invocable: Invocable
    running: int = 0
    retired: bool = False
    """Whether the configuration has replaced the function."""


class FunctionInvoker:
    """Implements `poller.ports.invoker.Invoker`. Used within one running loop."""

    def __init__(
        self, wiring: Wiring, configuration: Configuration, transports: Transports, wall: Callable[[], float]
    ) -> None:
        """`wall` tells the seconds since the epoch."""
        self._wiring = wiring
        self._workers = wiring.workers
        self._transports = transports
        self._wall = wall
        self._queues: dict[str, EventSourceMapping] = {}
        """What invokes a function for callers that do not wait, by its key."""
        self._stop = Stop()
        self._uses: dict[str, Use] = {}
        self._faces: dict[str, Use] = {}
        """By the path of the face."""
        self._taken: dict[str, _Taken] = {}
        self._taking = asyncio.Lock()
        self.running = 0
        """The number of running invocations."""
        self._idle = asyncio.Event()
        self._idle.set()
        self._releases: set[asyncio.Task[None]] = set()
        self.apply(configuration)

    def apply(self, configuration: Configuration) -> None:
        """Use the functions of this configuration from now on. Running invocations are finished."""
        self._configured = {key: configuration.functions[key] for key in sorted(configuration.declared)}
        uses = {key: self._part(_use(configuration, config)) for key, config in self._configured.items()}
        for key, taken in list(self._taken.items()):
            if key not in uses or uses[key].config != taken.invocable.use.config:
                del self._taken[key]
                taken.retired = True
                self._release_if_idle(taken)
        self._queues = {one.function.key: one for one in configuration.mappings if one.asynchronous is not None}
        self._uses = uses
        self._faces = {face.path: use for use in uses.values() if (face := use.config.http_face) is not None}

    def _part(self, use: Use) -> Use:
        return use if self._workers is None else replace(use, config=self._workers.function(use.config))

    def hosted(self) -> Sequence[Hosted]:
        """See `Invoker.hosted`."""
        return [self._hosted(use) for use in self._uses.values()]

    def find(self, key: str) -> Hosted | None:
        """See `Invoker.find`."""
        use = self._uses.get(key)
        return None if use is None else self._hosted(use)

    def face(self, path: str) -> Hosted | None:
        """See `Invoker.face`."""
        while self._faces and path:
            if (use := self._faces.get(path)) is not None:
                return self._hosted(use)
            path = path.rpartition("/")[0]
        return None

    def _hosted(self, use: Use) -> Hosted:
        # the whole, not the part of this process
        config = self._configured[use.config.key]
        return Hosted(
            config.key,
            use.arn,
            config.type,
            config.timeout_seconds,
            config.concurrency,
            FUNCTION_TYPES[config.type].takes_context,
            config.http_face,
            keeps_events=config.asynchronous is not None,
            worker=None if self._workers is None else self._workers.elsewhere(config),
        )

    def use(self, key: str) -> Use | None:
        """How a function with an entry of its own in the configuration is called."""
        return self._uses.get(key)

    async def once(self, use: Use, event: bytes) -> Outcome:
        """Invoke once, as `invoke`, any function that the configuration has or implies."""
        if self._stop.soft:
            return STOPPING
        try:
            taken = _Taken(await self._wiring.function(use), retired=True)
        except (ConfigurationError, EnvironmentProblem) as error:
            return NotInvoked("not_started", str(error))
        return await self._counted(taken, event, None, None)

    async def invoke(
        self, key: str, event: bytes, *, trace: str | None = None, client: Client | None = None
    ) -> Outcome:
        """See `Invoker.invoke`."""
        if self._stop.soft:
            return STOPPING
        try:
            taken = await self._take(key)
        except (ConfigurationError, EnvironmentProblem) as error:
            return NotInvoked("not_started", str(error))
        return await self._counted(taken, event, trace, client)

    async def _counted(self, taken: _Taken, event: bytes, trace: str | None, client: Client | None) -> Outcome:
        taken.running += 1
        self.running += 1
        self._idle.clear()
        try:
            return await self._invoke(taken.invocable, event, trace, client)
        finally:
            taken.running -= 1
            self.running -= 1
            if not self.running:
                self._idle.set()
            if taken.retired:
                self._release_if_idle(taken)

    async def keep(self, key: str, event: bytes, request_id: str) -> None:
        """See `Invoker.keep`."""
        mapping = self._queues.get(key)
        if mapping is None:
            raise UnknownFunction(f"there is no function {key} with a queue for events")
        transports = self._transports.borrow()
        try:
            queue = await event_queue(mapping, transports)
            text = event.decode("utf-8", "surrogatepass")
            await queue.put(text, beside=Accepted(request_id, 0, self._wall()).text())
        finally:
            await transports.close()

    async def _take(self, key: str) -> _Taken:
        if (taken := self._taken.get(key)) is not None:
            return taken
        async with self._taking:
            while (taken := self._taken.get(key)) is None:
                use = self._uses.get(key)
                if use is None:
                    raise UnknownFunction(f"there is no function {key}")
                made = _Taken(await self._wiring.function(use))
                if self._uses.get(key) is use:
                    self._taken[key] = made
                else:
                    # the configuration changed meanwhile
                    self._release_if_idle(made)
            return taken

    async def _invoke(self, invocable: Invocable, event: bytes, trace: str | None, client: Client | None) -> Outcome:
        function, slots, breaker = invocable.function, invocable.slots, invocable.breaker
        if len(event) > function.payload_limit:
            return TooLarge(f"{len(event)} bytes, the function accepts {function.payload_limit}")
        time = asyncio.get_running_loop().time
        if breaker.is_open and (refusal := breaker.refusal(time())) is not None:
            why = breaker.circuit.why
            return refusal if why is None else NotInvoked(why.code, refusal.detail, refusal.retry_after)
        if not slots.take_now() and not await self._slot(slots):
            limit = f"all {slots.limit} invocations of {function.name} that may run at once are running"
            return STOPPING if self._stop.soft else NotInvoked("throttled", limit)
        probe, outcome = breaker.begin(), None
        try:
            if client is not None and isinstance(function, ServesClients):
                outcome = await function.invoke_for(event, trace, client)
            else:
                outcome = await function.invoke(event, trace)
        finally:
            slots.release()
            if breaker.end(outcome, time(), probe):
                event_name = "circuit_opened" if breaker.is_open else "circuit_closed"
                telemetry.logger().warning(event_name, function=function.name)
        return outcome

    async def _slot(self, slots: Slots) -> bool:
        try:
            async with asyncio.timeout(SLOT_SECONDS):
                return await slots.take(self._stop)
        except TimeoutError:
            return False

    def _release_if_idle(self, taken: _Taken) -> None:
        if not taken.running:
            use = taken.invocable.use
            closing = within(CLOSE_SECONDS, f"workers of {use.config.key}", self._wiring.release_function(use))
            release = asyncio.ensure_future(closing)
            self._releases.add(release)
            release.add_done_callback(self._releases.discard)

    def stop(self) -> asyncio.Task[None]:
        """Begin no more invocations. The returned task ends once none runs, and after replaced functions are closed."""
        self._stop.request()
        return asyncio.get_running_loop().create_task(self._ended(), name="invocations")

    async def _ended(self) -> None:
        await self._idle.wait()
        if self._releases:
            await asyncio.wait(self._releases)


def _use(configuration: Configuration, config: FunctionConfig) -> Use:
    """The use of a function as its first mapping calls it, or without a mapping."""
    for mapping in configuration.mappings:
        if mapping.function == config:
            return Use.by(mapping)
    region = config.region or configuration.settings.aws.region or HOME_REGION
    return Use(config, region, function_arn(config, region, HOME_ACCOUNT))
