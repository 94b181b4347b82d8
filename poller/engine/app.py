"""`Poller`: runs the mappings of a configuration inside an event loop. It knows nothing of the process around it."""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Self

from poller import __version__
from poller.aws.transports import Transports
from poller.configuration import Configuration
from poller.configuration.given import without_mapping
from poller.engine.bounded_stop import CLOSE_SECONDS, end_mappings, within
from poller.engine.catalog import Catalog
from poller.engine.embedding import with_given
from poller.engine.failed_events import FailedEvents
from poller.engine.fleet.joining import Given, joined
from poller.engine.fleet.member import Member, boot_time
from poller.engine.invoker import FunctionInvoker
from poller.engine.looking import Looking
from poller.engine.mappings import Mappings
from poller.engine.neighbours import Neighbours
from poller.engine.parts import Watch, Wiring, traces_of
from poller.engine.steering import Hands, Steering
from poller.engine.unsettled import settled
from poller.policy.backoff import Chance
from poller.ports.daemon_status import Changes, DaemonStatus
from poller.ports.fleet import FleetStore
from poller.ports.status import MappingStatus
from poller.ports.store import StateStore
from poller.sources.sharded.limits import ReadLimits
from poller.support import telemetry
from poller.support.rate_limited_log import RateLimitedLog
from poller.values.errors import ConfigurationError, EnvironmentProblem, StateError

if TYPE_CHECKING:
    from poller.engine.workers import Workers

STATE_LOOK_SECONDS = 4.0
"""Seconds between two looks whether the state file is still in its place, and which mappings other daemons have stored:
those are to run here within 5 s.
"""
SETTLED_SECONDS = 60.0
"""Seconds that `settled` waits by default: enough for a batch window, a long poll and a few retries."""


class Poller:
    """The running mappings of one configuration.

    `async with` opens it, starts the mappings, and stops them softly at its end within `shutdown_grace_seconds`. The
    daemon takes the same steps one by one: `open`, `start`, `apply`, `stop`, `close`.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        store: StateStore | None = None,
        fleet: FleetStore | None = None,
        transports: Transports | None = None,
        limits: ReadLimits | None = None,
        chance: Chance = random.random,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = boot_time,
        watch: Watch | None = None,
        workers: "Workers | None" = None,
    ) -> None:
        """Without `store`, the one that the configuration's `state` names is opened by `open` and closed by `close`.
        `fleet` is the store of the fleet, where the configuration has one. `chance` gives numbers from 0 to 1 for
        jitter, `wall` the seconds since the epoch, `clock` those of a clock that goes on while the machine is
        suspended. `watch` sees every invocation. `workers` knows the other processes that share the mappings. Raises
        ConfigurationError where the settings want several and there is none.
        """
        if configuration.settings.workers > 1 and workers is None:
            raise ConfigurationError(["workers: is for `poller run`; here one process runs everything: remove it"])
        self.status = DaemonStatus(version=__version__, started_at=wall(), started=0.0)
        self._configuration = configuration
        self._stack = AsyncExitStack()
        self.transports = transports or Transports(telemetry.logger())
        self._limits = limits
        self._chance = chance
        self._wall = wall
        self._given_store = store
        self._given_fleet = fleet
        self._clock = clock
        self._watch = watch
        self._workers = workers
        self.neighbours = Neighbours(self, workers)

    async def __aenter__(self) -> Self:
        """Open the state and the traces. Raises EnvironmentProblem where the state cannot be opened or read."""
        async with AsyncExitStack() as opened:
            opened.push_async_callback(self.close)
            await self.open()
            opened.pop_all()
        self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        try:
            await self.stop()
        finally:
            await within(CLOSE_SECONDS, "closing", self.close())

    async def open(self) -> None:
        """Create every mapping, paused or not; nothing runs yet. Raises EnvironmentProblem."""
        settings = self._configuration.settings
        self.status.started = asyncio.get_running_loop().time()
        fleet = await joined(
            settings,
            self._stack,
            Given(self._given_store, self._given_fleet, self._clock, self._wall, self._chance),
            host=self.neighbours.host,
            process=None if self._workers is None else self._workers.process,
        )
        if isinstance(fleet, Member):
            self.neighbours.member, self.status.fleet = fleet, fleet.status
        self.store = fleet.store
        self.status.steps = [self.store.problem]
        self._stack.push_async_callback(self.transports.close)
        self.status.aws_requests = self.transports.counts.by_outcome
        configured: set[str] = set()
        self.failed_events = FailedEvents(self.store, settings.failed_events, self._wall)
        self.wiring = Wiring(
            self.transports,
            settings.max_bytes_in_flight,
            fleet=fleet,
            mappings=configured,
            limits=self._limits,
            failed_events=self.failed_events,
            traces=await traces_of(settings, self._stack),
            chance=self._chance,
            wall=self._wall,
            watch=self._watch,
            workers=self._workers,
        )
        self._stack.push_async_callback(self.wiring.close)
        tell, share = self.neighbours.tell, list if self._workers is None else self._workers.share
        self.mappings = Mappings(
            self.status, self.wiring, self.store, configured, wall=self._wall, tell=tell, share=share
        )
        self.invoker = FunctionInvoker(self.wiring, self._configuration, self.transports, self._wall)
        self.wiring.functions.once = self.invoker.once
        others, failures = self.neighbours.requests, self.neighbours.failures(self._wall)
        hands = Hands(self.invoker, self.failed_events, self.wiring, self._wall, others, failures)
        self.steering = Steering(self.mappings, self.store, hands)
        self._stack.push_async_callback(self.steering.close)
        self.catalog = Catalog(self.mappings, self.store, self._wall, tell=tell, runs_elsewhere=fleet.runs_elsewhere)
        self.looking = Looking(self.wiring, self.transports)
        try:
            await self.catalog.load(self._configuration)
        except StateError as error:
            raise EnvironmentProblem(str(error)) from error

    def start(self) -> None:
        """Let the mappings run."""
        self.neighbours.started = True
        self.mappings.start()
        if self.neighbours.member is not None:
            self.keep("fleet", self.neighbours.member.run())
        self.keep("failed_events", self.failed_events.run())
        self.keep("state", self._look_after_state())

    def apply(self, configuration: Configuration) -> Changes:
        """Run by another configuration from now on. Mappings that it does not change run on without a pause. Its
        `state` and `telemetry` have no effect, because the store and the traces exist already.
        """
        self._configuration = configuration
        self.failed_events.apply(configuration.settings.failed_events)
        self.wiring.resize(configuration.settings.max_bytes_in_flight)
        self.wiring.refresh()
        self.invoker.apply(configuration)
        return self.catalog.apply(configuration)

    async def add(self, **parameters: Any) -> MappingStatus:
        """Run one more mapping. `parameters` have the names they have in a configuration file; `function_name` may be a
        Python callable. Raises ConfigurationError.
        """
        present = {mapping.uuid for mapping in self._configuration.mappings}
        self.apply(with_given(self._configuration, parameters))
        (uuid,) = {mapping.uuid for mapping in self._configuration.mappings} - present
        return self.mappings.find(uuid).status

    async def change(self, name: str, **parameters: Any) -> MappingStatus:
        """Change these parameters of a mapping that was given as keyword arguments. It finishes its running invocations
        first, and keeps its position. Raises UnknownMapping and ConfigurationError.
        """
        mapping = self.mappings.find(name).mapping
        written = self._configuration.written.get(mapping.name)
        if written is None:
            text = f"the mapping {mapping.name} comes from a file: change that, and apply what `poller.load` reads"
            raise ConfigurationError([text])
        changed = {**written, "name": mapping.name, "uuid": mapping.uuid, **parameters}
        self.apply(with_given(self._configuration, changed, replacing=mapping.name))
        return self.mappings.find(mapping.uuid).status

    async def remove(self, name: str) -> None:
        """Stop a mapping softly, and return once it has ended. Its position stays stored. Raises UnknownMapping."""
        runner = self.mappings.find(name)
        self.apply(without_mapping(self._configuration, runner.mapping.name))
        await runner.ended()

    async def pause(self, name: str) -> MappingStatus:
        """Stop a mapping softly until `resume`, also over restarts of the program where the store outlives it. Returns
        at once. Raises UnknownMapping and StateError.
        """
        return await self.mappings.pause(name)

    async def resume(self, name: str) -> MappingStatus:
        """Let a paused mapping run again. Raises UnknownMapping and StateError."""
        return await self.mappings.resume(name)

    async def settled(self, name: str, *, seconds: float = SETTLED_SECONDS) -> MappingStatus:
        """Return once nothing of the mapping is in flight and its source, asked after this call, had nothing more:
        a queue has no message, hidden and delayed ones included, and a stream is read to its tip.

        Raises UnknownMapping, and NotSettled after `seconds`.
        """
        return await settled(lambda: self.mappings.find(name).status, seconds)

    async def stop(self, hard: asyncio.Event | None = None) -> None:
        """Stop every mapping softly within the grace period, then hard. Setting `hard` ends the grace period early, and
        so does the cancellation of this call, which is raised once the mappings have ended.
        """
        hard = hard or asyncio.Event()
        # first, because each shard is released to another member
        self.neighbours.leave()
        self.catalog.stop()
        grace = self._configuration.settings.shutdown_grace_seconds
        ending = asyncio.ensure_future(end_mappings({*self.mappings.stop(), self.invoker.stop()}, grace, hard))
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:
            hard.set()
            await ending
            raise

    async def close(self) -> None:
        """Close functions with their workers, connections and traces, and the store where `open` opened it."""
        await self._stack.aclose()

    def keep(self, name: str, work: Coroutine[object, object, None]) -> None:
        """Run `work` until `close`. If it ends with an error, the status names it as a task that died."""

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                self.status.died.append(name)
                telemetry.logger().error("task_died", task=name, exc_info=error)

        task = asyncio.get_running_loop().create_task(work, name=name)
        task.add_done_callback(ended)
        self._stack.callback(task.cancel)

    async def _look_after_state(self) -> None:
        log = RateLimitedLog(telemetry.logger())
        while True:
            await asyncio.sleep(STATE_LOOK_SECONDS)
            await self.store.look()
            try:
                await self.catalog.look()
            except StateError as error:
                log.repeating("made_mappings_not_read", asyncio.get_running_loop().time(), text=str(error))
