"""Blocking calls off the event loop, for disks and mounts that may never answer.

Each kind of blocking work has a thread of its own instead of a place in asyncio's shared pool: a disk that hangs then
delays nothing else. Every call has a deadline, and a call that is over its deadline can be asked for (`hung`). The
threads are daemon threads and nobody joins them, so none of them keeps the process from its exit.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from typing import Any, TypeVar, TypeVarTuple

from poller.values.errors import Overdue

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")


class Blocking:
    """Runs calls of one kind, one after the other."""

    def __init__(self, what: str, seconds: float, *, spare: int = 0) -> None:
        """`what` names for people what is being waited for. After `seconds` a call is given up. `spare` threads may
        replace one that hangs; only for calls that may run beside a hung one.
        """
        self.what = what
        self._seconds = seconds
        self._spare = spare
        self._thread = DaemonThread(what)
        self._left: list[DaemonThread] = []

    async def run(self, call: Callable[[*Arguments], Result], *arguments: *Arguments) -> Result:
        """Return what `call` returns, or raise what it raises. Raises Overdue at the deadline: a call that had begun
        by then goes on and may still take effect, any other never begins.
        """
        thread = self._thread_for_next()
        future = asyncio.get_running_loop().run_in_executor(thread, call, *arguments)
        try:
            async with asyncio.timeout(self._seconds) as deadline:
                return await future
        except TimeoutError as error:
            if not deadline.expired():
                raise
            raise Overdue(f"{self.what}: no answer within {self._seconds:.0f} s") from error

    def run_now(
        self, call: Callable[[*Arguments], Result], *arguments: *Arguments, seconds: float | None = None
    ) -> Result:
        """Call where no event loop runs, for at most `seconds`. Signals are handled meanwhile."""
        limit = self._seconds if seconds is None else seconds
        future: Future[Result] = self._thread_for_next().submit(call, *arguments)
        try:
            return future.result(limit)
        except TimeoutError as error:
            if future.done():
                raise
            future.cancel()
            raise Overdue(f"{self.what}: no answer within {limit:.0f} s") from error

    @property
    def busy(self) -> bool:
        """Whether a call is running."""
        return self._thread.busy_seconds > 0

    def problem(self) -> str | None:
        """The meaning of `hung` for a person."""
        hung = self.hung
        return None if hung is None else f"{self.what}: no answer for {hung:.0f} s"

    @property
    def hung(self) -> float | None:
        """Seconds since the hanging call began; None while no call is over its deadline, or a spare thread is left."""
        seconds = self._thread.busy_seconds
        if seconds <= self._seconds or len(self._hanging()) < self._spare:
            return None
        return seconds

    def _hanging(self) -> "list[DaemonThread]":
        self._left = [thread for thread in self._left if thread.busy_seconds]
        return self._left

    def _thread_for_next(self) -> "DaemonThread":
        if self._thread.busy_seconds > self._seconds and len(self._hanging()) < self._spare:
            self._thread.shutdown()
            self._left.append(self._thread)
            self._thread = DaemonThread(self.what)
        return self._thread


class DaemonThread(Executor):
    """An executor of one daemon thread, which starts with the first call."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._started = False
        self._began: float | None = None

    @property
    def busy_seconds(self) -> float:
        """When the running call began; 0 while none runs."""
        began = self._began
        return 0.0 if began is None else time.monotonic() - began

    def submit(self, call: Callable[..., Any], /, *arguments: Any, **named: Any) -> "Future[Any]":
        """See `Executor.submit`."""
        future: Future[Any] = Future()
        self._jobs.put(lambda: _fulfil(future, call, arguments, named))
        if not self._started:
            self._started = True
            threading.Thread(target=self._work, name=self._name, daemon=True).start()
        return future

    def shutdown(self, wait: bool = False, *, cancel_futures: bool = False) -> None:  # noqa: ARG002
        """End the thread after the calls that it was given. Never waits."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._began = time.monotonic()
            job()
            self._began = None


def _fulfil(future: "Future[Any]", call: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call(*arguments, **named)
    except BaseException as error:  # noqa: BLE001  (hands every error to the caller, as every executor does)
        future.set_exception(error)
    else:
        future.set_result(result)
