"""`poller run --dry-run`: reads, filters and batches as the daemon would, and neither invokes nor stores anything."""

import asyncio
from dataclasses import replace
from typing import Any

from poller.configuration import Configuration, EventSourceMapping
from poller.configuration.watching import Reader
from poller.policy.response import Outcome, Succeeded
from poller.ports.function import Function
from poller.sources.kinds import KINDS
from poller.state.kinds import kind_of
from poller.state.memory.store import MemoryStore
from poller.support import telemetry
from poller.support.printable import say

LISTEN = "127.0.0.1:0"
"""A daemon may run with the same configuration."""


class DryReader(Reader):
    """Reads the configuration, and leaves out what would move something."""

    def read(self) -> Configuration:
        """See `Reader.read`."""
        whole = super().read()
        settings, api = whole.settings, whole.settings.api
        alone: dict[str, Any] = {"state": "memory:", "fleet": None, "workers": 1}
        alone |= {"api": api.model_copy(update={"listen": LISTEN}), "failed_events": type(settings.failed_events)()}
        return replace(
            whole,
            settings=settings.model_copy(update=alone),
            mappings=[dry(mapping) for mapping in whole.mappings],
        )


def dry(mapping: EventSourceMapping) -> EventSourceMapping:
    """Without its destinations; one that would take messages away rests."""
    taken = KINDS[mapping.source.kind].competing
    return replace(mapping, on_failure_destination=None, shadow_function=None, enabled=mapping.enabled and not taken)


class DryFunction:
    """Stands in the place of a mapping's function, and accepts every event."""

    def __init__(self, function: Function, mapping: EventSourceMapping) -> None:
        self._mapping = mapping
        self.name = function.name
        self.payload_limit = function.payload_limit
        self.timeout = function.timeout
        self.refresh = function.refresh
        self.close = function.close

    async def invoke(self, event: bytes, trace: str | None = None) -> Outcome:  # noqa: ARG002 - the port's
        """Say what would be invoked."""
        name = self._mapping.name
        telemetry.logger().info("dry_run_batch", mapping=name, function=self.name, bytes=len(event))
        # of a tumbling window the answer holds the state
        return Succeeded(b'{"state": {}}')


def opened(configuration: Configuration, given: Configuration) -> MemoryStore:
    """The positions that are stored, for this process alone. Raises EnvironmentProblem."""
    settings = given.settings
    contents = asyncio.run(kind_of(settings.state).contents(settings))
    store = MemoryStore()
    for mapping in configuration.mappings:
        progress = contents.progress.get(mapping.uuid)
        if progress is not None:
            asyncio.run(store.open(mapping.uuid, progress))
        if not mapping.enabled:
            say(f"{mapping.name} rests: reading {mapping.source.name} would take its records from others", error=True)
    return store
