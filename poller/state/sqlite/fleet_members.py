"""The members of a fleet in the state file, and its transactions."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from sqlite3 import Error
from typing import Any, TypeVar

from poller.ports.fleet import MemberRow, MemberState
from poller.state.rows import NONSENSE
from poller.state.sqlite.database import Database
from poller.support import codec
from poller.values.errors import StateError

Result = TypeVar("Result")

SCHEMA = """
CREATE TABLE IF NOT EXISTS fleet (only_one INTEGER PRIMARY KEY CHECK (only_one = 1), name TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS fleet_members (
    id TEXT PRIMARY KEY, beat INTEGER NOT NULL, state TEXT NOT NULL, news INTEGER NOT NULL, facts TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fleet_leases (
    uuid TEXT NOT NULL, shard TEXT NOT NULL, owner TEXT, fence INTEGER NOT NULL, version INTEGER NOT NULL, next TEXT,
    PRIMARY KEY (uuid, shard)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fleet_openings (uuid TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"""


class SharedDatabase(Database):
    """A state file that several daemons have open. Every method raises StateError, and then nothing has changed."""

    def __init__(self, path: Path, fleet: str, *, alone: bool) -> None:
        """`alone` says that no other daemon has the file open. Raises StateError, also where the file is another
        fleet's.
        """
        super().__init__(path)
        self._once(self._take, fleet, alone)

    def _take(self, fleet: str, alone: bool) -> None:
        execute = self._database.execute
        for statement in SCHEMA.split(";"):
            execute(statement)
        if alone:
            # whoever has a row here died, or its lock would stand; so its shards need not wait for its lease
            execute("UPDATE fleet_members SET state = ?", (MemberState.DEAD,))
            execute("INSERT OR REPLACE INTO fleet (only_one, name) VALUES (1, ?)", (fleet,))
        row = execute("SELECT name FROM fleet").fetchone()
        if row != (fleet,):
            raise StateError(
                f"the state file {self._path} is used by the daemons of another fleet ({row and row[0]}): give these "
                "another `state`, or stop those first"
            )

    def _once(self, call: Callable[..., Result], *arguments: Any) -> Result:
        """Run `call` in one transaction, which changes nothing if it raises."""
        database = self._database
        try:
            database.execute("BEGIN IMMEDIATE")
            result = call(*arguments)
            database.execute("COMMIT")
        except (Error, StateError, *NONSENSE) as error:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise (error if isinstance(error, StateError) else self._state_error(error)) from error
        return result

    def _read(self, statement: str, values: Any = ()) -> list[tuple[Any, ...]]:
        try:
            return self._database.execute(statement, values).fetchall()
        except Error as error:
            raise self._state_error(error) from error

    # members

    def join(self, member: str, facts: Mapping[str, Any]) -> bool:
        """See `FleetStore.join`."""
        row = (member, MemberState.ACTIVE, codec.dumps(facts).decode())
        self._once(
            self._database.execute,
            "INSERT OR IGNORE INTO fleet_members (id, beat, state, news, facts) VALUES (?, 0, ?, 0, ?)",
            row,
        )
        return self._state_of(member) not in (None, MemberState.DEAD)

    def _state_of(self, member: str) -> str | None:
        rows = self._read("SELECT state FROM fleet_members WHERE id = ?", (member,))
        return rows[0][0] if rows else None

    def beat(self, member: str, beat: int, state: MemberState, news: int, facts: Mapping[str, Any] | None) -> bool:
        """See `FleetStore.beat`."""
        text = None if facts is None else codec.dumps(facts).decode()
        self._once(
            self._database.execute,
            "UPDATE fleet_members SET beat = ?, state = ?, news = ?, facts = coalesce(?, facts) "
            "WHERE id = ? AND state <> ? AND beat < ?",
            (beat, state, news, text, member, MemberState.DEAD, beat),
        )
        return self._state_of(member) not in (None, MemberState.DEAD)

    def bury(self, member: str, seen: int | None) -> bool:
        """See `FleetStore.bury`."""
        execute = self._database.execute
        if seen is None:
            statement = "INSERT OR IGNORE INTO fleet_members (id, beat, state, news, facts) VALUES (?, 0, ?, 0, '{}')"
            self._once(execute, statement, (member, MemberState.DEAD))
        else:
            self._once(
                execute,
                "UPDATE fleet_members SET state = ? WHERE id = ? AND beat = ?",
                (MemberState.DEAD, member, seen),
            )
        return self._state_of(member) == MemberState.DEAD

    def leave(self, member: str) -> None:
        """See `FleetStore.leave`."""
        self._once(
            self._database.execute, "UPDATE fleet_members SET state = ? WHERE id = ?", (MemberState.DEAD, member)
        )

    def members(self) -> list[MemberRow]:
        """See `FleetStore.members`."""
        rows = self._read("SELECT id, beat, state, news, facts FROM fleet_members ORDER BY id")
        try:
            return [
                MemberRow(one, beat, MemberState(state), news, codec.loads(facts.encode()))
                for one, beat, state, news, facts in rows
            ]
        except NONSENSE as error:
            raise self._state_error(error) from error

    def sweep(self, members: Collection[str]) -> None:
        """See `FleetStore.sweep`."""
        rows = [(member, MemberState.DEAD) for member in members]
        self._transaction([("DELETE FROM fleet_members WHERE id = ? AND state = ?", rows)])
