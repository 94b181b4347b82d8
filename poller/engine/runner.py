"""One mapping for as long as it is configured: run, paused, changed and removed, each run ended by a soft stop.

What is wanted and what runs are two things. Whoever wants something else says so and goes on; the mapping's own task
ends the present run softly and begins the next, so that wishes may come in any order and at any moment. A soft stop
that does not end in its time becomes a hard one.

    wanted: run -> runs until something else is wanted: settles what it has, then
            paused or disabled -> rests until something else is wanted
            other parameters   -> runs with those
            removed, or the daemon stops -> ends
"""

import asyncio
from collections.abc import Callable

from structlog.typing import FilteringBoundLogger

from poller.configuration import EventSourceMapping
from poller.engine.bounded_stop import CLOSE_SECONDS, within
from poller.engine.parts import Wired, Wiring
from poller.engine.shadowing import shadow_status
from poller.policy.backoff import SOURCE
from poller.ports.status import MappingState, MappingStatus, Reason, ReasonCode
from poller.runtime.stop import Stop
from poller.runtime.supervisor import run_mapping
from poller.support import telemetry
from poller.values.errors import Overdue, PollerError

BUILD_SECONDS = 30.0
"""Seconds for building the parts of a run. No call is made, but a file may be read and a port opened."""
SOFT_STOP_SECONDS = 120.0
"""Seconds beside the function's timeout: a long poll returns within 20 s, and settling gives up at its own deadlines,
which are far shorter. A soft stop that takes longer would be a bug, and must not hold up a pause for ever."""
STOPS_NOW = "Ctrl-C again stops now"
FINISHING = "what runs is finished and settled, what waits is given back"


class MappingRunner:
    """The counters add up all runs since the start of the process."""

    def __init__(
        self,
        mapping: EventSourceMapping,
        wiring: Wiring,
        *,
        paused_since: float | None,
        removed: Callable[["MappingRunner"], None],
    ) -> None:
        """`paused_since` in the loop's time. `removed` is told when a removed mapping has ended."""
        self.mapping = mapping
        """The parameters that are wanted."""
        self.status = MappingStatus(mapping.name, mapping.uuid, mapping.event_source_arn, mapping.function.key)
        self.task: asyncio.Task[None] | None = None
        self.is_removed = False
        self._wiring = wiring
        self._paused_since = paused_since
        self._tell_removed = removed
        self._ending = self._rests = False
        self._wish = asyncio.Event()
        self._held = ""
        """Why nothing may run for a moment."""
        self._at_rest = asyncio.Event()
        self._stop: Stop | None = None
        self._stopping_since = 0.0
        self._wired: Wired | None = None
        self._show_rest()

    # orders

    def start(self) -> None:
        """Start the task, which follows the orders until the mapping is removed or ended."""
        self.task = asyncio.create_task(self._obey(), name=self.mapping.name)

    def change(self, mapping: EventSourceMapping) -> None:
        """Run with other parameters. This also brings a removed mapping back that has not ended yet."""
        self.mapping, self.is_removed = mapping, False
        self.status.name = mapping.name
        self._turn(f"its configuration changed: {FINISHING}, then it starts again")

    def retag(self, mapping: EventSourceMapping) -> None:
        """Take over other tags; the run goes on."""
        if self._wired is not None and self._wired.mapping is self.mapping:
            self._wired.mapping = mapping
        self.mapping, self.status.tags = mapping, mapping.tags

    def pause(self, since: float) -> None:
        """Pause until `resume`. `since` is the loop's time."""
        self._paused_since = since
        self._turn(f"to be paused: {FINISHING}")

    def resume(self) -> None:
        """End the pause."""
        self._paused_since = None
        self._turn(f"resumed: {FINISHING}, then it starts again" if self.runs else "")

    def hold(self, why: str) -> None:
        """Let nothing run until `go_on`, for a change of what is stored of it."""
        self._held = why
        self._turn(why)

    def go_on(self) -> None:
        """What held it is over."""
        self._held = ""
        self._turn("")

    async def rested(self) -> None:
        """Return once nothing of it runs. Only for one that is held."""
        if self.task is not None:
            await self._at_rest.wait()

    def remove(self, *, deleted: bool = False) -> None:
        """Remove the mapping from the configuration, or as one that was deleted. Its stored position stays."""
        self.is_removed = True
        self._turn(
            f"deleted: {FINISHING}; then it can be restored for a week"
            if deleted
            else f"removed from the configuration: {FINISHING}; its position stays stored"
        )

    def end(self) -> None:
        """End for the stop of the daemon."""
        self._ending = True
        self._turn(STOPS_NOW)

    async def ended(self) -> None:
        """Return once its task has ended, or at once where it was never started."""
        if self.task is not None:
            await asyncio.wait({self.task})

    @property
    def paused_since(self) -> float | None:
        """The loop's time; None while it is not paused."""
        return self._paused_since

    @property
    def is_applied(self) -> bool:
        """Whether the present run, or rest, is the one that is wanted."""
        if self._stop is None:
            return self._rests and not self.runs and not self._wish.is_set()
        return not self._stop.soft and self._wired is not None and self._wired.mapping is self.mapping

    @property
    def ending(self) -> bool:
        """Whether its task may end."""
        return self._ending or self.is_removed

    @property
    def stays(self) -> bool:
        """Whether it runs, also once it is no longer held."""
        return self.mapping.enabled and self._paused_since is None and not self.ending

    @property
    def runs(self) -> bool:
        """Whether it is wanted that it runs."""
        return self.stays and not self._held

    def _turn(self, why: str) -> None:
        """Follow a new order: a run ends softly, a rest looks again."""
        self._wish.set()
        if self._stop is None:
            if self.runs:
                self.status.rest(MappingState.STARTING, None)
            return
        if not self._stop.soft:
            self._stop.request()
            self._stopping_since = asyncio.get_running_loop().time()
        # this holds too for a run that ends already because of an older order
        self.status.state = MappingState.STOPPING
        self.status.reason = Reason(ReasonCode.STOPPING, why, since=self._stopping_since)

    # what follows the orders

    async def _obey(self) -> None:
        while True:
            if self.runs:
                self._at_rest.clear()
                await self._run()
                continue
            await self._let_go()
            self._at_rest.set()
            if self.ending:
                break
            if not self.runs:
                self._show_rest()
                self._wish.clear()
                self._rests = True
                await self._wish.wait()
                self._rests = False
        self.status.rest(MappingState.STOPPED, Reason(ReasonCode.STOPPED))
        if self.is_removed:
            self._tell_removed(self)

    async def _run(self) -> None:
        """Run once, from the start to the soft stop."""
        mapping, stop = self.mapping, Stop()
        self._stop = stop
        log = telemetry.logger(mapping=mapping.name)
        try:
            self._show_start()
            wired = await self._build(mapping, stop, log)
            if wired is None:
                return
            start, most = mapping.lanes
            log.info(
                "mapping_started",
                event_source_arn=mapping.event_source_arn,
                function=mapping.function.key,
                lanes=[start, most],
            )
            await self._run_until_stopped(wired, mapping, stop, log)
        finally:
            self._stop = None
        if not stop.soft:
            raise RuntimeError(f"the mapping {mapping.name} ended though nobody asked for it")

    async def _run_until_stopped(
        self, wired: Wired, mapping: EventSourceMapping, stop: Stop, log: FilteringBoundLogger
    ) -> None:
        """Run, and cancel the rest when the soft stop does not end by itself."""
        time = asyncio.get_running_loop().time
        most = SOFT_STOP_SECONDS + mapping.function.timeout_seconds
        try:
            async with asyncio.timeout(None) as bound:
                ignore = stop.listen(lambda: bound.reschedule(time() + most))
                try:
                    await run_mapping(wired.source, wired.context, log, wired.running)
                finally:
                    ignore()
        except TimeoutError:
            if not bound.expired():
                raise
            log.warning("hard_stop", mappings=[mapping.name])

    async def _build(self, mapping: EventSourceMapping, stop: Stop, log: FilteringBoundLogger) -> Wired | None:
        """Build the parts of the next run; None when another order came first."""
        before, failures, since = self._wired, 0, asyncio.get_running_loop().time()
        if before is not None and before.mapping.function != mapping.function:
            # two runs of one function at once could stand in each other's way, as with a port
            await self._let_go()
        while not stop.soft:
            try:
                wired = await self._wired_in_time(mapping, stop, log)
            except PollerError as error:
                failures += 1
                delay = SOURCE.delay(failures, self._wiring.chance)
                next_try = asyncio.get_running_loop().time() + delay
                self.status.rest(
                    MappingState.PROBLEM, Reason(ReasonCode.ERROR, str(error), since=since, next_try=next_try)
                )
                log.warning("mapping_not_started", text=str(error), next_in=round(delay, 1))
                await self._let_go()
                await stop.wait(delay)
            else:
                # only now, so that parts of both runs are not closed and built again in between
                await self._let_go()
                self._wired = wired
                return wired
        return None

    async def _wired_in_time(self, mapping: EventSourceMapping, stop: Stop, log: FilteringBoundLogger) -> Wired:
        """Raises PollerError."""
        try:
            async with asyncio.timeout(BUILD_SECONDS) as bound:
                return await self._wiring.mapping(mapping, self.status, stop, log)
        except TimeoutError as error:
            if not bound.expired():
                raise
            raise Overdue(f"what {mapping.name} runs with was not there within {BUILD_SECONDS:.0f} s") from error

    async def _let_go(self) -> None:
        wired, self._wired = self._wired, None
        if wired is not None:
            await within(CLOSE_SECONDS, f"connections and workers of {self.mapping.name}", wired.close())

    def _show_start(self) -> None:
        self._describe()
        self.status.rest(MappingState.STARTING, None)
        self.status.partitions.clear()

    def _show_rest(self) -> None:
        """Show why nothing runs, or that a run is about to begin."""
        self._describe()
        if not self.mapping.enabled:
            self.status.rest(MappingState.DISABLED, Reason(ReasonCode.DISABLED))
        elif self._paused_since is not None:
            text = "by hand, until it is resumed"
            self.status.rest(MappingState.PAUSED, Reason(ReasonCode.PAUSED, text, since=self._paused_since))
        elif self._held:
            self.status.rest(MappingState.STOPPING, Reason(ReasonCode.STOPPING, self._held))

    def _describe(self) -> None:
        mapping, status = self.mapping, self.status
        status.shadow = shadow_status(mapping, status.shadow)
        status.seeks, status.looks = self._wiring.seeks(mapping), self._wiring.looks(mapping)
        status.event_source_arn, status.function, status.tags, status.destination = (
            mapping.event_source_arn,
            mapping.function.key,
            mapping.tags,
            mapping.on_failure_destination,
        )
