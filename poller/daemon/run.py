"""The process around a `Poller`: signals, service manager, reloads, API and exit. `process_stop` has the order of a
stop.
"""

import asyncio
import gc
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from importlib.metadata import version
from typing import TYPE_CHECKING

from poller import __version__
from poller.configuration import Configuration
from poller.configuration.watching import Reader, watch
from poller.daemon import accelerators, file_limits, notify, reload, signals
from poller.daemon.api import health
from poller.daemon.api.lambda_api.changes import ChangeOperations
from poller.daemon.api.lambda_api.functions import FunctionOperations
from poller.daemon.api.lambda_api.invoke import InvokeOperation
from poller.daemon.api.lambda_api.mappings import MappingOperations
from poller.daemon.api.server import serve
from poller.daemon.opening import opened
from poller.daemon.process_stop import AFTER_GRACE_SECONDS, LastResort
from poller.daemon.reload import Reloads
from poller.engine.app import Poller
from poller.engine.bounded_stop import CLOSE_SECONDS, within
from poller.engine.mappings import account_of
from poller.engine.parts import Watch
from poller.ports.daemon_status import Changes, ConfigurationStatus
from poller.ports.store import StateStore
from poller.runtime.stop import Stop
from poller.support import telemetry
from poller.support.blocking import Blocking
from poller.values.errors import LOGGED_MOST, EnvironmentProblem, Overdue, capped

if TYPE_CHECKING:
    from poller.daemon.worker import Worker

GC_THRESHOLD = 50_000
"""Allocations between two garbage collections of cycles. The data path makes no cycles, and a collection is a
measurable share of its cost."""
READY_LOOK_SECONDS = 0.1
"""Seconds between two looks at whether the daemon is ready; there are at most a hundred."""


def run(
    reader: Reader,
    *,
    watch_events: Watch | None = None,
    wait: float | None = None,
    worker: "Worker | None" = None,
    store: StateStore | None = None,
    instead: Callable[[Configuration], None] = lambda _: None,
    on_ready: Callable[[str], None] = lambda _: None,
) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code. Raises ConfigurationError and EnvironmentProblem.

    `wait` bounds the seconds for which a store that is away is tried; None tries until it answers.

    With `watch_events` a person sits in front of it: every invocation is shown to it, and a stop cuts long polls short
    where nothing is in work. `worker` is this process among several. `instead` may end this process for another one.
    `store` takes the place of the configured one. `on_ready` gets the API's address once every source was reached.
    """
    files = reload.files()
    try:
        configuration = files.run_now(reader.read)
    except Overdue as error:
        raise EnvironmentProblem(f"{error}; does their file system hang?") from error
    instead(configuration)
    settings = configuration.settings
    if worker is not None:
        telemetry.name_process(worker=worker.number)
    telemetry.configure(settings.log.level, settings.log.format)
    daemon = Daemon(configuration, reader, files, watch_events=watch_events, wait=wait, worker=worker, store=store)
    daemon.on_ready = on_ready
    return accelerators.run(daemon.run())


class Daemon:
    """The process from start to exit."""

    def __init__(
        self,
        configuration: Configuration,
        reader: Reader,
        files: Blocking,
        *,
        watch_events: Watch | None = None,
        wait: float | None = None,
        worker: "Worker | None" = None,
        store: StateStore | None = None,
    ) -> None:
        """`files` reads with `reader`."""
        self._worker = worker
        self._wait = wait
        self._configuration = configuration
        self._reader = reader
        self._files = files
        self._log = telemetry.logger()
        self._watched = watch_events is not None
        self._poller = Poller(
            configuration, store=store, watch=watch_events, workers=None if worker is None else worker.workers
        )
        self._status = self._poller.status
        self._notifier = notify.Notifier.of(os.environ) if worker is None else worker.notifier
        self._hard = asyncio.Event()
        self.on_ready: Callable[[str], None] = lambda _: None
        """Called with the API's address once every source was reached."""
        self._last_resort: LastResort | None = None

    async def run(self) -> int:
        """Start, wait for the stop, and end running work within the grace period."""
        self._stop = Stop()
        shown = self._status.configuration = ConfigurationStatus(loaded_at=time.time())
        self._reloads = Reloads(self._reader, self._files, self._configuration, shown, self._take)
        signals.listen(self._stop_signalled, self._reload_signalled)
        if self._worker is not None:
            self._worker.listen(self._poller, self._stop_requested, self._reload_requested)
        stack = AsyncExitStack()
        try:
            stack.push_async_callback(self._poller.close)
            if await opened(self._poller, self._stop, self._wait):
                await self._start(stack)
                await self._wait_for_stop()
                self._on_stopping()
                await self._poller.stop(self._hard)
        finally:
            await within(CLOSE_SECONDS, "closing", stack.aclose())
            signals.ignore()
            if self._last_resort is not None:
                self._last_resort.call_off()
        self._log.info("stopped", mappings={status.name: account_of(status) for status in self._status.mappings})
        return 0

    async def _start(self, stack: AsyncExitStack) -> None:
        poller, settings = self._poller, self._configuration.settings
        # every mapping is known before the first question about readiness can be answered
        self._status.steps = [*self._status.steps, self._files.problem]
        operations = [
            *FunctionOperations(poller.invoker, time.time()).operations(),
            *MappingOperations(poller.catalog, self._status.started_at).operations(),
            *ChangeOperations(poller.catalog, poller.looking, self._status.started_at).operations(),
            InvokeOperation(poller.invoker).operation(),
        ]
        address = await stack.enter_async_context(
            serve(
                self._status,
                settings.api,
                poller.steering,
                self._reloads,
                operations=operations,
                invoker=poller.invoker,
                several=None if self._worker is None else self._worker.serving(settings.api),
            )
        )
        self._announce(address)
        poller.start()
        for name, work in (
            ("health", health.watch(self._status)),
            ("notify", notify.report(self._status, self._notifier)),
            ("ready", self._wait_until_ready(address)),
            ("reload", self._reloads.run(self._notifier.reloading, self._on_reloaded)),
            ("watch", watch(self._reader, self._reloads.request, self._tell_not_watched)),
        ):
            poller.keep(name, work)

    # notices to the outside

    def _on_ready(self, address: str) -> None:
        """Every source was reached, or its reason says why it cannot be; `/readyz` says so from now on."""
        self._log.info("ready")
        self.on_ready(address)
        self._notifier.ready(notify.summary(self._status, asyncio.get_running_loop().time()))
        # everything that lives as long as the process exists by now
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD)

    def _on_reloaded(self) -> None:
        """A reload was accepted or refused; changed mappings may still be finishing their batches."""
        self._notifier.reloaded(notify.summary(self._status, asyncio.get_running_loop().time()))

    def _on_stopping(self) -> None:
        """The soft stop begins."""
        self._notifier.stopping("running invocations end")

    # start

    def _announce(self, address: str) -> None:
        configuration = self._configuration
        self._log.info(
            "daemon_started",
            version=__version__,
            python=sys.version.split()[0],
            aiobotocore=version("aiobotocore"),
            transport=configuration.settings.aws.transport,
            **accelerators.describe(),
            open_files=file_limits.raise_limit(),
            files=capped([str(file.absolute()) for file in configuration.sources], LOGGED_MOST),
            mappings=capped([mapping.name for mapping in configuration.mappings], LOGGED_MOST),
        )
        if self._worker is None:
            self._log.info("api_listening", address=address)
        self._warn()

    def _warn(self) -> None:
        for warning in self._configuration.warnings:
            self._log.warning("configuration_warning", text=warning)

    async def _wait_until_ready(self, address: str) -> None:
        loop = asyncio.get_running_loop()
        while not health.is_ready(self._status, loop.time()):  # noqa: ASYNC110  (nobody tells; it is asked as /readyz is)
            await asyncio.sleep(READY_LOOK_SECONDS)
        self._on_ready(address)

    # reload

    def _tell_not_watched(self, why: str) -> None:
        self._log.warning("configuration_not_watched", why=why)

    def _take(self, configuration: Configuration) -> Changes | None:
        """Apply the configuration from now on; None at a stop."""
        if self._stop.soft:
            return None
        self._configuration = configuration
        settings = configuration.settings
        telemetry.configure(settings.log.level, settings.log.format)
        changes = self._poller.apply(configuration)
        self._log.info(
            "reloaded",
            added=capped(changes.added, LOGGED_MOST),
            changed=capped(changes.changed, LOGGED_MOST),
            removed=capped(changes.removed, LOGGED_MOST),
            unchanged=changes.unchanged,
        )
        self._warn()
        return changes

    # stop

    def _stop_signalled(self, number: signal.Signals) -> None:
        # a worker's second signal is none: the parent may have sent the first stop
        self._stop_requested(number.name, self._stop.soft and self._worker is None)

    def _stop_requested(self, by: str, hard: bool) -> None:
        if self._hard.is_set():
            # no request is left: a storm of signals must neither renew the bound nor keep the loop from ending
            return
        if self._worker is not None and self._stop.soft and not hard:
            return
        idle = self._watched and not any(status.in_flight() for status in self._status.mappings)
        hard = hard or idle
        self._log.info("stop_requested", by=by, kind="hard" if hard else "soft")
        if hard:
            self._hard.set()
            signals.ignore()
        self._stop.request()
        if hard or self._last_resort is None:
            self._bound_the_stop(0.0 if hard else self._configuration.settings.shutdown_grace_seconds)

    def _bound_the_stop(self, grace: float) -> None:
        if self._last_resort is not None:
            self._last_resort.call_off()
        self._last_resort = LastResort(grace + AFTER_GRACE_SECONDS)

    def _reload_signalled(self) -> None:
        self._reload_requested(signal.SIGHUP.name)

    def _reload_requested(self, by: str) -> None:
        if not self._stop.soft:
            self._reloads.request(by)

    async def _wait_for_stop(self) -> None:
        asked = asyncio.Event()
        self._stop.listen(asked.set)
        await asked.wait()
