"""A rate-limited log for events that may repeat a thousand times a second: few lines, and no fact is missing.

The first event of a kind is logged at once. Those of the next ten seconds are gathered into one line, which is logged
after the ten seconds or at the end of a run. A repeating condition is logged with its last fields and the number of
repetitions, lost records with their range and number.
"""

import asyncio
from typing import Any

from structlog.typing import FilteringBoundLogger

from poller.policy.frontier import at_or_below

INTERVAL = 10.0
"""Seconds between two lines of the same kind."""

DIFFER = ("partition", "code", "action")
"""Fields that divide one event into several kinds: a problem of one partition must not hide that of another."""

IDS = "message_ids"
MOST_IDS = 1000
"""Most ids in one line, because a faulty service could invent them without end."""

_Kind = tuple[Any, ...]


class _Gathered:
    """The events since the last line of their kind."""

    def __init__(self, event: str) -> None:
        self.event = event
        self.count = 0
        self.fields: dict[str, Any] = {}

    def repeat(self, fields: dict[str, Any]) -> None:
        self.count += 1
        if IDS in fields:
            # every message is named; the other fields are those of the last event
            fields[IDS] = [*self.fields.get(IDS, ()), *fields[IDS]][:MOST_IDS]
        self.fields = fields

    def widen(self, fields: dict[str, Any]) -> None:
        """Add further lost records."""
        self.count += 1
        if not self.fields:
            self.fields = fields
            return
        known = self.fields
        known["records"] += fields["records"]
        if known["first"] is None or at_or_below(fields["first"] or known["first"], known["first"]):
            known["first"] = fields["first"] or known["first"]
        if known["last"] is None or not at_or_below(fields["last"] or known["last"], known["last"]):
            known["last"] = fields["last"]


class RateLimitedLog:
    """One mapping's logger."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log
        self._gathered: dict[_Kind, _Gathered] = {}
        self._timers: dict[_Kind, asyncio.TimerHandle] = {}

    def debug(self, event: str, **fields: Any) -> None:
        """Log each time, because the debug level is meant to be complete."""
        self._log.debug(event, **fields)

    def each(self, event: str, **fields: Any) -> None:
        """Log each time: for changes of state and rare events."""
        self._log.warning(event, **fields)

    def repeating(self, event: str, now: float, **fields: Any) -> None:
        """Log a repeating condition, limited separately for each partition, code and action in its fields. `now` is the
        loop's time.
        """
        kind = (event, *map(fields.get, DIFFER))
        found = self._gathered.get(kind)
        if found is None:
            self._begin(kind, event, now)
            self._log.warning(event, **fields)
        else:
            found.repeat(fields)

    def lost(
        self, event: str, now: float, *, partition: str, first: str | None, last: str | None, records: int, **why: Any
    ) -> None:
        """Log lost records, from one position to another. `why` is equal for all events of one line."""
        kind = (event, partition, *(f"{name}={value}" for name, value in why.items()))
        fields = {"partition": partition, "first": first, "last": last, "records": records, **why}
        found = self._gathered.get(kind)
        if found is None:
            self._begin(kind, event, now)
            self._log.warning(event, **fields)
        else:
            found.widen(fields)

    def _begin(self, kind: _Kind, event: str, now: float) -> None:
        self._gathered[kind] = _Gathered(event)
        self._timers[kind] = asyncio.get_running_loop().call_at(now + INTERVAL, self._over, kind)

    def _over(self, kind: _Kind) -> None:
        """An interval is over: log its events in one line, and begin the next interval."""
        gathered = self._gathered.pop(kind)
        del self._timers[kind]
        if gathered.count:
            self._begin(kind, gathered.event, asyncio.get_running_loop().time())
            self._write(gathered)

    def _write(self, gathered: _Gathered) -> None:
        self._log.warning(gathered.event, **gathered.fields, repeated=gathered.count)

    def flush(self) -> None:
        """Log the collected events, at the end of a run of a mapping or partition."""
        for timer in self._timers.values():
            timer.cancel()
        gathered, self._gathered, self._timers = self._gathered, {}, {}
        for one in gathered.values():
            if one.count:
                self._write(one)
