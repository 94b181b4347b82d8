"""The connection to the state file: opened, its rows verified, and written in transactions."""

import sqlite3
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from poller.state.rows import NONSENSE, checksum
from poller.state.sqlite.schema import ADDED, AFTER_CHECKSUM, COLUMNS, SCHEMA
from poller.values.errors import StateError

BUSY_SECONDS = 5.0
"""Seconds that a statement waits for another process that reads the file, such as a backup."""


class Connection:
    """An open state file. Every method raises StateError, and then nothing has changed."""

    def __init__(self, path: Path, *, writable: bool = True) -> None:
        self._path = path
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
                database.executemany(insert(table), [(*values, checked_sum(table, values)) for values in rows])
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
                if checked_sum(table, values) != written:
                    raise self._state_error(f"a row of {table} is damaged ({values[0]})")

    def _state_error(self, error: Exception | str) -> StateError:
        return StateError(
            f"the state file {self._path} cannot be used: {error}; make room or restore the file. No position has moved"
        )

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


def checked_sum(table: str, values: Sequence[str | int | float | None]) -> int:
    covered = values[:-1] if table in AFTER_CHECKSUM and values[-1] is None else values
    return checksum(*covered)


def row_of(*values: str | float | None) -> tuple[str | int | float | None, ...]:
    return (*values, checksum(*values))


@cache
def insert(table: str) -> str:
    columns = (*COLUMNS[table], "checksum")
    # by name, because the columns of an older schema have another order
    return f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608
