"""A log for events that may repeat a thousand times a second: few lines, and no fact left out.

The first of its kind is logged at once. What follows within ten seconds is gathered into one line that is logged when
they are over, or at the end of a run: a condition that repeats by its last occurrence and the number of repetitions,
records that were lost by the range and the number of them.
"""

import asyncio
from typing import Any

from structlog.typing import FilteringBoundLogger

from poller.policy.frontier import at_or_below

INTERVAL = 10.0
"""Seconds between two lines of the same kind."""

DIFFER = ("partition", "code", "action")
"""Fields by which one event is of several kinds: the trouble of one must not hide that of another."""

IDS = "message_ids"
MOST_IDS = 1000
"""Of one line; a service that makes ids up has no end of them."""

_Kind = tuple[Any, ...]


class _Gathered:
    """What came since the last line of its kind."""

    def __init__(self, event: str) -> None:
        self.event = event
        self.count = 0
        self.fields: dict[str, Any] = {}

    def repeat(self, fields: dict[str, Any]) -> None:
        self.count += 1
        if IDS in fields:
            # each message is named, though the rest is that of the last line
            fields[IDS] = [*self.fields.get(IDS, ()), *fields[IDS]][:MOST_IDS]
        self.fields = fields

    def widen(self, fields: dict[str, Any]) -> None:
        """By further records."""
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
        """Each time: whoever asks for that level wants all of it."""
        self._log.debug(event, **fields)

    def each(self, event: str, **fields: Any) -> None:
        """Each time: changes of state, and what happens seldom."""
        self._log.warning(event, **fields)

    def repeating(self, event: str, now: float, **fields: Any) -> None:
        """A condition that repeats. Each partition, code and action in its fields has its own. `now` is the loop's
        time.
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
        """Records that nobody will have, from one position to another. `why` is the same for all that are gathered."""
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
        """An interval is over; another begins with the line for what it brought."""
        gathered = self._gathered.pop(kind)
        del self._timers[kind]
        if gathered.count:
            self._begin(kind, gathered.event, asyncio.get_running_loop().time())
            self._write(gathered)

    def _write(self, gathered: _Gathered) -> None:
        self._log.warning(gathered.event, **gathered.fields, repeated=gathered.count)

    def flush(self) -> None:
        """Log what is gathered: the end of a run, or of a partition's."""
        for timer in self._timers.values():
            timer.cancel()
        gathered, self._gathered, self._timers = self._gathered, {}, {}
        for one in gathered.values():
            if one.count:
                self._write(one)
