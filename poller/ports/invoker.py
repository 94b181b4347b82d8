"""Invocations by name: what the front doors (Lambda's API, HTTP faces) ask of the functions that are configured."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from poller.policy.response import Outcome
from poller.ports.function import Client
from poller.values.http_face import HttpFace


@dataclass(frozen=True, slots=True)
class Hosted:
    """A function with an entry of its own in the configuration."""

    key: str
    arn: str
    type: str
    """As in the configuration: `runtime`, `http`."""
    timeout_seconds: float
    concurrency: int | None
    """Most invocations at once; None is without limit."""
    takes_context: bool
    """Whether a client context reaches it."""
    face: HttpFace | None = None
    keeps_events: bool = False
    """Whether it has a queue for the events of callers that do not wait."""
    worker: int | None = None
    """The number of the worker process that invokes it, where this one does not."""


class Invoker(Protocol):
    """The functions of the present configuration."""

    def hosted(self) -> Sequence[Hosted]:
        """All of them, by name."""
        ...

    def find(self, key: str) -> Hosted | None:
        """One of them by its key."""
        ...

    def face(self, path: str) -> Hosted | None:
        """The function whose face has this path, percent-encoded; the longest of several."""
        ...

    async def invoke(
        self, key: str, event: bytes, *, trace: str | None = None, client: Client | None = None
    ) -> Outcome:
        """Invoke once, within the function's concurrency, rate and circuit. Raises UnknownFunction."""
        ...

    async def keep(self, key: str, event: bytes, request_id: str) -> None:
        """Keep an event until the function is invoked with it. Raises UnknownFunction and CallError."""
        ...
