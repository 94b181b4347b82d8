"""The target of a mapping: invoked once per call, never retried by itself."""

from typing import Protocol

from poller.policy.response import Outcome


class Function(Protocol):
    """A target that is invoked synchronously, once per call."""

    name: str
    """As the configuration names it."""
    payload_limit: int
    """Most bytes of one event."""
    timeout: float
    """Seconds after which an invocation has failed. The outcome is given within it, give or take the connect."""

    async def invoke(self, event: bytes, trace: str | None = None) -> Outcome:
        """Invoke once and say what happened; never retry, never raise for what a function or a network can do.

        `trace` is the value of the X-Amzn-Trace-Id header to pass on, fit to be sent as it is.
        """
        ...

    def refresh(self) -> None:
        """Secrets may have changed: read them anew before the next invocation."""
        ...

    async def close(self) -> None:
        """Let go of connections and processes."""
        ...
