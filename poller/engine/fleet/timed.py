"""Counts and times the calls of a fleet's store, for the status."""

import time
from collections.abc import Callable
from typing import Any

from poller.ports.fleet_status import FleetStatus

READS = frozenset({"load", "stored", "paused", "actions", "members", "leases", "mappings", "mappings_version", "look"})
"""Calls that write nothing."""


class TimedStore:
    """A `FleetStore`; whatever is not said here is what is wrapped."""

    def __init__(self, store: Any, status: FleetStatus, clock: Callable[[], float] = time.perf_counter) -> None:
        self._store = store
        self._status = status
        self._clock = clock

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if name in ("listen", "problem"):
            return found

        async def timed(*given: Any, **named: Any) -> Any:
            status, began, outcome = self._status, self._clock(), "failed"
            try:
                result = await found(*given, **named)
                outcome = "succeeded"
            finally:
                status.seconds.observe(self._clock() - began)
                status.calls[outcome] += 1
                status.writes += name not in READS
            return result

        # the next call finds it without asking here
        setattr(self, name, timed)
        return timed
