"""Uses compiled modules, uvloop, orjson and pybase64 where they are installed. No setting turns them on."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, TypeVar

from poller.support.built import built
from poller.support.codec import ORJSON

T = TypeVar("T")

LEFTOVER_SECONDS = 1.0
"""Seconds for tasks that still run at the end; the file watcher needs most of it."""

loop_factory: Callable[[], asyncio.AbstractEventLoop]
try:
    import uvloop
except ImportError:
    UVLOOP, loop_factory = False, asyncio.new_event_loop
else:
    UVLOOP, loop_factory = True, uvloop.new_event_loop


def run(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` on the fastest event loop that is installed, with a bounded end. Tasks that do not end when they
    are cancelled are left behind, and so are threads of the loop's pool, for which `asyncio.run` would wait for ever.
    """
    loop = loop_factory()
    try:
        asyncio.set_event_loop(loop)
        try:
            return loop.run_until_complete(main)
        finally:
            loop.run_until_complete(_cancel_what_is_left())
    finally:
        asyncio.set_event_loop(None)
        loop.close()


async def _cancel_what_is_left() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=LEFTOVER_SECONDS)
    with suppress(TimeoutError):
        async with asyncio.timeout(LEFTOVER_SECONDS):
            await asyncio.get_running_loop().shutdown_asyncgens()


def describe() -> dict[str, str]:
    """For the log line of the start: the implementations of data plane, event loop, JSON and base64."""
    return {
        "code": built(),
        "event_loop": f"uvloop {version('uvloop')}" if UVLOOP else "asyncio",
        "json": f"orjson {version('orjson')}" if ORJSON else "json",
        "base64": _base64(),
    }


def _base64() -> str:
    """Found out without loading the module, which is loaded only where a stream is filtered."""
    # a finder may raise instead of finding nothing
    with suppress(ModuleNotFoundError):
        if find_spec("pybase64"):
            return f"pybase64 {version('pybase64')}"
    return "base64"
