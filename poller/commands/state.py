"""`poller state`: which positions are stored, and giving one up."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from poller.commands.configured import ConfigPaths, loaded
from poller.errors import EnvironmentProblem, StateError
from poller.policy.progress import StreamProgress
from poller.printable import say
from poller.state.database import Database
from poller.state.sqlite import SqliteState, check

app = typer.Typer(help="What is stored: positions in streams.", no_args_is_help=True)


@app.command("list")
def show(config: ConfigPaths = None) -> None:
    """Show every mapping whose position is stored, also while a daemon runs."""
    # heavy, and the daemon's command line imports this module
    from poller.commands.output import console, table  # noqa: PLC0415

    stored = _stored(loaded(config).settings.state_path)
    if not stored:
        say("no position is stored")
        return
    shown = table("mapping", "uuid", "source", "shards", "finished", "in retry")
    for uuid, progress in stored.items():
        shards = progress.shards.values()
        shown.add_row(
            progress.name,
            uuid,
            progress.event_source_arn,
            str(len(shards)),
            str(sum(1 for shard in shards if shard.finished)),
            str(sum(1 for shard in shards for lane in shard.lanes if lane.retry)),
        )
    console().print(shown)


@app.command()
def forget(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name or uuid of the mapping.")],
    config: ConfigPaths = None,
) -> None:
    """Give a mapping's position up: started again, it begins at its starting position. No daemon may be running."""
    path = loaded(config).settings.state_path
    stored = _stored(path)
    found = [uuid for uuid, progress in stored.items() if name in (uuid, progress.name)]
    if path is None or not found:
        say(f"no position of {name!r} is stored")
        raise typer.Exit(1)
    if len(found) > 1:
        say(f"several mappings were called {name!r}; name one by its uuid: {', '.join(found)}")
        raise typer.Exit(1)
    with closing(SqliteState(path)) as state:
        try:
            state.forget_now(found[0])
        except StateError as error:
            raise EnvironmentProblem(str(error)) from error
    say(f"the position of {stored[found[0]].name} ({found[0]}) is given up")


def _stored(path: Path | None) -> dict[str, StreamProgress]:
    """Everything in the file, which may be in use. Raises EnvironmentProblem."""
    if path is None or not path.exists():
        return {}
    try:
        check(path, claim=False)
        with closing(Database(path, writable=False)) as database:
            found = {uuid: database.load(uuid) for uuid in database.stored()}
    except (StateError, sqlite3.Error) as error:
        raise EnvironmentProblem(str(error)) from error
    return {uuid: progress for uuid, progress in found.items() if progress is not None}
