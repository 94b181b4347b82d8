"""The daemon: everything is built, started, watched and stopped here, in this order."""

import asyncio
import gc
import signal
import sys
import time
from contextlib import AsyncExitStack, suppress
from importlib.metadata import version

from poller import __version__, fast, telemetry
from poller.aws.transports import Transports
from poller.configuration import Configuration, EventSourceMapping, Settings
from poller.control import health
from poller.control.server import serve
from poller.ports import StateStore
from poller.runtime.daemon_status import DaemonStatus
from poller.runtime.status import MappingState, MappingStatus, Reason, ReasonCode
from poller.runtime.stop import Stop
from poller.runtime.supervisor import run_mapping
from poller.state.memory import MemoryStore
from poller.state.sqlite import SqliteState
from poller.wiring import Wiring, traces_of

GC_THRESHOLD = 50_000
"""Allocations between two looks for cycles. The data path makes none, and looking is a measurable share of its cost."""
HARD_STOP_SECONDS = 5.0
"""After the hard stop: settling has two seconds, the rest is closing connections."""


def run(configuration: Configuration) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code. Raises EnvironmentProblem."""
    settings = configuration.settings
    telemetry.configure(settings.log.level, settings.log.format)
    state = SqliteState(settings.state_path) if settings.state_path is not None else None
    try:
        return fast.run(Daemon(configuration, state or MemoryStore()).run())
    finally:
        if state is not None:
            state.close()


class Daemon:
    """One process's mappings, from start to exit."""

    def __init__(self, configuration: Configuration, store: StateStore) -> None:
        self._configuration = configuration
        self._store = store
        self._log = telemetry.logger()
        self._tasks: dict[asyncio.Task[None], MappingStatus] = {}
        self._hard = asyncio.Event()

    async def run(self) -> int:
        """Start, wait for the stop, end what runs within the grace period."""
        loop = asyncio.get_running_loop()
        self._stop = Stop()
        self._status = DaemonStatus(version=__version__, started_at=time.time(), started=loop.time())
        settings = self._configuration.settings
        async with AsyncExitStack() as stack:
            transports = Transports(self._log)
            stack.push_async_callback(transports.close)
            self._status.aws_requests = transports.requests
            wiring = Wiring(
                transports,
                settings.max_bytes_in_flight,
                store=self._store,
                mappings={mapping.uuid for mapping in self._configuration.mappings},
                traces=await traces_of(settings, stack),
            )
            stack.push_async_callback(wiring.close)
            # every mapping is known before the first question about readiness can be answered
            mappings = [(mapping, self._show(mapping)) for mapping in self._configuration.mappings]
            address = await stack.enter_async_context(serve(self._status, settings.api))
            self._handle_signals()
            self._announce(address, settings)
            for mapping, status in mappings:
                if mapping.enabled:
                    await self._start(mapping, status, wiring)
            watch = loop.create_task(health.watch(self._status))
            stack.callback(watch.cancel)
            gc.collect()
            gc.freeze()
            gc.set_threshold(GC_THRESHOLD)
            await self._wait_for_stop()
            await self._end_mappings(settings.shutdown_grace_seconds)
        self._log.info("stopped", mappings={status.name: _account(status) for status in self._status.mappings})
        return 0

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled, number)

    def _signalled(self, number: signal.Signals) -> None:
        hard = self._stop.soft
        self._log.info("stop_requested", by=number.name, kind="hard" if hard else "soft")
        if hard:
            self._hard.set()
        self._stop.request()

    def _announce(self, address: str, settings: Settings) -> None:
        self._log.info(
            "daemon_started",
            version=__version__,
            python=sys.version.split()[0],
            aiobotocore=version("aiobotocore"),
            transport=settings.aws.transport,
            **fast.describe(),
            mappings=[mapping.name for mapping in self._configuration.mappings],
        )
        self._log.info("api_listening", address=address)
        for warning in self._configuration.warnings:
            self._log.warning("configuration_warning", text=warning)

    def _show(self, mapping: EventSourceMapping) -> MappingStatus:
        status = MappingStatus(
            name=mapping.name,
            uuid=mapping.uuid,
            event_source_arn=mapping.event_source_arn,
            function=mapping.function.key,
            tags=mapping.tags,
        )
        self._status.mappings.append(status)
        if not mapping.enabled:
            status.state, status.reason = MappingState.DISABLED, Reason(ReasonCode.DISABLED)
        return status

    async def _start(self, mapping: EventSourceMapping, status: MappingStatus, wiring: Wiring) -> None:
        log = telemetry.logger(mapping=mapping.name)
        wired = await wiring.mapping(mapping, status, self._stop, log)
        start, most = mapping.lanes
        log.info(
            "mapping_started", event_source_arn=mapping.event_source_arn, function=status.function, lanes=[start, most]
        )
        task = asyncio.create_task(run_mapping(wired.source, wired.context, log), name=mapping.name)
        self._tasks[task] = status
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A mapping ends only at a stop; anything else is a bug, and makes the daemon unhealthy."""
        if task.cancelled():
            return
        error = task.exception()
        if error is not None or not self._stop.soft:
            self._status.died.append(task.get_name())
            self._log.error("task_died", mapping=task.get_name(), exc_info=error)

    async def _wait_for_stop(self) -> None:
        asked = asyncio.Event()
        self._stop.listen(asked.set)
        await asked.wait()

    async def _end_mappings(self, grace: float) -> None:
        """Soft stop within the grace period, then the hard one."""
        running = set(self._tasks)
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


def _account(status: MappingStatus) -> dict[str, int]:
    """For the last log line: what a person asks after a stop."""
    account = status.account
    in_flight = status.in_flight()
    return {
        "polled": account.polled,
        "delivered": account.delivered,
        "filtered": account.filtered,
        "on_failure_destination_delivered": account.destination,
        "dropped": account.dropped,
        "expired": account.expired,
        "before_start": account.before_start,
        "returned": account.returned,
        "deleted": account.deleted,
        "in_flight": in_flight,
        "unaccounted": account.unaccounted(in_flight),
    }
