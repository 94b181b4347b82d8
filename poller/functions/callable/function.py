"""Invokes a Python callable with a batch: a coroutine function on the event loop, a plain one in a thread."""

import asyncio
import inspect
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any

from poller.functions import function_errors
from poller.functions.callable.answers import cancelled, outcome_of_error, outcome_of_result
from poller.functions.callable.context import LambdaContext
from poller.functions.callable.settings import Callable, Handler
from poller.functions.callable.threads import Threads
from poller.policy.response import NotInvoked, Outcome
from poller.support import codec

if TYPE_CHECKING:
    # it brings rich, and every load of a configuration imports this module
    from structlog.typing import FilteringBoundLogger

CLOSE_SECONDS = 5.0
"""Seconds for cancelled handlers to end when the function is closed."""


class _Exited(Exception):
    """The handler raised SystemExit, which would end the event loop and the program with it."""


class CallableFunction:
    """See `Function`. What the handler raises is an error of the function."""

    def __init__(self, name: str, settings: Callable, *, function_arn: str, log: "FilteringBoundLogger") -> None:
        """Call it inside the running loop."""
        self.name = name
        self.payload_limit = settings.max_payload_bytes
        self._settings = settings
        self._arn = function_arn
        self._log = log
        self._function_name = function_arn.split(":")[6] if function_arn.count(":") >= 6 else name
        self._log_stream = f"[{function_errors.VERSION}]{uuid.uuid4().hex}"
        self._time = asyncio.get_running_loop().time
        self._tasks: set[asyncio.Task[Any]] = set()
        self._threads = None if _is_coroutine_function(settings.handler) else Threads(name, settings.concurrency)
        # a plain handler may have to wait for a thread first
        self.timeout = settings.timeout_seconds * (1 if self._threads is None else 2)

    async def invoke(self, event: bytes, trace: str | None = None) -> Outcome:
        """See `Function.invoke`."""
        if self._threads is None:
            return await self._on_loop(event, trace)
        return await self._in_thread(self._threads, event, trace)

    def _context(self, trace: str | None) -> LambdaContext:
        return LambdaContext(
            aws_request_id=str(uuid.uuid4()),
            function_name=self._function_name,
            invoked_function_arn=self._arn,
            memory_limit_in_mb=str(self._settings.memory_size),
            log_group_name=f"/aws/lambda/{self._function_name}",
            log_stream_name=self._log_stream,
            deadline=self._time() + self._settings.timeout_seconds,
            now=self._time,
            write=self._log.info,
            xray_trace_id=trace,
        )

    async def _on_loop(self, event: bytes, trace: str | None) -> Outcome:
        context = self._context(trace)
        request_id, seconds = context.aws_request_id, self._settings.timeout_seconds
        task = asyncio.get_running_loop().create_task(_run(self._settings.handler, event, context))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        try:
            # not `asyncio.timeout`: a handler that ignores its cancellation would hold its deadline up
            done, _ = await asyncio.wait({task}, timeout=seconds)
        finally:
            task.cancel()
        if not done:
            return function_errors.timed_out(request_id, seconds)
        if task.cancelled():
            return cancelled(request_id)
        error = task.exception()
        if isinstance(error, _Exited):
            error = error.__cause__
        return outcome_of_result(request_id, task.result()) if error is None else outcome_of_error(request_id, error)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            # otherwise asyncio reports the error of a handler whose deadline had passed
            task.exception()

    async def _in_thread(self, threads: Threads, event: bytes, trace: str | None) -> Outcome:
        seconds = self._settings.timeout_seconds
        thread = await threads.take(seconds)
        if thread is None:
            text = f"each of {self._settings.concurrency} threads still runs a handler whose timeout is over"
            return NotInvoked("no_worker", text)
        context = self._context(trace)
        request_id = context.aws_request_id
        future, ended = threads.start(thread, partial(_call, self._settings.handler, event, context))
        try:
            async with asyncio.timeout(seconds):
                await ended.wait()
        except TimeoutError:
            return function_errors.timed_out(request_id, seconds)
        error = future.exception()
        return outcome_of_result(request_id, future.result()) if error is None else outcome_of_error(request_id, error)

    def refresh(self) -> None:
        """Changes nothing, because the program has its own secrets."""

    async def close(self) -> None:
        """Cancel the handlers that still run on the loop, and wait at most `CLOSE_SECONDS`. A thread ends by itself."""
        if self._threads is not None:
            self._threads.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_SECONDS)


async def _run(handler: Handler, event: bytes, context: LambdaContext) -> Any:
    try:
        return await handler(codec.loads(event), context)
    except SystemExit as error:
        raise _Exited from error


def _call(handler: Handler, event: bytes, context: LambdaContext) -> Any:
    return handler(codec.loads(event), context)


def _is_coroutine_function(handler: Any) -> bool:
    """Whether it is a coroutine function; of an object that can be called, its `__call__` decides."""
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None))  # noqa: B004
