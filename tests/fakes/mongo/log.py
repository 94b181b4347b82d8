"""The change log of a MongoDB cluster in memory: what is written, the events it makes, and the tokens that name them.

It knows neither cursors nor wire. Cluster times rise with each write; the writes of one transaction share theirs.
"""

import copy
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from bson.objectid import ObjectId
from bson.timestamp import Timestamp

EVENT, INVALIDATE, PASSED = 0, 1, 2
LAST = 2**32 - 1


class Key(NamedTuple):
    """The place of an event of a stream; tokens are made of it."""

    time: int
    """Seconds and increment, as one number of 64 bits."""
    nth: int
    """Among the writes of this time."""
    kind: int

    def token(self, cluster: int) -> dict[str, str]:
        return {"_data": f"82{self.time:016X}{self.nth:08X}{self.kind:02X}{cluster:08X}"}


def key_of(token: Any) -> tuple[Key, int] | None:
    """The place and the cluster that a token names; None for what is no token of any such log."""
    data = token.get("_data") if isinstance(token, dict) else None
    if not isinstance(data, str) or len(data) != 36 or not data.startswith("82"):
        return None
    try:
        return Key(int(data[2:18], 16), int(data[18:26], 16), int(data[26:28], 16)), int(data[28:], 16)
    except ValueError:
        return None


@dataclass(slots=True)
class Entry:
    time: int
    nth: int
    database: str
    collection: str | None
    """None for what concerns the whole database."""
    change: dict[str, Any]
    """Without token and time."""

    @property
    def key(self) -> Key:
        return Key(self.time, self.nth, EVENT)


@dataclass(slots=True)
class Watch:
    database: str
    collection: str | None
    lookup: bool = False


@dataclass(slots=True)
class ChangeLog:
    clock: Callable[[], float]
    """Epoch seconds."""
    cluster: int = 1
    entries: list[Entry] = field(default_factory=list)
    documents: dict[tuple[str, str], dict[Any, dict[str, Any]]] = field(default_factory=dict)
    oldest: int = 0
    """Cluster time from which on everything is kept."""
    written: Callable[[], None] = lambda: None
    """Called after each write."""
    time: int = 0
    """Of the last write."""
    _transaction: int | None = None
    _nth: int = 0

    def __post_init__(self) -> None:
        self.time = (int(self.clock()) << 32) + 1

    def tick(self) -> int:
        """The cluster time of the next write."""
        if self._transaction is not None:
            self._nth += 1
            return self._transaction
        self._nth = 0
        self.time = max(self.time + 1, (int(self.clock()) << 32) + 1)
        return self.time

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Writes within share one cluster time, and become visible together."""
        told, self.written = self.written, lambda: None
        self._transaction, self._nth = self.tick(), -1
        try:
            yield
        finally:
            self._transaction, self.written = None, told
            told()

    def _write(self, database: str, collection: str | None, **change: Any) -> Key:
        entry = Entry(self.tick(), self._nth, database, collection, change)
        self.entries.append(entry)
        self.written()
        return entry.key

    def _of(self, database: str, collection: str) -> dict[Any, dict[str, Any]]:
        return self.documents.setdefault((database, collection), {})

    def insert(self, database: str, collection: str, document: dict[str, Any]) -> Key:
        document = document if "_id" in document else {"_id": ObjectId(), **document}
        self._of(database, collection)[document["_id"]] = document
        return self._write(
            database,
            collection,
            operationType="insert",
            fullDocument=copy.deepcopy(document),
            documentKey={"_id": document["_id"]},
        )

    def update(self, database: str, collection: str, key: Any, **fields: Any) -> Key:
        self._of(database, collection)[key].update(fields)
        description = {"updatedFields": fields, "removedFields": [], "truncatedArrays": []}
        return self._write(
            database, collection, operationType="update", documentKey={"_id": key}, updateDescription=description
        )

    def replace(self, database: str, collection: str, document: dict[str, Any]) -> Key:
        self._of(database, collection)[document["_id"]] = document
        return self._write(
            database,
            collection,
            operationType="replace",
            fullDocument=copy.deepcopy(document),
            documentKey={"_id": document["_id"]},
        )

    def delete(self, database: str, collection: str, key: Any) -> Key:
        del self._of(database, collection)[key]
        return self._write(database, collection, operationType="delete", documentKey={"_id": key})

    def drop(self, database: str, collection: str) -> Key:
        self.documents.pop((database, collection), None)
        return self._write(database, collection, operationType="drop")

    def rename(self, database: str, collection: str, to: str) -> Key:
        self.documents[database, to] = self.documents.pop((database, collection), {})
        return self._write(database, collection, operationType="rename", to={"db": database, "coll": to})

    def drop_database(self, database: str) -> Key:
        for name in [name for name in self.documents if name[0] == database]:
            self.drop(*name)
        return self._write(database, None, operationType="dropDatabase")

    def trim(self, before: int) -> None:
        """The log holds nothing older than this cluster time any more."""
        self.oldest = max(self.oldest, before)
        self.entries = [entry for entry in self.entries if entry.time >= before]

    def events(self, watch: Watch, after: Key) -> Iterator[tuple[Key, dict[str, Any]]]:
        """The events of a stream behind a place, each with its own."""
        begin = (
            bisect_right(self.entries, (after.time, -1), key=lambda entry: (entry.time, entry.nth)) if after.time else 0
        )
        for entry in self.entries[begin:]:
            if entry.database != watch.database or (watch.collection is not None and not self._concerns(entry, watch)):
                continue
            if entry.key > after:
                yield entry.key, self._event(entry, watch)
            ends = Key(entry.time, entry.nth, INVALIDATE)
            if ends > after and self._invalidates(entry, watch):
                yield ends, self._named(ends, {"operationType": "invalidate"})

    def _concerns(self, entry: Entry, watch: Watch) -> bool:
        return entry.collection in (watch.collection, None)

    def _invalidates(self, entry: Entry, watch: Watch) -> bool:
        operation = entry.change["operationType"]
        return operation == "dropDatabase" or (watch.collection is not None and operation in ("drop", "rename"))

    def _event(self, entry: Entry, watch: Watch) -> dict[str, Any]:
        change = dict(entry.change)
        if change["operationType"] == "update" and watch.lookup:
            assert entry.collection is not None
            change["fullDocument"] = self._of(entry.database, entry.collection).get(change["documentKey"]["_id"])
        namespace = {"db": entry.database} | ({} if entry.collection is None else {"coll": entry.collection})
        return self._named(entry.key, change | {"ns": namespace})

    def _named(self, key: Key, change: dict[str, Any]) -> dict[str, Any]:
        members = ("fullDocument", "ns", "to", "documentKey", "updateDescription")
        return {
            "_id": key.token(self.cluster),
            "operationType": change["operationType"],
            "clusterTime": Timestamp(key.time >> 32, key.time & LAST),
            "wallTime": datetime.fromtimestamp(key.time >> 32, UTC),
            **{name: change[name] for name in members if name in change},
        }
