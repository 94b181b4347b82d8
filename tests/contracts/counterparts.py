"""What the far end of a function may do, and what is asked of it afterwards."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

from poller.ports.function import Function

HUGE = 7_000_000
"""Bytes: more than any type of function may answer with."""


class Does(Enum):
    """What the counterpart does with an invocation."""

    ECHO = auto()
    """Answers with the event itself."""
    NOT_JSON = auto()
    """Answers with `not JSON`."""
    FAIL = auto()
    """Reports an error of the function's own."""
    THROTTLE = auto()
    """Refuses before the function runs, asking for 7 seconds."""
    REFUSE_SIZE = auto()
    WAIT = auto()
    """Echoes once `Counterpart.gate` is set."""
    HANG = auto()
    HUGE = auto()
    CUT_AT_ONCE = auto()
    """Has the event and is gone."""
    CUT_IN_HEAD = auto()
    CUT_IN_BODY = auto()
    RESET = auto()


CUTS = (Does.CUT_AT_ONCE, Does.CUT_IN_HEAD, Does.CUT_IN_BODY, Does.RESET)


@dataclass
class Counterpart:
    """Told what to do, and asked what it saw."""

    behaviours: list[Does]
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    began: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """Somebody who was hanging has been left."""
    events: list[bytes] = field(default_factory=list)
    traces: list[str | None] = field(default_factory=list)

    def next(self, event: bytes, trace: str | None) -> Does:
        self.events.append(event)
        self.traces.append(trace)
        self.began.set()
        return self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]


class Kind(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def can(self) -> frozenset[Does]: ...

    @property
    def slow(self) -> bool:
        """Whether a thousand invocations take longer than the everyday suite allows."""
        ...

    def open(
        self, *behaviours: Does, timeout: float = 20.0
    ) -> contextlib.AbstractAsyncContextManager[tuple[Function, Counterpart]]:
        """A function whose invocations end within `timeout` seconds."""
        ...
