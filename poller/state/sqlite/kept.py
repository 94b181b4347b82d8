"""What is kept for people in the state file, synchronous, for one thread at a time."""

import sqlite3
from collections.abc import Collection

from poller.state.sqlite.connection import Connection, insert, row_of
from poller.values.kept import Kept


class KeptRows(Connection):
    """The rows of `KeptStore`. Every method raises StateError, and then nothing has changed."""

    def keep(self, kept: Kept) -> None:
        """Store it."""
        self._transaction([(insert("kept"), [row_of(kept.room, kept.id, float(kept.at), kept.about, kept.body)])])

    def kept(self, room: str) -> list[Kept]:
        """All of a room without their bodies, the latest first."""
        statement = "SELECT room, id, at, about FROM kept WHERE room = ? ORDER BY at DESC, id DESC"
        return self._kept(statement, room)

    def kept_one(self, room: str, key: str) -> Kept | None:
        """One of them with its body."""
        found = self._kept("SELECT room, id, at, about, body FROM kept WHERE room = ? AND id = ?", room, key)
        return found[0] if found else None

    def let_go(self, room: str, ids: Collection[str]) -> None:
        """Delete these of a room."""
        self._transaction([("DELETE FROM kept WHERE room = ? AND id = ?", [(room, key) for key in ids])])

    def _kept(self, statement: str, *values: str) -> list[Kept]:
        try:
            return [Kept(*found) for found in self._database.execute(statement, values)]
        except sqlite3.Error as error:
            raise self._state_error(error) from error
