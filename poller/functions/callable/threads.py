"""The threads of a plain handler: at most as many as the function's concurrency, and none keeps the process alive.

A thread cannot be cancelled. One whose handler is over its deadline keeps its place until the handler returns, so that
never more handlers run at once than the configuration allows.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from poller.support.blocking import DaemonThread

if TYPE_CHECKING:
    from concurrent.futures import Future


class Threads:
    """A bounded pool of daemon threads."""

    def __init__(self, name: str, most: int) -> None:
        """Call it inside the running loop."""
        self._name = name
        self._places = asyncio.Semaphore(most)
        self._loop = asyncio.get_running_loop()
        self._idle: list[DaemonThread] = []
        self._busy: set[DaemonThread] = set()
        self._closed = False

    async def take(self, seconds: float) -> DaemonThread | None:
        """Take a free thread; None when none became free within `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._places.acquire()
        except TimeoutError:
            return None
        thread = self._idle.pop() if self._idle else DaemonThread(self._name)
        self._busy.add(thread)
        return thread

    def start(self, thread: DaemonThread, call: Callable[[], Any]) -> tuple["Future[Any]", asyncio.Event]:
        """Run `call` on a thread that was taken, which is free again afterwards. The event is set at the end of the
        call.
        """
        ended = asyncio.Event()

        def end() -> None:
            ended.set()
            self._free(thread)

        def tell(_future: "Future[Any]") -> None:
            # the loop may be closed by now, and then nothing waits for the result
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(end)

        future = thread.submit(call)
        future.add_done_callback(tell)
        return future, ended

    def _free(self, thread: DaemonThread) -> None:
        self._busy.discard(thread)
        if not self._closed:
            self._idle.append(thread)
        self._places.release()

    def close(self) -> None:
        """Let each thread end after its present call. Waits for none of them."""
        self._closed = True
        for thread in (*self._idle, *self._busy):
            thread.shutdown()
        self._idle.clear()
