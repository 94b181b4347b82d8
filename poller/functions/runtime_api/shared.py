"""A function whose runtimes are started elsewhere: any number of them may ask for invocations at one address.

Such a runtime cannot be ended from here. One that runs out of time has failed like any other. It may still be working
when its batch is tried again, and then its answer is refused.
"""

import asyncio
from collections import deque

from structlog.typing import FilteringBoundLogger

from poller.functions.runtime_api.api import RuntimeApi
from poller.functions.runtime_api.invocation import Invocation
from poller.functions.runtime_api.settings import RuntimeSettings
from poller.http.server import Request
from poller.policy.response import NotInvoked, Outcome
from poller.ports.function import Client
from poller.ports.status import Reason, ReasonCode
from poller.values.errors import EnvironmentProblem

WAIT_SECONDS = 5.0
"""Seconds for a runtime to ask: a moment between two invocations, some seconds after a restart of its container."""
MISSING_SECONDS = 10.0
"""Seconds without a request after which the status shows a problem: about what a container takes to restart."""
AGAIN_SECONDS = 1.0
"""Retry delay while no runtime asks; short, because only the daemon waits."""


class SharedRuntimeFunction:
    """See `Function`."""

    def __init__(self, settings: RuntimeSettings, log: FilteringBoundLogger) -> None:
        """Call it inside the running loop."""
        self.name = settings.name
        self.payload_limit = settings.payload_limit
        self.patience = WAIT_SECONDS
        """Seconds that an invocation waits for a runtime."""
        self.timeout = self.patience + settings.timeout
        self._settings = settings
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._api = RuntimeApi(self, settings.timeout)
        self.runtimes: deque[Request] = deque()
        """Requests of runtimes that wait for an event, the longest wait first."""
        self._waiting: deque[asyncio.Future[Request]] = deque()
        self._invocations: dict[str, Invocation] = {}
        self._problem = ""
        self._seen = self._loop.time()
        """The loop's time of the last request of a runtime."""
        self.address = ""

    async def open(self, host: str, port: int) -> None:
        """Listen. Raises EnvironmentProblem."""
        try:
            await self._api.server.listen(host, port)
        except OSError as error:
            why = error.strerror or error
            raise EnvironmentProblem(f"function {self.name}: cannot listen on {host}:{port}: {why}") from error
        self.address = f"[{host}]:{self._api.server.port}" if ":" in host else f"{host}:{self._api.server.port}"
        self._log.info("runtime_listening", address=self.address)

    async def invoke(self, event: bytes, trace: str | None = None) -> Outcome:
        """See `Function.invoke`."""
        return await self.invoke_for(event, trace, None)

    async def invoke_for(self, event: bytes, trace: str | None, client: Client | None) -> Outcome:
        """See `ServesClients.invoke_for`."""
        while True:
            request = self.runtimes.popleft() if self.runtimes else await self._wait_for_runtime()
            if request is None or not request.gone:
                break
        if request is None:
            return NotInvoked("no_worker", self._why_none(), AGAIN_SECONDS)
        settings = self._settings
        outcome: asyncio.Future[Outcome] = self._loop.create_future()
        invocation = Invocation(event, settings.function_arn, settings.timeout, trace, outcome, client)
        self._invocations[invocation.request_id] = invocation
        timer = self._loop.call_later(settings.timeout, self._too_late, invocation)
        request.on_lost = None
        request.answer(200, event, invocation.headers())
        try:
            return await invocation.outcome
        finally:
            timer.cancel()
            self._invocations.pop(invocation.request_id, None)

    def problem(self) -> Reason | None:
        """The problem that no runtime asks, or the error of the last one that could not start."""
        idle = self.runtimes or self._invocations
        if idle or (not self._problem and self._loop.time() - self._seen < MISSING_SECONDS):
            return None
        text = f"function {self.name} cannot start: {self._why_none()}"
        return Reason(ReasonCode.FUNCTION_NOT_STARTED, text, since=self._seen)

    def refresh(self) -> None:
        """Changes nothing: the runtimes get their secrets elsewhere."""

    async def close(self) -> None:
        """Stop listening."""
        await self._api.server.close()

    async def _wait_for_runtime(self) -> Request | None:
        turn: asyncio.Future[Request] = self._loop.create_future()
        self._waiting.append(turn)
        try:
            await asyncio.wait({turn}, timeout=self.patience)
        except asyncio.CancelledError:
            if turn.done():
                self.waits(turn.result())
            turn.cancel()
            raise
        if turn.done():
            return turn.result()
        turn.cancel()
        return None

    def _why_none(self) -> str:
        if self._invocations:
            busy = len(self._invocations)
            return f"no runtime was free in time, with {busy} at work; start more, or set concurrency to what there are"
        why = f"no runtime asks {self.address} for invocations; set AWS_LAMBDA_RUNTIME_API to it there"
        return f"{why}: {self._problem}" if self._problem else why

    def _too_late(self, invocation: Invocation) -> None:
        self._invocations.pop(invocation.request_id, None)
        self._seen = self._loop.time()
        invocation.settle(invocation.timed_out())

    # the Runtime API calls these

    def waits(self, request: Request) -> str | None:
        """See `Desk.waits`."""
        self._problem, self._seen = "", self._loop.time()
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(request)
                return None
        self.runtimes.append(request)
        request.on_lost = lambda: self._forget(request)
        return None

    def _forget(self, request: Request) -> None:
        if request in self.runtimes:
            self.runtimes.remove(request)
            self._seen = self._loop.time()

    def find(self, request_id: str) -> Invocation | None:
        """See `Desk.find`."""
        return self._invocations.get(request_id)

    def settle(self, invocation: Invocation, outcome: Outcome) -> None:
        """See `Desk.settle`."""
        self._seen = self._loop.time()
        self._invocations.pop(invocation.request_id, None)
        invocation.settle(outcome)

    def init_failed(self, error_type: str, message: str) -> bool:
        """See `Desk.init_failed`. The runtime cannot be identified, so every such report is accepted."""
        self._problem = f"{error_type}: {message}"
        self._log.warning("worker_not_started", why=self._problem)
        return True
