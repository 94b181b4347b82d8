"""The state file as the daemons of one machine share it: leases beside the positions.

The tables are made when the first daemon joins. The positions stay in the tables that a single daemon uses, so that one
daemon, and later several, go on where the other left off.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

from poller.policy.progress import ShardProgress, StreamProgress, replaces
from poller.ports.fleet import Claimed, Lease, MemberState, Write
from poller.state.rows import NONSENSE, shards_of
from poller.state.sqlite.database import deletes
from poller.state.sqlite.fleet_members import SharedDatabase
from poller.values.stored_mapping import StoredMapping

LEASES = """
SELECT l.shard, l.owner, l.fence, l.version, l.next, coalesce(s.finished, 0)
FROM fleet_leases AS l LEFT JOIN shards AS s ON s.uuid = l.uuid AND s.shard = l.shard WHERE l.uuid = :uuid
UNION ALL
SELECT s.shard, NULL, 0, 0, NULL, 1 FROM shards AS s WHERE s.uuid = :uuid AND s.finished
AND NOT EXISTS (SELECT 1 FROM fleet_leases AS l WHERE l.uuid = s.uuid AND l.shard = s.shard)
"""
CLAIM = """
INSERT INTO fleet_leases (uuid, shard, owner, fence, version, next) VALUES (?, ?, ?, ?, 0, NULL)
ON CONFLICT (uuid, shard) DO UPDATE SET owner = excluded.owner, fence = excluded.fence, version = 0, next = NULL
"""

OPENED = """
INSERT INTO fleet_openings (uuid, number) VALUES (?, 1) ON CONFLICT (uuid) DO UPDATE SET number = number + 1
"""


class FleetDatabase(SharedDatabase):
    """An open state file, with the writes of `FleetStore`. Each is one transaction. Raises StateError."""

    # shards

    def leases(self, uuid: str) -> dict[str, Lease]:
        """See `FleetStore.leases`."""
        rows = self._read(LEASES, {"uuid": uuid})
        return {
            shard: Lease(owner, fence, version, to, bool(finished))
            for shard, owner, fence, version, to, finished in rows
        }

    def _lease(self, uuid: str, shard_id: str) -> Lease | None:
        rows = self._read(
            "SELECT l.owner, l.fence, l.version, l.next, coalesce(s.finished, 0) FROM fleet_leases AS l "
            "LEFT JOIN shards AS s ON s.uuid = l.uuid AND s.shard = l.shard WHERE l.uuid = ? AND l.shard = ?",
            (uuid, shard_id),
        )
        if not rows:
            return None
        owner, fence, version, to, finished = rows[0]
        return Lease(owner, fence, version, to, bool(finished))

    def claim(self, uuid: str, shard_id: str, member: str, seen: Lease) -> Claimed | None:
        """See `FleetStore.claim`."""
        return self._once(self._claim, uuid, shard_id, member, seen)

    def _claim(self, uuid: str, shard_id: str, member: str, seen: Lease) -> Claimed | None:
        stored = self._shard(uuid, shard_id)
        row = self._lease(uuid, shard_id) or Lease(finished=stored.finished)
        claimed = Lease(member, seen.fence + 1)
        if row != claimed:
            if (row.owner, row.fence) != (seen.owner, seen.fence) or row.finished:
                return None
            self._database.execute(CLAIM, (uuid, shard_id, member, claimed.fence))
        # another daemon may have written it since this one did
        self._written.pop((uuid, shard_id), None)
        return Claimed(claimed.fence, stored)

    def _shard(self, uuid: str, shard_id: str) -> ShardProgress:
        """With nothing read where nothing is stored of it."""
        key = (uuid, shard_id)
        shards = self._read("SELECT shard, initial, finished, start FROM shards WHERE uuid = ? AND shard = ?", key)
        lanes = self._read(
            "SELECT shard, lane, position, retry, window FROM lanes WHERE uuid = ? AND shard = ? ORDER BY lane", key
        )
        try:
            return shards_of(shards, lanes).get(shard_id, ShardProgress())
        except NONSENSE as error:
            raise self._state_error(error) from error

    def write(self, member: str, writes: Sequence[Write]) -> set[tuple[str, str]]:
        """See `FleetStore.write`."""
        stored: list[tuple[str, str, ShardProgress]] = []
        lost = self._once(self._write_all, member, writes, stored)
        self._written.update(((uuid, shard_id), progress) for uuid, shard_id, progress in stored)
        return lost

    def _write_all(
        self, member: str, writes: Sequence[Write], stored: list[tuple[str, str, ShardProgress]]
    ) -> set[tuple[str, str]]:
        known = {uuid for (uuid,) in self._read("SELECT uuid FROM mappings")}
        lost = set()
        for one in writes:
            outcome = self._write(member, one, there=one.uuid in known)
            if outcome is None:
                lost.add((one.uuid, one.shard_id))
            elif outcome and one.progress is not None:
                stored.append((one.uuid, one.shard_id, one.progress))
        for statement, rows in self._statements(stored):
            self._database.executemany(statement, rows)
        return lost

    def _write(self, member: str, one: Write, *, there: bool) -> bool | None:
        """Whether this changes the row's lease; None where the shard is lost."""
        finished = one.progress is not None and one.progress.finished
        ended = one.release or finished
        row = self._lease(one.uuid, one.shard_id)
        if row is None or row.fence != one.fence:
            return None
        if row.owner != member:
            return False if ended and row.owner is None else None
        if row.version >= one.version:
            return False
        if not there:
            return None
        after = replace(row, owner=None if ended else member, version=one.version, next=one.to if one.release else None)
        self._database.execute(
            "UPDATE fleet_leases SET owner = ?, version = ?, next = ? WHERE uuid = ? AND shard = ?",
            (after.owner, after.version, after.next, one.uuid, one.shard_id),
        )
        return True

    # positions

    def opened(self, uuid: str) -> StreamProgress | None:
        """What `load` gives, with the opening that it is of."""
        # first: what is replaced meanwhile has another one
        rows = self._read("SELECT number FROM fleet_openings WHERE uuid = ?", (uuid,))
        found = self.load(uuid)
        return None if found is None else replace(found, opening=str(rows[0][0] if rows else 0))

    def open(
        self, uuid: str, first: StreamProgress, instead_of: StreamProgress | None, by: str | None
    ) -> StreamProgress:
        """See `FleetStore`."""
        return self._once(self._open, uuid, first, instead_of, by)

    def _open(
        self, uuid: str, first: StreamProgress, instead_of: StreamProgress | None, by: str | None
    ) -> StreamProgress:
        stands = self.opened(uuid)
        if stands is not None and not (
            replaces(instead_of, stands) and (by is None or self._state_of(by) not in (None, MemberState.DEAD))
        ):
            return stands
        execute = self._database.execute
        execute(OPENED, (uuid,))
        execute(
            "UPDATE fleet_leases SET owner = NULL, fence = fence + 1, version = 0, next = NULL WHERE uuid = ?", (uuid,)
        )
        for statement, rows in self._replacing(uuid, first):
            self._database.executemany(statement, rows)
        return self.opened(uuid) or first

    def write_mapping(self, mapping: StoredMapping) -> bool:
        """See `FleetStore`."""
        return self._once(self._write_revision, mapping)

    def _write_revision(self, mapping: StoredMapping) -> bool:
        statements = self._revision(mapping)
        for statement, rows in statements:
            self._database.executemany(statement, rows)
        return bool(statements)

    def drop(self, uuid: str, shard_ids: Collection[str]) -> None:
        """See `FleetStore`."""
        self._once(self._drop, uuid, shard_ids)

    def _drop(self, uuid: str, shard_ids: Collection[str]) -> None:
        rows = [
            (uuid, shard_id)
            for shard_id in shard_ids
            if self._read("SELECT 1 FROM shards WHERE uuid = ? AND shard = ? AND finished", (uuid, shard_id))
        ]
        for table in ("lanes", "shards", "fleet_leases"):
            self._database.executemany(f"DELETE FROM {table} WHERE uuid = ? AND shard = ?", rows)  # noqa: S608 - our own names
        for row in rows:
            self._written.pop(row, None)

    def forget(self, uuid: str) -> None:
        """See `FleetStore`."""
        self._forget_written(uuid)
        self._transaction([*deletes(uuid), ("DELETE FROM fleet_leases WHERE uuid = ?", [(uuid,)])])
