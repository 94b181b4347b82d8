"""What workers counted that do not answer: as last shown, so that a sum over all workers never falls.

What a worker had in flight that has ended has gone back to its source, and counts as returned.
"""

import threading
from collections import deque
from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from poller.workers.exposition import Families, Family, parsed

Json = dict[str, Any]
IN_FLIGHT, RETURNED = "poller_in_flight_events", "poller_returned_events_total"
MOST_COUNTED = 1000
"""Ended processes that are remembered as counted. An answer that was on its way at the end comes within seconds."""


class Departed:
    """By the name of each process what it showed last, and of all that have ended the sum."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._statuses: dict[str, dict[str, Json]] = {}
        self._families: dict[str, Families] = {}
        self._status: dict[str, Json] = {}
        self._sum: Families = {}
        self._counted: deque[str] = deque(maxlen=MOST_COUNTED)
        """Processes whose last status is in the sum."""
        self._scraped: deque[str] = deque(maxlen=MOST_COUNTED)
        """The same of metrics."""

    def note_status(self, documents: Mapping[str, Json]) -> dict[str, Json]:
        """Remember what is shown; returns it without that of processes which are in the sum already."""
        with self._lock:
            new = {name: document for name, document in documents.items() if name not in self._counted}
            for name, document in new.items():
                self._statuses[name] = {
                    one["uuid"]: {
                        "counters": one["counters"],
                        "invocations": one["invocations"],
                        "in_flight": one["in_flight"] or 0,
                    }
                    for one in document["mappings"]
                }
            return new

    def add_to_status(self, whole: Json, living: AbstractSet[str], answered: Collection[str]) -> None:
        """Add what workers had counted that are not among the processes which `answered`."""
        with self._lock:
            for name in [name for name in self._statuses if name not in living and name not in answered]:
                self._counted.append(name)
                for uuid, last in self._statuses.pop(name).items():
                    _add(self._status.setdefault(uuid, {}), _returned(last))
            silent = [last for name, last in self._statuses.items() if name not in answered]
            for mapping in whole["mappings"]:
                for of_some in (self._status, *silent):
                    _add(mapping, of_some.get(mapping["uuid"], {}), only=True)

    def with_departed(self, texts: Mapping[str, str], living: AbstractSet[str]) -> list[Families]:
        """The parsed metrics of all that run, those that do not answer as they were last, and the sum of all that have
        ended.
        """
        with self._lock:
            for name, text in texts.items():
                if name not in self._scraped:
                    self._families[name] = parsed(text)
            for name in [name for name in self._families if name not in living and name not in texts]:
                self._scraped.append(name)
                self._take(self._families.pop(name))
            return [*self._families.values(), self._sum]

    def _take(self, last: Families) -> None:
        if IN_FLIGHT in last and RETURNED in last:
            returned = last[RETURNED].samples
            for key, value in last[IN_FLIGHT].samples.items():
                same = key.replace(IN_FLIGHT, RETURNED)
                returned[same] = returned.get(same, 0.0) + value
        for name, family in last.items():
            if family.adds_up:
                own = self._sum.setdefault(name, Family(family.kind, family.text))
                for key, value in family.samples.items():
                    own.samples[key] = own.samples.get(key, 0.0) + value


def _returned(last: Json) -> Json:
    counters = {**last["counters"], "returned": last["counters"]["returned"] + last["in_flight"]}
    return {"counters": counters, "invocations": last["invocations"]}


def _add(to: Json, more: Json, *, only: bool = False) -> None:
    """Add to the members of a mapping; `only` to those that it has."""
    for part, value in more.items():
        if only and part not in to:
            continue
        if isinstance(value, dict):
            to[part] = _added(to.get(part) or {}, value)
        else:
            to[part] = (to.get(part) or 0) + value


def _added(one: Json, other: Json) -> Json:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}
