"""The state file itself: every statement, synchronous, for one thread at a time."""

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from functools import cache
from pathlib import Path

from poller.policy.actions import MOST_ACTIONS, Action
from poller.policy.progress import Paused, ShardProgress, StreamProgress, replaces
from poller.state.rows import (
    NONSENSE,
    LaneRow,
    ShardRow,
    action_of,
    action_text,
    checksum,
    mapping_of,
    mapping_text,
    retry_text,
    shards_of,
    window_text,
)
from poller.state.sqlite.schema import ADDED, AFTER_CHECKSUM, COLUMNS, SCHEMA, TABLES
from poller.values.errors import StateError
from poller.values.stored_mapping import StoredMapping, follows

BUSY_SECONDS = 5.0
"""Seconds that a statement waits for another process that reads the file, such as a backup."""

Change = tuple[str, str, ShardProgress]
"""Mapping, shard and progress."""


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
            self._verify()
        except (sqlite3.Error, *NONSENSE) as error:
            raise self._state_error(error) from error

    def _add_columns(self) -> None:
        """Add the columns that an older schema lacks, all at once: later, a row without a checksum counts as
        damaged.
        """
        database = self._database
        database.execute("BEGIN IMMEDIATE")
        for table, columns in COLUMNS.items():
            there = self._columns_of(table)
            for column in ADDED.get(table, ()):
                if column not in there:
                    database.execute(f"ALTER TABLE {table} ADD COLUMN {column} TEXT")
            if "checksum" not in there:
                database.execute(f"ALTER TABLE {table} ADD COLUMN checksum INTEGER")
                rows = database.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall()  # noqa: S608 - our own names
                database.executemany(_insert(table), [(*values, _sum(table, values)) for values in rows])
        database.execute("COMMIT")

    def _columns_of(self, table: str) -> set[str]:
        return {name for _, name, *_ in self._database.execute(f"PRAGMA table_info({table})")}

    def _verify(self) -> None:
        """Check that every row is intact. Only the daemon reads the rows of an older schema."""
        for table, columns in COLUMNS.items():
            if "checksum" not in self._columns_of(table):
                raise self._state_error("it was written by an older poller; let this version's daemon start once")
            statement = f"SELECT {', '.join(columns)}, checksum FROM {table}"  # noqa: S608 - our own names
            for *values, written in self._database.execute(statement):
                if _sum(table, values) != written:
                    raise self._state_error(f"a row of {table} is damaged ({values[0]})")
        for uuid in self.stored():
            self.load(uuid)
        self.mappings()

    def _state_error(self, error: Exception | str) -> StateError:
        return StateError(
            f"the state file {self._path} cannot be used: {error}; make room or restore the file. No position has moved"
        )

    def load(self, uuid: str) -> StreamProgress | None:
        """Load everything stored of a mapping."""
        try:
            row = self._database.execute(
                "SELECT name, event_source_arn, epoch, start FROM mappings WHERE uuid = ?", (uuid,)
            ).fetchone()
            if row is None:
                return None
            shards: list[ShardRow] = self._database.execute(
                "SELECT shard, initial, finished, start FROM shards WHERE uuid = ?", (uuid,)
            ).fetchall()
            lanes: list[LaneRow] = self._database.execute(
                "SELECT shard, lane, position, retry, window FROM lanes WHERE uuid = ? ORDER BY shard, lane", (uuid,)
            ).fetchall()
            name, arn, epoch, start = row
            return StreamProgress(name, arn, epoch, start, shards_of(shards, lanes))
        except (sqlite3.Error, *NONSENSE) as error:
            raise self._state_error(error) from error

    def open(self, uuid: str, first: StreamProgress, instead_of: StreamProgress | None) -> StreamProgress:
        """Store the first progress of a mapping, or give up another stream's. Returns what is stored."""
        stands = self.load(uuid)
        if stands is not None and not replaces(instead_of, stands):
            return stands
        self._transaction(self._replacing(uuid, first))
        return self.load(uuid) or first

    def _replacing(self, uuid: str, progress: StreamProgress) -> "list[Statement]":
        """The statements that store this instead of everything that is stored of a mapping."""
        start = None if progress.start is None else float(progress.start)
        row = _row(uuid, progress.name, progress.event_source_arn, progress.epoch, start)
        changes = [(uuid, shard_id, shard) for shard_id, shard in progress.shards.items()]
        self._forget_written(uuid)
        return [*deletes(uuid), (_insert("mappings"), [row]), *self._statements(changes)]

    def save(self, changes: Collection[Change]) -> None:
        """Save all of them in one transaction."""
        self._transaction(self._statements(changes))
        self._written.update(((uuid, shard_id), progress) for uuid, shard_id, progress in changes)

    def _statements(self, changes: Iterable[Change]) -> "list[Statement]":
        shards, lanes, surplus = [], [], []
        for uuid, shard_id, progress in changes:
            before = self._written.get((uuid, shard_id))
            if before is None or _of_shard(before) != _of_shard(progress):
                values = uuid, shard_id, *_of_shard(progress)
                shards.append((*values, _sum("shards", values)))
            if before is None or len(before.lanes) > len(progress.lanes):
                surplus.append((uuid, shard_id, len(progress.lanes)))
            for number, lane in enumerate(progress.lanes):
                if before is None or number >= len(before.lanes) or before.lanes[number] != lane:
                    retry, window = retry_text(lane.retry), window_text(lane.window)
                    lanes.append(_row(uuid, shard_id, number, lane.position, retry, window))
        return [
            (_insert("shards"), shards),
            ("DELETE FROM lanes WHERE uuid = ? AND shard = ? AND lane >= ?", surplus),
            (_insert("lanes"), lanes),
        ]

    def drop(self, uuid: str, shard_ids: Collection[str]) -> None:
        """Delete shards of one mapping."""
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
        """Name and ARN of each stored mapping, by uuid."""
        try:
            rows = self._database.execute("SELECT uuid, name, event_source_arn FROM mappings ORDER BY name").fetchall()
        except sqlite3.Error as error:
            raise self._state_error(error) from error
        return {uuid: (name, arn) for uuid, name, arn in rows}

    def forget(self, uuid: str) -> None:
        """Delete everything of a mapping."""
        self._forget_written(uuid)
        self._transaction(deletes(uuid))

    def paused(self) -> dict[str, Paused]:
        """The paused mappings, by uuid."""
        try:
            rows = self._database.execute("SELECT uuid, since, name FROM paused").fetchall()
        except sqlite3.Error as error:
            raise self._state_error(error) from error
        return {uuid: Paused(since, name) for uuid, since, name in rows}

    def pause(self, uuid: str, paused: Paused) -> None:
        """Store that a mapping is paused."""
        self._transaction([(_insert("paused"), [_row(uuid, float(paused.since), paused.name)])])

    def resume(self, uuid: str) -> None:
        """Delete that a mapping is paused."""
        self._transaction([("DELETE FROM paused WHERE uuid = ?", [(uuid,)])])

    def note(self, action: Action) -> None:
        """Store an action, and forget the oldest beyond the bound."""
        forget = "DELETE FROM actions WHERE id NOT IN (SELECT id FROM actions ORDER BY at DESC, id DESC LIMIT ?)"
        row = _row(action.id, float(action.at), action_text(action))
        self._transaction([(_insert("actions"), [row]), (forget, [(MOST_ACTIONS,)])])

    def actions(self) -> list[Action]:
        """The actions, the latest first."""
        try:
            rows = self._database.execute("SELECT text FROM actions ORDER BY at DESC, id DESC").fetchall()
            return [action_of(text) for (text,) in rows]
        except (sqlite3.Error, *NONSENSE) as error:
            raise self._state_error(error) from error

    def mappings(self) -> dict[str, StoredMapping]:
        """The mappings made through Lambda's API, by uuid."""
        return self._made()

    def _made(self, where: str = "", *parameters: str) -> dict[str, StoredMapping]:
        statement = f"SELECT uuid, revision, document FROM made_mappings {where}"  # noqa: S608 - our own names
        try:
            rows = self._database.execute(statement, parameters).fetchall()
            return {uuid: mapping_of(uuid, revision, document) for uuid, revision, document in rows}
        except (sqlite3.Error, *NONSENSE) as error:
            raise self._state_error(error) from error

    def mappings_version(self) -> str:
        """Which mappings are stored, with their revisions."""
        statement = "SELECT group_concat(uuid || ':' || revision) FROM (SELECT * FROM made_mappings ORDER BY uuid)"
        try:
            ((version,),) = self._database.execute(statement)
        except sqlite3.Error as error:
            raise self._state_error(error) from error
        return version or ""

    def write_mapping(self, mapping: StoredMapping) -> bool:
        """Store a revision in the place of the one before; False where another one is stored."""
        written = self._revision(mapping)
        self._transaction(written)
        return bool(written)

    def _revision(self, mapping: StoredMapping) -> "list[Statement]":
        """The statements that store a revision; none where another one is stored."""
        if not follows(mapping, self._made("WHERE uuid = ?", mapping.uuid).get(mapping.uuid)):
            return []
        return [(_insert("made_mappings"), [_row(mapping.uuid, mapping.revision, mapping_text(mapping))])]

    def remove_mapping(self, uuid: str) -> None:
        """Delete a mapping."""
        self._transaction([("DELETE FROM made_mappings WHERE uuid = ?", [(uuid,)])])

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
            # SQLite may have rolled the transaction back by itself
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise self._state_error(error) from error

    def close(self) -> None:
        """Close the file, which merges the write-ahead log into it."""
        self._database.close()


Statement = tuple[str, Sequence[tuple[str | int | float | None, ...]]]
"""And its rows."""


def _of_shard(progress: ShardProgress) -> tuple[int, int, str | None]:
    start = None if progress.start is None else repr(float(progress.start))
    return int(progress.initial), int(progress.finished), start


def _sum(table: str, values: Sequence[str | int | float | None]) -> int:
    covered = values[:-1] if table in AFTER_CHECKSUM and values[-1] is None else values
    return checksum(*covered)


def _row(*values: str | float | None) -> tuple[str | int | float | None, ...]:
    return (*values, checksum(*values))


@cache
def _insert(table: str) -> str:
    columns = (*COLUMNS[table], "checksum")
    # by name, because the columns of an older schema have another order
    return f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608


def deletes(uuid: str) -> list[Statement]:
    """The statements that delete the position of a mapping."""
    return [(f"DELETE FROM {table} WHERE uuid = ?", [(uuid,)]) for table in TABLES]  # noqa: S608 - our own names
