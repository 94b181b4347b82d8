"""One worker: a process, the address at which it asks, and its one invocation.

Each worker has a port of its own from its start to its end. So the port identifies the worker, whatever connections a
runtime opens, and a process that should be dead can reach nobody. (Addresses of the loopback net other than 127.0.0.1
would do as well, but only on Linux.)
"""

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from poller.functions.runtime_api.allowance import LogAllowance
from poller.functions.runtime_api.api import RuntimeApi
from poller.functions.runtime_api.guarding import Guard
from poller.functions.runtime_api.invocation import Invocation, exit_text
from poller.functions.runtime_api.logs import LogPipe
from poller.functions.runtime_api.process import Process, StartFailed
from poller.functions.runtime_api.settings import RuntimeSettings
from poller.functions.runtime_api.time_limit import TimeLimit
from poller.http.server import Request
from poller.policy.response import Failed, Succeeded

TERMINATE_SECONDS = 0.3
"""Seconds from SIGTERM to SIGKILL for a worker whose time is over, because its batch waits for another try."""
KILLED_SECONDS = 2.0
"""Seconds from SIGKILL to the end of a process that is not stuck in the kernel, on a busy machine."""
STOP_SECONDS = 2.0
"""Seconds from SIGTERM to SIGKILL for an idle worker, which may have connections to close. Lambda gives the same at its
shutdown."""

_Verdict = Callable[[Invocation], Failed]


class Owner(Protocol):
    """What a worker tells its pool."""

    def idle(self, worker: "Worker") -> None:
        """The worker asks for an invocation."""

    def away(self, worker: "Worker") -> None:
        """The worker asked, and its connection is gone."""

    def ended(self, worker: "Worker") -> None:
        """The worker's process has ended. Called once, last."""


class Worker:
    """A worker is started once and ended once."""

    def __init__(
        self,
        settings: RuntimeSettings,
        owner: Owner,
        guard: Guard,
        log: FilteringBoundLogger,
        allowance: LogAllowance,
    ) -> None:
        self._settings = settings
        self._allowance = allowance
        self._owner = owner
        self._guard = guard
        self._log = log
        self._api = RuntimeApi(self, settings.timeout)
        self._logs: LogPipe | None = None
        self._process: Process | None = None
        self._request: Request | None = None
        self._invocation: Invocation | None = None
        self._logged_for: str | None = None
        self._verdict: _Verdict | None = None
        self._limit = TimeLimit(self._too_late)
        self._kill: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._launched = asyncio.Event()
        """Whether its process has ended, or never will start."""
        self._ended = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None
        self.idle_since = 0.0
        self.ending = False
        """Whether it was told to end, or has ended."""

    @property
    def asks(self) -> bool:
        """Whether it can be given an invocation."""
        return self._request is not None and not self.ending and not self._request.gone

    @property
    def returning(self) -> bool:
        """Whether it has answered, and will ask again in a moment."""
        return self._invocation is None and self._request is None and self._ready.done() and not self.ending

    async def start(self) -> None:
        """Start it, and return at its first request for an event. Raises StartFailed, with nothing left running."""
        try:
            await self._launch()
            async with asyncio.timeout(self._settings.options.init_timeout_seconds):
                await asyncio.shield(self._ready)
        except TimeoutError:
            await self.stop(TERMINATE_SECONDS)
            seconds = self._settings.options.init_timeout_seconds
            raise StartFailed(
                f"Runtime.InitTimeout: it did not ask for an invocation within {seconds:g} s of its start"
            ) from None
        except StartFailed:
            await self.stop(TERMINATE_SECONDS)
            raise
        except asyncio.CancelledError:
            await self.stop(0.0)
            raise

    async def _launch(self) -> None:
        try:
            await self._launch_process()
        finally:
            self._launched.set()
        if self.ending and not self._ready.done():
            raise StartFailed("it was stopped while it started")

    async def _launch_process(self) -> None:
        try:
            await self._api.server.listen("127.0.0.1", 0)
        except OSError as error:
            raise StartFailed(f"no port for the Runtime API: {error}") from error
        logs = self._logs = LogPipe(self, self._allowance)
        try:
            self._process = Process.start(self._settings, self._api.server.port, logs, self._guard)
        finally:
            logs.opened()
        self._log.debug("worker_started", pid=self._process.pid)
        self._watch = asyncio.create_task(self._watch_process(self._process))

    # the pipe of its output calls these

    def line(self, label: str | None, text: str) -> None:
        """See `Listener.line`."""
        self._log.info("function_log", request_id=label, text=text)

    def left_out(self, lines: int, size: int) -> None:
        """See `Listener.left_out`."""
        self._log.warning("function_log_left_out", request_id=self._logged_for, lines=lines, bytes=size)

    # the pool calls these

    def hand_out(self, invocation: Invocation) -> None:
        """Give it an invocation. Only for a worker that is idle."""
        assert self._request is not None
        assert self._logs is not None
        request, self._request = self._request, None
        self._invocation = invocation
        self._logged_for = self._logs.label = invocation.request_id
        self._logs.forget()
        self._limit.begin(invocation.timeout)
        request.on_lost = None
        request.answer(200, invocation.event, invocation.headers())

    def abandon(self) -> None:
        """Abandon its invocation. That cannot be taken back, so the worker has to end."""
        self._invocation = None
        self._signal(signal.SIGKILL)

    async def stop(self, grace: float = STOP_SECONDS) -> None:
        """End it by SIGTERM, and by SIGKILL after `grace` seconds."""
        self.ending = True
        await self._launched.wait()
        if self._process is None:
            await self._close()
            return
        if grace:
            self._signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(grace):
                    await self._ended.wait()
            except TimeoutError:
                self._signal(signal.SIGKILL)
        else:
            self._signal(signal.SIGKILL)
        with suppress(TimeoutError):
            # a process that the kernel does not end is not waited for either
            async with asyncio.timeout(KILLED_SECONDS):
                await self._ended.wait()

    # the Runtime API calls these

    def waits(self, request: Request) -> str | None:
        """See `Desk.waits`."""
        if self._invocation is not None:
            return "the invocation before has neither a response nor an error yet"
        if self._request is not None:
            return "another request for the next invocation is waiting"
        if self.ending:
            return "this worker is being stopped"
        assert self._logs is not None
        self._logs.drain()
        self._logged_for = self._logs.label = None
        if self._process is not None:
            self._process.bury()
        self._limit.end()
        self._request = request
        request.on_lost = self._lost
        if not self._ready.done():
            self._ready.set_result(None)
        self._owner.idle(self)
        return None

    def find(self, request_id: str) -> Invocation | None:
        """See `Desk.find`."""
        current = self._invocation
        return current if current is not None and current.request_id == request_id else None

    def settle(self, invocation: Invocation, outcome: Succeeded | Failed) -> None:
        """See `Desk.settle`. The time limit goes on, because it covers the runtime's next request too."""
        if self._verdict is not None and isinstance(outcome, Failed):
            # it is being killed, and fails for that once it is dead
            return
        self._invocation = None
        if (isinstance(outcome, Failed) or invocation.wants_logs) and self._logs is not None:
            self._logs.drain()
            outcome = replace(outcome, logs=self._logs.tail or None)
        invocation.settle(outcome)

    def init_failed(self, error_type: str, message: str) -> bool:
        """See `Desk.init_failed`."""
        if self._ready.done():
            return False
        self._fail_start(f"{error_type}: {message}")
        # it gets none, even if it asks
        self.ending = True
        return True

    # the end of the process

    def _lost(self) -> None:
        """It closed the connection that waited: it is ending, or asks again."""
        self._request = None
        self._owner.away(self)
        self._limit.begin(self._settings.options.init_timeout_seconds)

    def _too_late(self) -> None:
        """The time for its invocation, or for its next request, is over."""
        self.ending = True
        self._verdict = Invocation.timed_out
        self._log.warning("worker_killed", request_id=self._logged_for, seconds=self._settings.timeout)
        self._signal(signal.SIGTERM)
        self._kill = self._loop.call_later(TERMINATE_SECONDS, self._signal, signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        self.ending = True
        if self._process is not None and not self._ended.is_set():
            self._process.signal(number)

    def _fail_start(self, why: str) -> None:
        if not self._ready.done():
            self._ready.set_exception(StartFailed(why))
            # retrieved by `start`, unless that was cancelled
            self._ready.exception()

    async def _watch_process(self, process: Process) -> None:
        code = await process.wait()
        how = exit_text(code)
        assert self._logs is not None
        self._logs.drain()
        tail = self._logs.tail
        await self._close()
        if not self.ending:
            self._log.warning("worker_exited", request_id=self._logged_for, how=how)
        self.ending = True
        self._fail_start(f"Runtime.ExitError: {how}")
        invocation, self._invocation = self._invocation, None
        if invocation is not None:
            # only now, so that a batch that is tried again is never still being worked on
            failed = self._verdict(invocation) if self._verdict else invocation.exited(how)
            invocation.settle(replace(failed, logs=tail or None))
        self._ended.set()
        self._owner.ended(self)

    async def _close(self) -> None:
        self._limit.end()
        if self._kill is not None:
            self._kill.cancel()
        if self._logs is not None:
            self._logs.close()
            self._logs = None
        await self._api.server.close()
