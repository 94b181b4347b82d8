"""The workers of one function: started as they are needed, one invocation at a time each, stopped when idle.

An event that no worker was given was not invoked, whatever kept the workers from starting, and spends no attempt. From
the hand-over on the function may have acted, and whatever goes wrong has failed. Lambda counts a failed init as a
failed invocation; here it is none, because a broken release must not use up the attempts of records.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping

from structlog.typing import FilteringBoundLogger

from poller.functions.runtime_api.allowance import Allowance, LogAllowance, for_all_workers
from poller.functions.runtime_api.code import CodeWatch
from poller.functions.runtime_api.guarding import Guard
from poller.functions.runtime_api.invocation import Invocation
from poller.functions.runtime_api.process import StartFailed
from poller.functions.runtime_api.settings import RuntimeSettings
from poller.functions.runtime_api.starts import Starts
from poller.functions.runtime_api.worker import STOP_SECONDS, TERMINATE_SECONDS, Worker
from poller.policy.backoff import Chance
from poller.policy.response import NotInvoked, Outcome
from poller.ports.function import Client
from poller.ports.status import Reason
from poller.values.errors import ConfigurationError

STARTS_AT_ONCE = 8
"""Most workers that start at one time: a hundred interpreters at once on two cores would all exceed their init time."""
RETURN_SECONDS = 0.2
"""Seconds. A worker that has answered asks again within a moment. Waiting for it is faster than starting a new one."""
KILL_SECONDS = TERMINATE_SECONDS + 1.0
"""Seconds after a limit by which a worker that kept to none has been killed."""


class RuntimeFunction:
    """See `Function`. Workers start with the first invocation, or earlier by `start`."""

    def __init__(
        self,
        settings: RuntimeSettings,
        guard: Guard,
        log: FilteringBoundLogger,
        chance: Chance,
        output: Allowance | None = None,
    ) -> None:
        """Call it inside the running loop. `output` is what the workers of all functions may have logged together."""
        self._output = output or for_all_workers()
        self.name, self.payload_limit = settings.name, settings.payload_limit
        self.patience = settings.options.init_timeout_seconds + KILL_SECONDS
        """Seconds that an invocation waits for a worker."""
        self.timeout = self.patience + settings.timeout + KILL_SECONDS
        self._settings, self._options = settings, settings.options
        self._guard, self._log = guard, log
        self._starts = Starts(settings.name, chance)
        self._loop = asyncio.get_running_loop()
        self._workers: set[Worker] = set()
        self.starting: set[Worker] = set()
        """Workers that have not yet asked for an event."""
        self._owed = 0
        """Workers to keep whose start waits for the starts of others."""
        self.idle_workers: deque[Worker] = deque()
        """Workers that wait for an event. The last one gets it, so that those before it may stop."""
        self._waiting: deque[asyncio.Future[Worker | NotInvoked]] = deque()
        self._retry: asyncio.TimerHandle | None = None
        self._reaper: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._environment: Mapping[str, str] | None = None
        """The environment of the newest worker."""
        self.code = CodeWatch(settings.options.code, lambda: self.restart("code"), log)
        self.on_restart: Callable[[], None] = lambda: None
        self._outdated: set[Worker] = set()
        """Workers with older code or environment, which stop after their invocation."""

    def start(self) -> None:
        """Begin to start the workers that are always kept: one at least, to show at once whether it starts."""
        self.code.look()
        if self._options.reload_on_change:
            self.code.watch()
        self._start_kept()

    def _start_kept(self) -> None:
        self._owed = max(self._options.minimum_workers, 1) - len(self._workers)
        self._start_owed()

    def problem(self) -> Reason | None:
        """Why no worker can be started; None while one runs."""
        return self._starts.reason if self._workers <= self.starting else None

    async def invoke(self, event: bytes, trace: str | None = None) -> Outcome:
        return await self.invoke_for(event, trace, None)

    async def invoke_for(self, event: bytes, trace: str | None, client: Client | None) -> Outcome:
        while True:
            worker = self.idle_workers.pop() if self.idle_workers else await self._wait_for_worker()
            if isinstance(worker, NotInvoked):
                return worker
            if worker.asks:
                break
        outcome: asyncio.Future[Outcome] = self._loop.create_future()
        invocation = Invocation(event, self._settings.function_arn, self._settings.timeout, trace, outcome, client)
        worker.hand_out(invocation)
        try:
            return await invocation.outcome
        except asyncio.CancelledError:
            worker.abandon()
            raise

    def refresh(self) -> None:
        """A process keeps its environment and code, so workers are replaced where these have changed."""
        if self._workers and self._read_environment() != self._environment:
            self.restart("environment")
        self.code.look()

    def restart(self, why: str) -> None:
        """Restart every worker. Those with an invocation finish it first."""
        self._log.info("workers_restarted", why=why, workers=len(self._workers))
        self._starts.over()
        self._outdated = set(self._workers)
        while self.idle_workers:
            self._retire(self.idle_workers.popleft())
        self._start_kept()
        self.on_restart()

    def _read_environment(self) -> Mapping[str, str] | None:
        try:
            return dict(self._settings.environment())
        except ConfigurationError:
            # a worker that is started with it reports what is wrong
            return None

    def _retire(self, worker: Worker) -> None:
        self._outdated.discard(worker)
        self._workers.discard(worker)
        self._log.debug("worker_stopped", why="outdated", workers=len(self._workers))
        self._spawn(worker.stop(STOP_SECONDS))

    async def close(self) -> None:
        """Stop every worker, all at once, and kill those that do not stop."""
        self._closed = True
        for timer in (self._reaper, self._retry):
            if timer is not None:
                timer.cancel()
        self.code.close()
        self._refuse_all(NotInvoked("stopping", "the daemon stops"))
        for worker in list(self._workers):
            self._spawn(worker.stop(STOP_SECONDS))
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _wait_for_worker(self) -> Worker | NotInvoked:
        if self._closed:
            return NotInvoked("stopping", "the daemon stops")
        now = self._loop.time()
        if not self._workers and not self._starts.due(now):
            return self._starts.refusal(now)
        turn: asyncio.Future[Worker | NotInvoked] = self._loop.create_future()
        self._waiting.append(turn)
        self._start_more(self._returning())
        try:
            await asyncio.wait({turn}, timeout=RETURN_SECONDS)
            if not turn.done():
                self._start_more()
                await asyncio.wait({turn}, timeout=self.patience)
        except asyncio.CancelledError:
            if turn.done() and isinstance(worker := turn.result(), Worker):
                self.idle(worker)
            turn.cancel()
            raise
        if turn.done():
            return turn.result()
        turn.cancel()
        return NotInvoked("no_worker", f"none of {len(self._workers)} workers was free in time")

    def _refuse_all(self, refusal: NotInvoked) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(refusal)

    def _start_more(self, expected: int = 0) -> None:
        """Start one for each invocation that waits, less the `expected` ones that are free in a moment. While starts
        fail, only one is tried at a time, after its delay.
        """
        failing = self._starts.failures > 0
        if self._closed or (failing and (self.starting or not self._starts.due(self._loop.time()))):
            return
        wanted = sum(not turn.done() for turn in self._waiting) - len(self.starting) - expected
        for _ in range(min(wanted, 1) if failing else wanted):
            if len(self._workers) >= self._settings.concurrency or len(self.starting) >= STARTS_AT_ONCE:
                return
            self._start_one()

    def _start_owed(self) -> None:
        while self._owed > 0 and len(self.starting) < STARTS_AT_ONCE:
            self._owed -= 1
            self._start_one()

    def _start_next(self) -> None:
        """A start has ended, and others may have waited for it."""
        if not self._closed:
            self._start_owed()
            self._start_more(self._returning())

    def _returning(self) -> int:
        return sum(worker.returning for worker in self._workers)

    def _start_one(self) -> None:
        self._environment = self._read_environment()
        worker = Worker(self._settings, self, self._guard, self._log, LogAllowance(self._output))
        self._workers.add(worker)
        self.starting.add(worker)
        self._spawn(self._see_started(worker))

    async def _see_started(self, worker: Worker) -> None:
        try:
            await worker.start()
        except StartFailed as error:
            self.starting.discard(worker)
            self._workers.discard(worker)
            if self._closed:
                return
            self._owed = 0
            if worker in self._outdated:
                # the failure of older code says nothing about the present code
                self._outdated.discard(worker)
                self._start_kept()
            else:
                self._start_failed(str(error))

    def _start_failed(self, why: str) -> None:
        now = self._loop.time()
        if (delay := self._starts.failed(why, now)) is not None:
            self._log.warning("worker_not_started", why=why, failures=self._starts.failures, next_in=round(delay, 1))
            self._retry = self._loop.call_later(delay, self._try_again)
        if not self._workers:
            self._refuse_all(self._starts.refusal(now))

    def _try_again(self) -> None:
        """Try again though no invocation waits, so that it shows when the function can be started."""
        if not self._workers and self._starts.failures:
            self._start_one()

    def _spawn(self, work: "asyncio._CoroutineLike[None]") -> None:
        self._tasks.add(task := self._loop.create_task(work))
        task.add_done_callback(self._tasks.discard)

    # called by workers

    def idle(self, worker: Worker) -> None:
        """See `Owner.idle`."""
        if worker in self.starting:
            self.starting.discard(worker)
            self._starts.over()
            self._loop.call_soon(self._start_next)
        if worker in self._outdated:
            self._retire(worker)
            self._start_more()
            self._start_kept()
            return
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(worker)
                return
        worker.idle_since = self._loop.time()
        self.idle_workers.append(worker)
        seconds = self._options.idle_timeout_seconds
        if self._may_stop_one() and self._reaper is None and not self._closed and seconds is not None:
            self._reaper = self._loop.call_later(seconds, self._reap)

    def _may_stop_one(self) -> bool:
        return bool(self.idle_workers) and len(self._workers) > self._options.minimum_workers

    def away(self, worker: Worker) -> None:
        """See `Owner.away`."""
        if worker in self.idle_workers:
            self.idle_workers.remove(worker)

    def ended(self, worker: Worker) -> None:
        """See `Owner.ended`."""
        self.away(worker)
        if worker not in self.starting:
            self._outdated.discard(worker)
            self._workers.discard(worker)
            self._start_more()

    def _reap(self) -> None:
        """Stop workers that have been idle for long, down to the number that is kept."""
        self._reaper = None
        assert self._options.idle_timeout_seconds is not None
        latest = self._loop.time() - self._options.idle_timeout_seconds
        while self._may_stop_one() and self.idle_workers[0].idle_since <= latest:
            worker = self.idle_workers.popleft()
            self._workers.discard(worker)
            self._log.debug("worker_stopped", why="idle", workers=len(self._workers))
            self._spawn(worker.stop(STOP_SECONDS))
        if self._may_stop_one() and not self._closed:
            self._reaper = self._loop.call_later(max(self.idle_workers[0].idle_since - latest, 0.1), self._reap)
