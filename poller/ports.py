"""What is pluggable, as protocols: the lane loop and the supervisor know sources and functions only through these.

A mapping reads one `Source`; a source has partitions, the unit of restart; a partition has lanes, each strictly
sequential. Concurrency is more lanes, never more than one batch in one lane.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from poller.policy.response import Outcome
from poller.record import Record


class Clock(Protocol):
    """Wall time. Monotonic time is the event loop's own `time()`."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...


class Function(Protocol):
    """A target that is invoked synchronously, once per call."""

    name: str
    """As the configuration names it."""
    payload_limit: int
    """Most bytes of one event."""
    timeout: float
    """Seconds after which an invocation has failed. The answer is given within it, give or take the connect."""

    async def invoke(self, event: bytes) -> Outcome:
        """Invoke once and say what happened; never retry, never raise for what a function or network can do."""
        ...

    async def close(self) -> None:
        """Let go of connections and processes."""
        ...
