"""Functions: the targets of mappings, invoked once per call and never retried by themselves."""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from poller.policy.response import Outcome
from poller.ports.status import Reason

FENCE: "ContextVar[bytes]" = ContextVar("FENCE", default=b"")
"""Header lines by which a function over HTTP can refuse what comes too late: the shard of the records, and the number
under which this daemon has it. Empty outside the lanes of a shard that daemons share.
"""


@dataclass(frozen=True, slots=True)
class Client:
    """The caller of one invocation: what it asks for beside the event."""

    context: str | None = None
    """The client context, JSON text in ASCII without line breaks."""
    tail: bool = False
    """Whether the outcome shall have the end of the function's log, also of a success."""

    @property
    def header(self) -> str:
        """The line of the Runtime API; empty without a context."""
        return "" if self.context is None else f"lambda-runtime-client-context: {self.context}\r\n"


class Function(Protocol):
    """A target that is invoked synchronously, once per call."""

    name: str
    """The function's name in the configuration."""
    payload_limit: int
    """Maximum of bytes of one event."""
    timeout: float
    """Seconds after which an invocation has failed. The outcome is returned within them, plus the time of a connect."""

    async def invoke(self, event: bytes, trace: str | None = None) -> Outcome:
        """Invoke once and say what happened; never retry, never raise for what a function or a network can do.

        `trace` is the value of the X-Amzn-Trace-Id header to pass on, fit to be sent as it is.
        """
        ...

    def refresh(self) -> None:
        """Secrets may have changed: read them again before the next invocation."""
        ...

    async def close(self) -> None:
        """Close connections and end processes."""
        ...


@runtime_checkable
class ServesClients(Protocol):
    """A function that can pass a client's context on, and tell a client the end of its log."""

    async def invoke_for(self, event: bytes, trace: str | None, client: Client | None) -> Outcome:
        """As `Function.invoke`, for this client."""
        ...


@runtime_checkable
class Restartable(Protocol):
    """A function whose workers poller starts."""

    on_restart: Callable[[], None]
    """Called after each restart: batches that were refused because no worker could start are worth another try."""

    def restart(self, why: str) -> None:
        """Start every worker anew; those that have an invocation finish it first. `why` is for the log."""
        ...


@runtime_checkable
class ReportsProblem(Protocol):
    """A function that may be unable to start, which shows before any event was handed to it."""

    def problem(self) -> Reason | None:
        """Why it cannot start; None while it can."""
        ...
