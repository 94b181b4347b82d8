"""A transport that remembers what was asked of it and when, and a logger that remembers what was told."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from poller.aws.port import EventStream, Operation, Reply, ReservedBytes, Transport
from tests.fakes.queue import loop_time


@dataclass(slots=True)
class Request:
    at: float
    operation: str
    body: dict[str, Any]

    @property
    def entries(self) -> list[dict[str, Any]]:
        return list(self.body["Entries"])


@dataclass
class RecordingTransport:
    """In front of another. `after_call` runs when a call has ended, however it did."""

    transport: Transport
    requests: list[Request] = field(default_factory=list)
    after_call: Callable[[], None] = lambda: None

    async def call(
        self,
        operation: Operation,
        body: bytes,
        timeout: float | None = None,  # noqa: ASYNC109
        *,
        trace: str | None = None,
        room: ReservedBytes | None = None,
    ) -> Reply:
        self.requests.append(Request(loop_time(), operation.name, json.loads(body)))
        try:
            return await self.transport.call(operation, body, timeout, trace=trace, room=room)
        finally:
            self.after_call()

    async def subscribe(self, operation: Operation, body: bytes) -> EventStream:
        self.requests.append(Request(loop_time(), operation.name, json.loads(body)))
        return await self.transport.subscribe(operation, body)

    async def close(self) -> None:
        await self.transport.close()

    def of(self, operation: str) -> list[Request]:
        return [request for request in self.requests if request.operation == operation]

    def times(self, operation: str) -> list[float]:
        return [request.at for request in self.of(operation)]


class EventLog:
    """A logger as far as the program uses one."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def warning(self, event: str, **fields: Any) -> None:
        self.events.append((event, fields))

    debug = info = error = exception = warning

    def named(self, event: str) -> list[dict[str, Any]]:
        return [fields for name, fields in self.events if name == event]
