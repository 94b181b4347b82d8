"""Reads a state file for commands, also while a daemon uses it."""

import sqlite3
from contextlib import closing
from pathlib import Path

from poller.state.kind import Contents
from poller.state.sqlite.database import Database
from poller.state.sqlite.file import check
from poller.values.errors import EnvironmentProblem, StateError


def contents(path: Path) -> Contents:
    """Read everything in the file, which need not exist. Raises EnvironmentProblem."""
    if not path.exists():
        return Contents()
    try:
        check(path, claim=False)
        with closing(Database(path, writable=False)) as database:
            found = {uuid: database.load(uuid) for uuid in database.stored()}
            paused, made = database.paused(), database.mappings()
    except (StateError, sqlite3.Error) as error:
        raise EnvironmentProblem(str(error)) from error
    return Contents({uuid: progress for uuid, progress in found.items() if progress is not None}, paused, made)
