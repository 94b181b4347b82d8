"""The settings of a Python callable, given by the program that embeds the engine."""

import collections.abc
from dataclasses import dataclass, field
from typing import Any

from poller.configuration.model.functions import FunctionOptions
from poller.values.limits import LONGEST_HOLD_SECONDS, SYNCHRONOUS_PAYLOAD_BYTES

SECONDS = 30.0
CONCURRENCY = 10
MEMORY_MB = 128
"""Lambda's default."""

Handler = collections.abc.Callable[[Any, Any], Any]
"""`async def handler(event, context)`, or a plain `def`, which runs in a thread."""


@dataclass(frozen=True, slots=True)
class Callable(FunctionOptions):
    """A function that is a Python callable. `context` has the members of Lambda's context object."""

    handler: Handler = field(hash=False)
    timeout_seconds: float = SECONDS
    """Seconds for one invocation. At its end a coroutine is cancelled; a thread cannot be, and keeps its place in
    `concurrency` until the handler returns."""
    concurrency: int = CONCURRENCY
    """Most invocations at once, for all mappings together, and most threads of a plain handler."""
    max_payload_bytes: int = SYNCHRONOUS_PAYLOAD_BYTES
    """Most bytes of one event."""
    memory_size: int = MEMORY_MB
    """MB that the context object reports. Nothing enforces it."""

    def __post_init__(self) -> None:
        """Raise TypeError or ValueError for what cannot be used."""
        if not callable(self.handler):
            raise TypeError(f"handler: {self.handler!r} cannot be called; pass a function of event and context")
        for name in ("timeout_seconds", "concurrency", "max_payload_bytes"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}: is {getattr(self, name)}; it must be more than 0")
        if self.timeout_seconds > LONGEST_HOLD_SECONDS:
            raise ValueError(
                f"timeout_seconds: is {self.timeout_seconds:g}; it must be at most {LONGEST_HOLD_SECONDS}: a "
                "queue hides a message no longer than that"
            )

    @property
    def target(self) -> "Callable":
        """See `FunctionOptions.target`."""
        return self
