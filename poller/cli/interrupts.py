"""Ends a command that goes on until a person interrupts it."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType


@contextmanager
def until_interrupted() -> Iterator[Callable[[], bool]]:
    """SIGINT ends the block quietly, as KeyboardInterrupt. What it yields says whether to go on: an exception alone may
    be raised inside a destructor or a callback, where Python prints and forgets it.
    """
    interrupted = False

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        with suppress(KeyboardInterrupt):
            yield lambda: not interrupted
    finally:
        signal.signal(signal.SIGINT, before)
