"""Handles signals from the start of the process to its end: even a burst of them ends nothing early.

    begin       SIGTERM and SIGINT end the process at once, quietly, with 0: it holds nothing yet. SIGHUP is remembered.
    listen      the event loop handles those that mean something
    ignore      the daemon is already stopping
    restore     for all commands except the daemon: the handlers as before

Handlers of our own instead of the event loop's, which gives signals back to their deadly defaults when it is closed.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

STOPS = (signal.SIGTERM, signal.SIGINT)
MOST_STOPS = 2
"""Signals to stop that have a meaning: the first is the soft stop, the second the hard one. Further ones are
ignored."""
_before: dict[signal.Signals, Callable[[int, FrameType | None], object] | int | None] = {}
_reloads: list[int] = []
"""SIGHUPs that were not handled yet."""


def begin() -> None:
    """Install the first handlers. Signals during Python's own start, before this, cannot be handled."""
    for number in STOPS:
        # not by an exception, which would be raised inside an import and might be swallowed or printed there
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
    """Call these functions from the running event loop from now on.

    A storm of signals costs the loop no more than three calls: `MOST_STOPS` of `stop`, and one of `reload` at a time.
    """
    loop = asyncio.get_running_loop()
    stops, reloading = 0, False

    def stopped(number: int, _: FrameType | None) -> None:
        nonlocal stops
        stops += 1
        if stops >= MOST_STOPS:
            ignore()
        loop.call_soon_threadsafe(stop, signal.Signals(number))

    def reloaded(*_: object) -> None:
        nonlocal reloading
        if not reloading:
            reloading = True
            loop.call_soon_threadsafe(begin_reload)

    def begin_reload() -> None:
        nonlocal reloading
        reloading = False
        reload()

    for number in STOPS:
        signal.signal(number, stopped)
    signal.signal(signal.SIGHUP, reloaded)
    if _reloads:
        _reloads.clear()
        reload()


def ignore() -> None:
    """Ignore all signals from now on."""
    sys.unraisablehook = _unraisable
    for number in (*STOPS, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _unraisable(told: "sys.UnraisableHookArgs") -> None:
    """Suppress the OSErrors that Python writes for signals that it had noted before they were ignored."""
    if not (isinstance(told.exc_value, OSError) and "ignored due to race condition" in str(told.exc_value)):
        sys.__unraisablehook__(told)
