"""Functions that are Python callables, with a handler that does as it is told: on the event loop, and in threads."""

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from poller.functions.callable import Callable, CallableFunction
from poller.functions.callable.context import LambdaContext
from poller.ports.function import Function
from poller.support import telemetry
from tests.contracts.counterparts import HUGE, Counterpart, Does

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:f"


class Broken(Exception):
    pass


Broken.__name__ = "KeyError"


def _answer(does: Does, event: Any) -> Any:
    match does:
        case Does.FAIL:
            raise Broken("x")
        case Does.NOT_JSON:
            return b"not JSON"
        case Does.HUGE:
            return "x" * HUGE
    return event


@dataclass(frozen=True)
class OnTheLoop:
    """A coroutine function."""

    name: str = "callable"
    can: frozenset[Does] = frozenset({Does.ECHO, Does.NOT_JSON, Does.FAIL, Does.WAIT, Does.HANG, Does.HUGE})
    slow: bool = False

    @contextlib.asynccontextmanager
    async def open(self, *behaviours: Does, timeout: float = 20.0) -> AsyncIterator[tuple[Function, Counterpart]]:  # noqa: ASYNC109
        counterpart = Counterpart(list(behaviours))

        async def handler(event: Any, context: LambdaContext) -> Any:
            does = counterpart.next(json.dumps(event, ensure_ascii=False).encode(), context.xray_trace_id)
            if does is Does.WAIT:
                await counterpart.gate.wait()
            if does is Does.HANG:
                try:
                    await asyncio.Event().wait()
                finally:
                    counterpart.gone.set()
            return _answer(does, event)

        async with contextlib.aclosing(_Closing(Callable(handler, timeout))) as opened:
            yield opened.function, counterpart


@dataclass(frozen=True)
class InThreads:
    """A plain function. A thread that hangs cannot be ended: see `tests.functions.test_callable`."""

    name: str = "callable in threads"
    can: frozenset[Does] = frozenset({Does.ECHO, Does.NOT_JSON, Does.FAIL, Does.WAIT, Does.HUGE})
    slow: bool = False

    @contextlib.asynccontextmanager
    async def open(self, *behaviours: Does, timeout: float = 20.0) -> AsyncIterator[tuple[Function, Counterpart]]:  # noqa: ASYNC109
        counterpart, lock = Counterpart(list(behaviours)), threading.Lock()
        loop = asyncio.get_running_loop()

        def handler(event: Any, context: LambdaContext) -> Any:
            with lock:
                does = counterpart.next(json.dumps(event, ensure_ascii=False).encode(), context.xray_trace_id)
            loop.call_soon_threadsafe(counterpart.began.set)
            if does is Does.WAIT:
                asyncio.run_coroutine_threadsafe(counterpart.gate.wait(), loop).result()
            return _answer(does, event)

        async with contextlib.aclosing(_Closing(Callable(handler, timeout))) as opened:
            yield opened.function, counterpart


class _Closing:
    def __init__(self, settings: Callable) -> None:
        self.function = CallableFunction("f", settings, function_arn=ARN, log=telemetry.logger())

    async def aclose(self) -> None:
        await self.function.close()
