"""The counters of workers that have ended, as last shown: so a sum over all workers never falls.

What such a worker had in flight has gone back to its source, and counts as returned.
"""

import threading
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from poller.workers.exposition import Families, Family, parsed

Json = dict[str, Any]
IN_FLIGHT, RETURNED = "poller_in_flight_events", "poller_returned_events_total"


class Departed:
    """By the name of each process what it showed last, and of all that have ended the sum."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._statuses: dict[str, dict[str, Json]] = {}
        self._families: dict[str, Families] = {}
        self._status: dict[str, Json] = {}
        self._sum: Families = {}

    def note_status(self, documents: Mapping[str, Json]) -> None:
        """Remember what is shown."""
        with self._lock:
            for name, document in documents.items():
                self._statuses[name] = {
                    one["uuid"]: {
                        "counters": one["counters"],
                        "invocations": one["invocations"],
                        "in_flight": one["in_flight"] or 0,
                    }
                    for one in document["mappings"]
                }

    def add_to_status(self, whole: Json, living: AbstractSet[str]) -> None:
        """Add what ended workers had counted."""
        with self._lock:
            for name in [name for name in self._statuses if name not in living]:
                for uuid, last in self._statuses.pop(name).items():
                    last["counters"] = {**last["counters"]}
                    last["counters"]["returned"] += last["in_flight"]
                    known = self._status.setdefault(uuid, {})
                    for part in ("counters", "invocations"):
                        known[part] = _added(known.get(part, {}), last[part])
            for mapping in whole["mappings"]:
                for part, counted in self._status.get(mapping["uuid"], {}).items():
                    if part in mapping:
                        mapping[part] = _added(mapping[part], counted)

    def with_departed(self, texts: Mapping[str, str], living: AbstractSet[str]) -> list[Families]:
        """The parsed metrics of all that run, and one more for those that have ended."""
        with self._lock:
            for name, text in texts.items():
                self._families[name] = parsed(text)
            for name in [name for name in self._families if name not in living]:
                self._take(self._families.pop(name))
            return [*(self._families[name] for name in texts if name in self._families), self._sum]

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


def _added(one: Json, other: Json) -> Json:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}
