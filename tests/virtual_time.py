"""Coroutine tests without waiting: an event loop that advances its own clock instead of sleeping.

A day of back-off runs in milliseconds, and what can never happen any more (nothing scheduled, nothing ready) raises
instead of hanging. Real sockets do not work on it; work handed to threads does, and takes no virtual time.
"""

import asyncio
import inspect
import math
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

EPOCH = 1_767_225_600.0
"""Virtual wall time at loop time 0: 2026-01-01T00:00:00Z."""
SPIN_LIMIT = 100_000
"""Turns of the loop at one instant after which a program is held to be spinning; honest ones need some hundreds."""
TURN_LIMIT = 1_000_000
"""Turns of one loop after which a test is held to wait for what never comes, while something else goes on for ever."""

THREAD_SECONDS = 60
"""Real seconds for which a test may wait for a thread of the loop's executor."""


class Deadlock(RuntimeError):
    """Everything waits, and nothing that is scheduled can end it."""


class HotLoop(RuntimeError):
    """The program keeps the loop busy without ever waiting."""


class LeakedTasks(AssertionError):
    """A test ended and tasks it started were still running."""


class VirtualClock:
    """Wall time of the running loop: `EPOCH` plus its own time. `skew` shifts it, as a badly set machine would."""

    def __init__(self, skew: float = 0.0) -> None:
        self.skew = skew

    def now(self) -> float:
        return EPOCH + self.skew + asyncio.get_running_loop().time()


class _AdvancingSelector(selectors.DefaultSelector):
    """Never sleeps: tells its loop by how much to advance."""

    loop: "VirtualTimeLoop"
    turns = 0
    """At this instant."""
    all_turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.turns += 1
        if self.turns > SPIN_LIMIT:
            raise HotLoop(f"{SPIN_LIMIT} turns of the loop at {self.loop.time():.3f} s; {self.loop.describe_tasks()}")
        self.all_turns += 1
        if self.all_turns > self.loop.turn_limit:
            raise Deadlock(f"{self.loop.turn_limit} turns of the loop without an end; {self.loop.describe_tasks()}")
        # nothing but a thread, a signal or a file beside the loop's own can be ready; asking costs a tenth of a turn
        outside = self.loop.threads_running or self.loop._signal_handlers or len(self._fd_to_key) > 1  # type: ignore[attr-defined] # noqa: SLF001
        ready = super().select(0) if outside else []
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if self.loop.threads_running:
            if ready := super().select(THREAD_SECONDS):
                return ready
            raise Deadlock(f"a thread has not ended for {THREAD_SECONDS} s; {self.loop.describe_tasks()}")
        if timeout is None:
            raise Deadlock(f"at {self.loop.time():.3f} s nothing is scheduled; {self.loop.describe_tasks()}")
        self.turns = 0
        self.loop.advance(timeout)
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Starts at 0 seconds."""

    turn_limit = TURN_LIMIT

    def __init__(self) -> None:
        self._now = 0.0
        self.threads_running = 0
        selector = _AdvancingSelector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        """To the first timer exactly, where the sum would miss it by a rounding error."""
        due = self._scheduled[0].when()  # type: ignore[attr-defined]
        self._now = due if math.isclose(due, self._now + seconds) else self._now + seconds

    @property
    def timers(self) -> int:
        """How many are scheduled."""
        return len(self._scheduled)  # type: ignore[attr-defined]

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:  # type: ignore[override]
        future = super().run_in_executor(executor, func, *args)
        self.threads_running += 1
        future.add_done_callback(self._thread_done)
        return future

    def _thread_done(self, _: object) -> None:
        self.threads_running -= 1

    def describe_tasks(self) -> str:
        """Who waits where, for the message of an error."""
        places = [f"{task.get_name()} at {_innermost(task)}" for task in asyncio.all_tasks(self)]
        return "waiting: " + (", ".join(sorted(places)) or "no task")

    async def shutdown_default_executor(self, *timeout: float) -> None:
        self.threads_running += 1
        try:
            await super().shutdown_default_executor(*timeout)
        finally:
            self.threads_running -= 1


def _innermost(task: "asyncio.Task[Any]") -> str:
    awaited: Any = task.get_coro()
    while inspect.iscoroutine(getattr(awaited, "cr_await", None)):
        awaited = awaited.cr_await
    frame = getattr(awaited, "cr_frame", None)
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else repr(awaited)


def run(main: Coroutine[Any, Any, T], *, loop_factory: Callable[[], asyncio.AbstractEventLoop] = VirtualTimeLoop) -> T:
    """Run `main` on a new loop; an error is whatever it raises, then tasks it leaves, then unhandled exceptions."""
    unhandled: list[BaseException] = []
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.get_loop().set_exception_handler(
            lambda _, context: unhandled.append(context.get("exception") or RuntimeError(context["message"]))
        )
        result = runner.run(_without_leaks(main))
    if unhandled:
        raise unhandled[0]
    return result


async def _without_leaks(main: Coroutine[Any, Any, T]) -> T:
    result = await main
    for _ in range(3):  # a task that was cancelled last ends within these turns
        await asyncio.sleep(0)
    leaked = asyncio.all_tasks() - {asyncio.current_task()}
    if leaked:
        raise LeakedTasks(", ".join(sorted(repr(task) for task in leaked)))
    return result
