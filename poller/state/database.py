"""The state file itself: its schema and every statement, synchronous, for one thread at a time."""

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from poller.errors import StateError
from poller.policy.progress import ShardProgress, StreamProgress
from poller.state.rows import LaneRow, ShardRow, retry_text, shards_of, window_text

SCHEMA = """
CREATE TABLE IF NOT EXISTS mappings (
    uuid TEXT PRIMARY KEY, name TEXT NOT NULL, event_source_arn TEXT NOT NULL, epoch TEXT NOT NULL, start REAL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shards (
    uuid TEXT NOT NULL, shard TEXT NOT NULL, initial INTEGER NOT NULL, finished INTEGER NOT NULL,
    PRIMARY KEY (uuid, shard)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lanes (
    uuid TEXT NOT NULL, shard TEXT NOT NULL, lane INTEGER NOT NULL, position TEXT, retry TEXT, window TEXT,
    PRIMARY KEY (uuid, shard, lane)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS paused (uuid TEXT PRIMARY KEY, since REAL NOT NULL) STRICT, WITHOUT ROWID;
"""
TABLES = ("lanes", "shards", "mappings")
"""Which hold a position; that a mapping is paused outlives its position."""
BUSY_SECONDS = 5.0
"""How long a statement waits for another process that reads the file, such as a backup."""

Change = tuple[str, str, ShardProgress]
"""Mapping, shard, and where it stands."""


class Database:
    """An open state file. Every method raises StateError, and then nothing has changed."""

    def __init__(self, path: Path, *, writable: bool = True) -> None:
        self._path = path
        self._written: dict[tuple[str, str], ShardProgress] = {}
        mode = "rw" if writable else "ro"
        try:
            self._database = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={mode}",
                uri=True,
                timeout=BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
            if writable:
                # one synchronisation for each commit, where a rollback journal needs three
                self._database.execute("PRAGMA journal_mode = WAL")
                self._database.execute("PRAGMA synchronous = FULL")
                self._database.executescript(SCHEMA)
                self._add_columns()
        except sqlite3.Error as error:
            raise self._trouble(error) from error

    def _add_columns(self) -> None:
        """What tables of an older schema lack."""
        columns = {name for _, name, *_ in self._database.execute("PRAGMA table_info(lanes)")}
        if "window" not in columns:
            self._database.execute("ALTER TABLE lanes ADD COLUMN window TEXT")

    def _trouble(self, error: Exception) -> StateError:
        return StateError(
            f"the state file {self._path} cannot be used: {error}; make room or restore the file. No position has moved"
        )

    def load(self, uuid: str) -> StreamProgress | None:
        """Everything stored of a mapping."""
        try:
            row = self._database.execute(
                "SELECT name, event_source_arn, epoch, start FROM mappings WHERE uuid = ?", (uuid,)
            ).fetchone()
            if row is None:
                return None
            shards: list[ShardRow] = self._database.execute(
                "SELECT shard, initial, finished FROM shards WHERE uuid = ?", (uuid,)
            ).fetchall()
            lanes: list[LaneRow] = self._database.execute(
                "SELECT shard, lane, position, retry, window FROM lanes WHERE uuid = ? ORDER BY shard, lane", (uuid,)
            ).fetchall()
            name, arn, epoch, start = row
            return StreamProgress(name, arn, epoch, start, shards_of(shards, lanes))
        except (sqlite3.Error, ValueError, KeyError, TypeError) as error:
            raise self._trouble(error) from error

    def begin(self, uuid: str, progress: StreamProgress) -> None:
        """In place of everything stored of the mapping."""
        row = (uuid, progress.name, progress.event_source_arn, progress.epoch, progress.start)
        changes = [(uuid, shard_id, shard) for shard_id, shard in progress.shards.items()]
        self._forget_written(uuid)
        self._transaction(
            [*_deletes(uuid), ("INSERT INTO mappings VALUES (?, ?, ?, ?, ?)", [row]), *self._statements(changes)]
        )

    def save(self, changes: Collection[Change]) -> None:
        """All of them in one transaction."""
        self._transaction(self._statements(changes))
        self._written.update(((uuid, shard_id), progress) for uuid, shard_id, progress in changes)

    def _statements(self, changes: Iterable[Change]) -> "list[Statement]":
        shards, lanes, surplus = [], [], []
        for uuid, shard_id, progress in changes:
            before = self._written.get((uuid, shard_id))
            if before is None or (before.initial, before.finished) != (progress.initial, progress.finished):
                shards.append((uuid, shard_id, progress.initial, progress.finished))
            if before is None or len(before.lanes) > len(progress.lanes):
                surplus.append((uuid, shard_id, len(progress.lanes)))
            for number, lane in enumerate(progress.lanes):
                if before is None or number >= len(before.lanes) or before.lanes[number] != lane:
                    lanes.append(
                        (uuid, shard_id, number, lane.position, retry_text(lane.retry), window_text(lane.window))
                    )
        return [
            ("INSERT OR REPLACE INTO shards VALUES (?, ?, ?, ?)", shards),
            ("DELETE FROM lanes WHERE uuid = ? AND shard = ? AND lane >= ?", surplus),
            ("INSERT OR REPLACE INTO lanes VALUES (?, ?, ?, ?, ?, ?)", lanes),
        ]

    def drop(self, uuid: str, shard_ids: Collection[str]) -> None:
        """Shards of one mapping."""
        rows = [(uuid, shard_id) for shard_id in shard_ids]
        for row in rows:
            self._written.pop(row, None)
        self._transaction(
            [
                ("DELETE FROM lanes WHERE uuid = ? AND shard = ?", rows),
                ("DELETE FROM shards WHERE uuid = ? AND shard = ?", rows),
            ]
        )

    def stored(self) -> dict[str, tuple[str, str]]:
        """Name and ARN by uuid."""
        try:
            rows = self._database.execute("SELECT uuid, name, event_source_arn FROM mappings ORDER BY name").fetchall()
        except sqlite3.Error as error:
            raise self._trouble(error) from error
        return {uuid: (name, arn) for uuid, name, arn in rows}

    def forget(self, uuid: str) -> None:
        """Everything of a mapping."""
        self._forget_written(uuid)
        self._transaction(_deletes(uuid))

    def paused(self) -> dict[str, float]:
        """Since when, by uuid."""
        try:
            return dict(self._database.execute("SELECT uuid, since FROM paused").fetchall())
        except sqlite3.Error as error:
            raise self._trouble(error) from error

    def pause(self, uuid: str, since: float) -> None:
        """Remember it."""
        self._transaction([("INSERT OR REPLACE INTO paused VALUES (?, ?)", [(uuid, since)])])

    def resume(self, uuid: str) -> None:
        """Forget that it is paused."""
        self._transaction([("DELETE FROM paused WHERE uuid = ?", [(uuid,)])])

    def _forget_written(self, uuid: str) -> None:
        for key in [key for key in self._written if key[0] == uuid]:
            del self._written[key]

    def _transaction(self, statements: "Iterable[Statement]") -> None:
        database = self._database
        try:
            database.execute("BEGIN IMMEDIATE")
            for statement, rows in statements:
                database.executemany(statement, rows)
            database.execute("COMMIT")
        except sqlite3.Error as error:
            # what SQLite rolled back by itself is no longer open
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise self._trouble(error) from error

    def close(self) -> None:
        """Folds what was written into the file."""
        self._database.close()


Statement = tuple[str, Sequence[tuple[str | int | float | None, ...]]]
"""And its rows."""


def _deletes(uuid: str) -> list[Statement]:
    return [(f"DELETE FROM {table} WHERE uuid = ?", [(uuid,)]) for table in TABLES]  # noqa: S608 - our own names
