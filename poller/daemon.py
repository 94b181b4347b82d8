"""The daemon: everything is built, started, watched, reloaded and stopped here, in this order."""

import asyncio
import gc
import os
import signal
import sys
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack, suppress
from importlib.metadata import version

from poller import __version__, descriptors, fast, telemetry
from poller.aws.transports import Transports
from poller.configuration import Configuration
from poller.configuration.watching import Reader, watch
from poller.control import health, notify
from poller.control.server import serve
from poller.errors import LOGGED_MOST, ConfigurationError, EnvironmentProblem, StateError, capped
from poller.mappings import Mappings, account_of
from poller.ports import StateStore
from poller.runtime.daemon_status import ConfigurationStatus, DaemonStatus
from poller.runtime.stop import Stop
from poller.state.memory import MemoryStore
from poller.state.sqlite import SqliteState
from poller.wiring import Wiring, traces_of

GC_THRESHOLD = 50_000
"""Allocations between two looks for cycles. The data path makes none, and looking is a measurable share of its cost."""
HARD_STOP_SECONDS = 5.0
"""After the hard stop: settling has two seconds, the rest is closing connections."""
READY_LOOK_SECONDS = 0.1
"""Between two looks at whether the daemon is ready, of which there are at most a hundred."""
NEEDS_RESTART = ("state", "api", "telemetry")
"""Settings that cannot be changed in a running process: what holds the positions, where it is steered from, and what is
built into every part."""


def run(reader: Reader) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code. Raises ConfigurationError and EnvironmentProblem."""
    early: list[int] = []
    # until the event loop takes over, a wish to reload is remembered, not obeyed by dying
    signal.signal(signal.SIGHUP, lambda number, _: early.append(number))
    configuration = reader.read()
    settings = configuration.settings
    telemetry.configure(settings.log.level, settings.log.format)
    state = SqliteState(settings.state_path) if settings.state_path is not None else None
    try:
        daemon = Daemon(configuration, reader, state or MemoryStore(), reload_at_once=early)
        return fast.run(daemon.run())
    finally:
        # the loop gave the signal back, and there is nothing left to reload
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        if state is not None:
            state.close()


class Daemon:
    """One process's mappings, from start to exit."""

    def __init__(
        self, configuration: Configuration, reader: Reader, store: StateStore, *, reload_at_once: list[int]
    ) -> None:
        """`reload_at_once` holds something once a reload was asked for before this could be heard here."""
        self._configuration = configuration
        self._reader = reader
        self._store = store
        self._early = reload_at_once
        self._log = telemetry.logger()
        self._notifier = notify.Notifier.of(os.environ)
        self._hard = asyncio.Event()
        self._reload_wanted = asyncio.Event()
        self._reload_by: str | None = None
        """What asked for a reload; None for the files, which may be as they were by then."""

    async def run(self) -> int:
        """Start, wait for the stop, end what runs within the grace period."""
        loop = asyncio.get_running_loop()
        self._stop = Stop()
        self._status = DaemonStatus(version=__version__, started_at=time.time(), started=loop.time())
        self._status.configuration = self._shown = ConfigurationStatus(loaded_at=time.time())
        settings = self._configuration.settings
        async with AsyncExitStack() as stack:
            transports = Transports(self._log)
            stack.push_async_callback(transports.close)
            self._status.aws_requests = transports.requests
            configured: set[str] = set()
            self._wiring = Wiring(
                transports,
                settings.max_bytes_in_flight,
                store=self._store,
                mappings=configured,
                traces=await traces_of(settings, stack),
            )
            stack.push_async_callback(self._wiring.close)
            self._mappings = Mappings(self._status, self._wiring, self._store, configured)
            # every mapping is known before the first question about readiness can be answered
            await self._load_mappings()
            address = await stack.enter_async_context(serve(self._status, settings.api, self._mappings))
            self._handle_signals()
            self._announce(address)
            self._mappings.start()
            for name, work in (
                ("health", health.watch(self._status)),
                ("notify", notify.report(self._status, self._notifier)),
                ("ready", self._wait_until_ready()),
                ("reload", self._reload_when_wanted()),
                ("watch", watch(self._reader, self._reload_wanted.set, self._tell_not_watched)),
            ):
                self._keep(name, work, stack)
            await self._wait_for_stop()
            self._on_stopping()
            await self._end_mappings(self._configuration.settings.shutdown_grace_seconds)
        self._log.info("stopped", mappings={status.name: account_of(status) for status in self._status.mappings})
        return 0

    # what the outside is told, and when

    def _on_ready(self) -> None:
        """Every source was reached or says why it cannot be, as `/readyz` says from now on."""
        self._log.info("ready")
        self._notifier.ready(notify.summary(self._status))
        # everything that lives as long as the process is there now
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD)

    def _on_reloading(self, by: str) -> None:
        """The configuration is being read anew."""
        self._log.info("reload_requested", by=by)
        self._notifier.reloading()

    def _on_reloaded(self) -> None:
        """It was taken or refused; mappings that changed may still be finishing what they had."""
        self._notifier.reloaded(notify.summary(self._status))

    def _on_stopping(self) -> None:
        """The soft stop begins."""
        self._notifier.stopping("running invocations end")

    # start

    async def _load_mappings(self) -> None:
        try:
            await self._mappings.load(self._configuration.mappings)
        except StateError as error:
            raise EnvironmentProblem(str(error)) from error

    def _announce(self, address: str) -> None:
        configuration = self._configuration
        self._log.info(
            "daemon_started",
            version=__version__,
            python=sys.version.split()[0],
            aiobotocore=version("aiobotocore"),
            transport=configuration.settings.aws.transport,
            **fast.describe(),
            open_files=descriptors.raise_limit(),
            files=capped([str(file.absolute()) for file in configuration.sources], LOGGED_MOST),
            mappings=capped([mapping.name for mapping in configuration.mappings], LOGGED_MOST),
        )
        self._log.info("api_listening", address=address)
        self._warn()

    def _warn(self) -> None:
        for warning in self._configuration.warnings:
            self._log.warning("configuration_warning", text=warning)

    def _keep(self, name: str, work: Coroutine[object, object, None], stack: AsyncExitStack) -> None:
        """Run that until the daemon ends. If it ends by an error, the daemon is unhealthy."""

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                self._status.died.append(name)
                self._log.error("task_died", task=name, exc_info=error)

        task = asyncio.get_running_loop().create_task(work, name=name)
        task.add_done_callback(ended)
        stack.callback(task.cancel)

    async def _wait_until_ready(self) -> None:
        loop = asyncio.get_running_loop()
        while not health.is_ready(self._status, loop.time()):  # noqa: ASYNC110  (nobody tells; it is asked as /readyz is)
            await asyncio.sleep(READY_LOOK_SECONDS)
        self._on_ready()

    # reload

    def _tell_not_watched(self, why: str) -> None:
        self._log.warning("configuration_not_watched", why=why)

    async def _reload_when_wanted(self) -> None:
        """One reload after the other; what was asked for during one is the next."""
        while True:
            await self._reload_wanted.wait()
            self._reload_wanted.clear()
            by, self._reload_by = self._reload_by, None
            if by is not None or await asyncio.to_thread(self._reader.has_changed):
                self._on_reloading(by or "file")
                await self._reload()
                self._on_reloaded()

    async def _reload(self) -> None:
        """Read everything anew, and run by it if nothing is wrong with it. A refused configuration changes nothing."""
        try:
            configuration = await asyncio.to_thread(self._reader.read)
            self._refuse_what_needs_a_restart(configuration)
        except ConfigurationError as error:
            self._shown.refused_at, self._shown.problems = time.time(), error.shown()
            self._log.error("reload_refused", problems=error.shown(LOGGED_MOST))
            return
        if self._stop.soft:
            return
        self._configuration = configuration
        settings = configuration.settings
        telemetry.configure(settings.log.level, settings.log.format)
        self._wiring.resize(settings.max_bytes_in_flight)
        self._wiring.refresh()
        changes = self._mappings.apply(configuration.mappings)
        self._shown.loaded_at, self._shown.refused_at, self._shown.problems = time.time(), None, []
        self._log.info(
            "reloaded",
            added=capped(changes.added, LOGGED_MOST),
            changed=capped(changes.changed, LOGGED_MOST),
            removed=capped(changes.removed, LOGGED_MOST),
            unchanged=changes.unchanged,
        )
        self._warn()

    def _refuse_what_needs_a_restart(self, new: Configuration) -> None:
        """Raise ConfigurationError."""
        present = self._configuration.settings
        problems = [
            f"{new.places.get(key) or self._configuration.places.get(key, key)}: {key}: cannot be changed while the "
            "daemon runs; restart it, or put back what was there"
            for key in NEEDS_RESTART
            if getattr(new.settings, key) != getattr(present, key)
        ]
        if problems:
            raise ConfigurationError(problems)

    # stop

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop_signalled, number)
        loop.add_signal_handler(signal.SIGHUP, self._reload_signalled)
        if self._early:
            self._reload_signalled()

    def _stop_signalled(self, number: signal.Signals) -> None:
        hard = self._stop.soft
        self._log.info("stop_requested", by=number.name, kind="hard" if hard else "soft")
        if hard:
            self._hard.set()
        self._stop.request()

    def _reload_signalled(self) -> None:
        if not self._stop.soft:
            self._reload_by = signal.SIGHUP.name
            self._reload_wanted.set()

    async def _wait_for_stop(self) -> None:
        asked = asyncio.Event()
        self._stop.listen(asked.set)
        await asked.wait()

    async def _end_mappings(self, grace: float) -> None:
        """Soft stop within the grace period, then the hard one."""
        running = self._mappings.stop()
        ended = asyncio.ensure_future(_all_of(running))
        hard = asyncio.ensure_future(self._hard.wait())
        await asyncio.wait({ended, hard}, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
        hard.cancel()
        late = [task for task in running if not task.done()]
        if late:
            self._log.warning("hard_stop", mappings=[task.get_name() for task in late])
            for task in late:
                task.cancel()
            await asyncio.wait(late, timeout=HARD_STOP_SECONDS)
        ended.cancel()
        with suppress(asyncio.CancelledError):
            await ended


async def _all_of(tasks: set[asyncio.Task[None]]) -> None:
    if tasks:
        await asyncio.wait(tasks)
