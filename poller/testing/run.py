"""Runs one mapping until it is settled, for a test that may or may not have an event loop of its own."""

import asyncio
import functools
import inspect
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

from poller.configuration import Configuration
from poller.engine.app import Poller
from poller.engine.embedding import configure
from poller.functions.callable import Callable as Function
from poller.functions.callable import Handler
from poller.state.memory.store import MemoryStore

SECONDS = 30.0
"""For one run: a few batches, and a retry or two."""
GRACE_SECONDS = 0
"""A settled mapping has nothing in flight, so that a long poll that still waits can be cut."""


@dataclass(slots=True)
class MappingRun:
    """The outcome of one run."""

    events: list[Any] = field(default_factory=list)
    """Every event the handler was called with, in the order of the calls."""
    counters: dict[str, int] = field(default_factory=dict)
    """The mapping's counters, by the names that `poller status --json` gives them."""

    @property
    def records(self) -> list[Any]:
        """The records of all events, those that were delivered again included."""
        return [record for event in self.events for record in event.get("Records", [])]

    @property
    def delivered(self) -> int:
        """Number of records on which the handler succeeded."""
        return self.counters["delivered"]


class MappingRuns:
    """The value of the fixture. Positions in a stream are kept from one run of a test to the next."""

    def __init__(self) -> None:
        self._store = MemoryStore()
        self._names: dict[str, str] = {}

    def __call__(
        self,
        event_source_arn: str,
        handler: Handler | Function,
        *,
        aws: dict[str, Any] | None = None,
        seconds: float = SECONDS,
        **parameters: Any,
    ) -> MappingRun:
        """Run the mapping until it is settled. `aws` is as in a configuration file: region, endpoint_url, profile.

        Raises ConfigurationError, EnvironmentProblem, and NotSettled after `seconds`.
        """
        run = MappingRun()
        mapping = {
            "name": self._names.setdefault(event_source_arn, f"tested-{len(self._names) + 1}"),
            "event_source_arn": event_source_arn,
            "function_name": _recorded(handler, run.events),
            **parameters,
        }
        configuration = configure(aws=aws or {}, event_source_mappings=[mapping], shutdown_grace_seconds=GRACE_SECONDS)
        _in_a_loop(lambda: self._until_settled(configuration, run, seconds))
        return run

    async def _until_settled(self, configuration: Configuration, run: MappingRun, seconds: float) -> None:
        async with Poller(configuration, store=self._store) as running:
            (status,) = running.status.mappings
            try:
                await running.settled(status.name, seconds=seconds)
            finally:
                run.counters = status.account.counters()


def _recorded(handler: Handler | Function, events: list[Any]) -> Function:
    """The same function, which also keeps its events."""
    settings = handler if isinstance(handler, Function) else Function(handler)
    call = settings.handler

    def plain(event: Any, context: Any) -> Any:
        events.append(event)
        return call(event, context)

    async def coroutine(event: Any, context: Any) -> Any:
        events.append(event)
        return await call(event, context)

    asynchronous = inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(type(call).__call__)
    recorded = coroutine if asynchronous else plain
    return replace(settings, handler=functools.update_wrapper(recorded, call))


def _in_a_loop(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run in an event loop of its own: in a thread where the test runs in one, which stands still meanwhile."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(work())
        return
    failed: list[BaseException] = []

    async def kept() -> None:
        task = asyncio.ensure_future(work())
        await asyncio.wait({task})
        if (error := task.exception()) is not None:
            failed.append(error)

    thread = threading.Thread(target=lambda: asyncio.run(kept()), name="poller_mapping")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
