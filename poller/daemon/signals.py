"""Signals, heard from the process's first moment to its last: a storm of them ends nothing early and kills nothing.

    begin       SIGTERM and SIGINT end the process at once, quietly, with 0: it holds nothing yet. SIGHUP is remembered.
    listen      the event loop is told of each of them
    ignore      the daemon is on its way out already
    restore     for every command but the daemon's: as they were

Handlers of our own instead of the event loop's, which gives signals back to their deadly defaults when it is closed.
"""

import asyncio
import os
import signal
from collections.abc import Callable
from types import FrameType

STOPS = (signal.SIGTERM, signal.SIGINT)
_before: dict[signal.Signals, Callable[[int, FrameType | None], object] | int | None] = {}
_reloads: list[int] = []
"""SIGHUPs that nobody has heard yet."""


def begin() -> None:
    """Until somebody listens. Python's own start, before this, cannot be helped."""
    for number in STOPS:
        # not by an exception, which would come up in the middle of an import and might be swallowed or printed there
        _before[number] = signal.signal(number, lambda *_: os._exit(0))
    _before[signal.SIGHUP] = signal.signal(signal.SIGHUP, lambda number, _: _reloads.append(number))


def restore() -> None:
    """Undo `begin`."""
    while _before:
        number, handler = _before.popitem()
        signal.signal(number, signal.SIG_DFL if handler is None else handler)
    while _reloads:
        signal.raise_signal(_reloads.pop())


def listen(stop: Callable[[signal.Signals], None], reload: Callable[[], None]) -> None:
    """From now on the running event loop calls these."""
    loop = asyncio.get_running_loop()
    for number in STOPS:
        signal.signal(number, lambda number, _: loop.call_soon_threadsafe(stop, signal.Signals(number)))
    signal.signal(signal.SIGHUP, lambda *_: loop.call_soon_threadsafe(reload))
    if _reloads:
        _reloads.clear()
        reload()


def ignore() -> None:
    """From now on nothing is heard."""
    for number in (*STOPS, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
