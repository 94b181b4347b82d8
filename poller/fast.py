"""Which of the optional accelerators are at work: chosen by what is installed, never by a setting."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, TypeVar

from poller.codec import ORJSON
from poller.http.connection import HTTPTOOLS

T = TypeVar("T")

loop_factory: Callable[[], asyncio.AbstractEventLoop]
try:
    import uvloop
except ImportError:
    UVLOOP, loop_factory = False, asyncio.new_event_loop
else:
    UVLOOP, loop_factory = True, uvloop.new_event_loop


def run(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` on the fastest event loop there is."""
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(main)


def describe() -> dict[str, str]:
    """For the log line of the start: what stands behind the event loop, JSON, base64 and HTTP."""
    return {
        "event_loop": f"uvloop {version('uvloop')}" if UVLOOP else "asyncio",
        "json": f"orjson {version('orjson')}" if ORJSON else "json",
        "base64": _base64(),
        "http_parser": f"httptools {version('httptools')}" if HTTPTOOLS else "own",
    }


def _base64() -> str:
    """Told without loading it, for it is loaded only where a stream is filtered."""
    # a finder may raise instead of finding nothing
    with suppress(ModuleNotFoundError):
        if find_spec("pybase64"):
            return f"pybase64 {version('pybase64')}"
    return "base64"
