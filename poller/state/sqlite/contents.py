"""What commands do with a state file: read it while a daemon uses it, and give a position up while none does."""

import sqlite3
from contextlib import closing
from pathlib import Path

from poller.state.kind import Contents
from poller.state.sqlite.database import Database
from poller.state.sqlite.file import check
from poller.state.sqlite.store import SqliteState
from poller.values.errors import EnvironmentProblem, StateError


def contents(path: Path) -> Contents:
    """Read everything in the file, which need not exist. Raises EnvironmentProblem."""
    if not path.exists():
        return Contents()
    try:
        check(path, claim=False)
        with closing(Database(path, writable=False)) as database:
            found = {uuid: database.load(uuid) for uuid in database.stored()}
            paused = database.paused()
    except (StateError, sqlite3.Error) as error:
        raise EnvironmentProblem(str(error)) from error
    return Contents({uuid: progress for uuid, progress in found.items() if progress is not None}, paused)


async def forget(path: Path, uuid: str) -> None:
    """Delete everything stored of a mapping. Raises EnvironmentProblem, also where a daemon uses the file."""
    with closing(await SqliteState.opened(path)) as state:
        try:
            await state.forget(uuid)
            await state.resume(uuid)
        except StateError as error:
            raise EnvironmentProblem(str(error)) from error
