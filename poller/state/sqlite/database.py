"""The state file itself: every statement, synchronous, for one thread at a time."""

import sqlite3
from collections.abc import Collection, Iterable
from pathlib import Path

from poller.policy.actions import MOST_ACTIONS, Action
from poller.policy.progress import Paused, ShardProgress, StreamProgress, replaces
from poller.state.rows import (
    NONSENSE,
    LaneRow,
    ShardRow,
    action_of,
    action_text,
    mapping_of,
    mapping_text,
    retry_text,
    shards_of,
    window_text,
)
from poller.state.sqlite.connection import Statement, checked_sum, insert, row_of
from poller.state.sqlite.kept import KeptRows
from poller.state.sqlite.schema import TABLES
from poller.values.stored_mapping import StoredMapping, follows

Change = tuple[str, str, ShardProgress]
"""Mapping, shard and progress."""


class Database(KeptRows):
    """An open state file. Every method raises StateError, and then nothing has changed."""

    def __init__(self, path: Path, *, writable: bool = True) -> None:
        self._written: dict[tuple[str, str], ShardProgress] = {}
        super().__init__(path, writable=writable)

    def _verify(self) -> None:
        super()._verify()
        for uuid in self.stored():
            self.load(uuid)
        self.mappings()

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

    def open(
        self, uuid: str, first: StreamProgress, instead_of: StreamProgress | None, _by: str | None
    ) -> StreamProgress:
        """Store the first progress of a mapping, or give up another stream's. Returns what is stored."""
        stands = self.load(uuid)
        if stands is not None and not replaces(instead_of, stands):
            return stands
        self._transaction(self._replacing(uuid, first))
        return self.load(uuid) or first

    def _replacing(self, uuid: str, progress: StreamProgress) -> "list[Statement]":
        """The statements that store this instead of everything that is stored of a mapping."""
        start = None if progress.start is None else float(progress.start)
        row = row_of(uuid, progress.name, progress.event_source_arn, progress.epoch, start)
        changes = [(uuid, shard_id, shard) for shard_id, shard in progress.shards.items()]
        self._forget_written(uuid)
        return [*deletes(uuid), (insert("mappings"), [row]), *self._statements(changes)]

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
                shards.append((*values, checked_sum("shards", values)))
            if before is None or len(before.lanes) > len(progress.lanes):
                surplus.append((uuid, shard_id, len(progress.lanes)))
            for number, lane in enumerate(progress.lanes):
                if before is None or number >= len(before.lanes) or before.lanes[number] != lane:
                    retry, window = retry_text(lane.retry), window_text(lane.window)
                    lanes.append(row_of(uuid, shard_id, number, lane.position, retry, window))
        return [
            (insert("shards"), shards),
            ("DELETE FROM lanes WHERE uuid = ? AND shard = ? AND lane >= ?", surplus),
            (insert("lanes"), lanes),
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
        self._transaction([(insert("paused"), [row_of(uuid, float(paused.since), paused.name)])])

    def resume(self, uuid: str) -> None:
        """Delete that a mapping is paused."""
        self._transaction([("DELETE FROM paused WHERE uuid = ?", [(uuid,)])])

    def note(self, action: Action) -> None:
        """Store an action, and forget the oldest beyond the bound."""
        forget = "DELETE FROM actions WHERE id NOT IN (SELECT id FROM actions ORDER BY at DESC, id DESC LIMIT ?)"
        row = row_of(action.id, float(action.at), action_text(action))
        self._transaction([(insert("actions"), [row]), (forget, [(MOST_ACTIONS,)])])

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
        return [(insert("made_mappings"), [row_of(mapping.uuid, mapping.revision, mapping_text(mapping))])]

    def remove_mapping(self, uuid: str) -> None:
        """Delete a mapping."""
        self._transaction([("DELETE FROM made_mappings WHERE uuid = ?", [(uuid,)])])

    def _forget_written(self, uuid: str) -> None:
        for key in [key for key in self._written if key[0] == uuid]:
            del self._written[key]


def _of_shard(progress: ShardProgress) -> tuple[int, int, str | None]:
    start = None if progress.start is None else repr(float(progress.start))
    return int(progress.initial), int(progress.finished), start


def deletes(uuid: str) -> list[Statement]:
    """The statements that delete the position of a mapping."""
    return [(f"DELETE FROM {table} WHERE uuid = ?", [(uuid,)]) for table in TABLES]  # noqa: S608 - our own names
