"""`Poller`: runs the mappings of a configuration inside an event loop, without knowing the process around it."""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Self

from poller import __version__
from poller.aws.transports import Transports
from poller.configuration import Configuration
from poller.engine.mappings import Mappings
from poller.engine.parts import Wiring, traces_of
from poller.engine.stopping import CLOSE_SECONDS, end_mappings, within
from poller.policy.backoff import Chance
from poller.ports.daemon_status import Changes, DaemonStatus
from poller.ports.store import StateStore
from poller.sources.sharded.limits import ReadLimits
from poller.state.memory import MemoryStore
from poller.state.sqlite import SqliteState
from poller.support import telemetry
from poller.values.errors import EnvironmentProblem, StateError

STATE_LOOK_SECONDS = 5.0
"""Between two checks that the state file is still where it was."""


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
        transports: Transports | None = None,
        limits: ReadLimits | None = None,
        chance: Chance = random.random,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Without `store`, the one that the configuration's `state` names is opened by `open` and closed by `close`.
        `chance` gives numbers from 0 to 1 for jitter, `wall` the seconds since the epoch.
        """
        self.status = DaemonStatus(version=__version__, started_at=wall(), started=0.0)
        self._configuration = configuration
        self._stack = AsyncExitStack()
        self.transports = transports or Transports(telemetry.logger())
        self._limits = limits
        self._chance = chance
        self._wall = wall
        self._given_store = store

    async def __aenter__(self) -> Self:
        """Raises EnvironmentProblem where the state cannot be opened or read."""
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
        """Know every mapping and whether it is paused; nothing runs yet. Raises EnvironmentProblem."""
        settings = self._configuration.settings
        self.status.started = asyncio.get_running_loop().time()
        self.store = self._given_store or self._opened_store()
        self.status.steps = [self.store.trouble]
        self._stack.push_async_callback(self.transports.close)
        self.status.aws_requests = self.transports.requests
        configured: set[str] = set()
        self.wiring = Wiring(
            self.transports,
            settings.max_bytes_in_flight,
            store=self.store,
            mappings=configured,
            limits=self._limits,
            traces=await traces_of(settings, self._stack),
            chance=self._chance,
            wall=self._wall,
        )
        self._stack.push_async_callback(self.wiring.close)
        self.mappings = Mappings(self.status, self.wiring, self.store, configured, wall=self._wall)
        try:
            await self.mappings.load(self._configuration.mappings)
        except StateError as error:
            raise EnvironmentProblem(str(error)) from error

    def _opened_store(self) -> StateStore:
        path = self._configuration.settings.state_path
        if path is None:
            return MemoryStore()
        state = SqliteState(path)
        self._stack.callback(state.close)
        return state

    def start(self) -> None:
        """Let the mappings run."""
        self.mappings.start()
        self.keep("state", self._look_after_state())

    def apply(self, configuration: Configuration) -> Changes:
        """Run by another configuration from now on. Mappings that it leaves as they are go on without a pause; its
        `state` and `telemetry` have no effect, for what holds the positions and the traces is built already.
        """
        self._configuration = configuration
        self.wiring.resize(configuration.settings.max_bytes_in_flight)
        self.wiring.refresh()
        return self.mappings.apply(configuration.mappings)

    async def stop(self, hard: asyncio.Event | None = None) -> None:
        """Stop every mapping softly within the grace period, then hard. Setting `hard` ends the grace period early, and
        so does the cancellation of this call, which is raised once the mappings have ended.
        """
        hard = hard or asyncio.Event()
        grace = self._configuration.settings.shutdown_grace_seconds
        ending = asyncio.ensure_future(end_mappings(self.mappings.stop(), grace, hard))
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:
            hard.set()
            await ending
            raise

    async def close(self) -> None:
        """Close functions with their workers, connections, traces, and the store where `open` opened it."""
        await self._stack.aclose()

    def keep(self, name: str, work: Coroutine[object, object, None]) -> None:
        """Run `work` until `close`. If it ends by an error, the status names it as a task that died."""

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                self.status.died.append(name)
                telemetry.logger().error("task_died", task=name, exc_info=error)

        task = asyncio.get_running_loop().create_task(work, name=name)
        task.add_done_callback(ended)
        self._stack.callback(task.cancel)

    async def _look_after_state(self) -> None:
        while True:
            await asyncio.sleep(STATE_LOOK_SECONDS)
            await self.store.look()
