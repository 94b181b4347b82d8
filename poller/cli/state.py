"""`poller state`: lists the stored positions of mappings, removed ones too, and deletes them."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from poller.cli.configured import ConfigPaths, examples, loaded
from poller.policy.progress import Paused, StreamProgress
from poller.state.database import Database
from poller.state.sqlite import SqliteState, check
from poller.support.printable import say
from poller.values.errors import EnvironmentProblem, StateError

app = typer.Typer(help="What is stored: positions, and what is paused.", no_args_is_help=True)


@app.command("list", epilog=examples("state list", "state list --config poller.yaml"))
def show(config: ConfigPaths = None) -> None:
    """List every mapping in the store.

    Also while a daemon runs.
    """
    # imported here, because it is large and the daemon's command line imports this module
    from poller.cli.output import console, table  # noqa: PLC0415

    stored, paused = _stored(loaded(config).settings.state_path)
    if not stored and not paused:
        say("no position is stored")
        return
    shown = table("mapping", "uuid", "source", "shards", "finished", "in retry", "paused since")
    for uuid, progress in stored.items():
        shards = progress.shards.values()
        shown.add_row(
            progress.name,
            uuid,
            progress.event_source_arn,
            str(len(shards)),
            str(sum(1 for shard in shards if shard.finished)),
            str(sum(1 for shard in shards for lane in shard.lanes if lane.retry)),
            _since(paused.pop(uuid, None)),
        )
    for uuid, row in paused.items():
        shown.add_row(row.name or "", uuid, "", "", "", "", _since(row))
    console().print(shown)


def _since(paused: Paused | None) -> str:
    return "" if paused is None else datetime.fromtimestamp(paused.since, UTC).isoformat(timespec="seconds")


@app.command(epilog=examples("state forget clicks"))
def forget(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name or uuid of the mapping.")],
    config: ConfigPaths = None,
) -> None:
    """Delete the stored position of a mapping.

    Its position, and that it is paused: it begins at its starting position. No daemon may be running.
    """
    path = loaded(config).settings.state_path
    stored, paused = _stored(path)
    names = {uuid: row.name for uuid, row in paused.items()} | {uuid: row.name for uuid, row in stored.items()}
    found = [uuid for uuid, known in names.items() if name in (uuid, known)]
    if path is None or not found:
        say(f"nothing is stored of {name!r}")
        raise typer.Exit(1)
    if len(found) > 1:
        say(f"several mappings were called {name!r}; name one by its uuid: {', '.join(found)}")
        raise typer.Exit(1)
    (uuid,) = found
    with closing(SqliteState(path)) as state:
        try:
            state.forget_now(uuid)
        except StateError as error:
            raise EnvironmentProblem(str(error)) from error
    given_up = [what for what, rows in (("the position", stored), ("the pause", paused)) if uuid in rows]
    verb = "is" if len(given_up) == 1 else "are"
    say(f"{' and '.join(given_up)} of {names[uuid] or 'the mapping'} ({uuid}) {verb} given up")


def _stored(path: Path | None) -> tuple[dict[str, StreamProgress], dict[str, Paused]]:
    """Everything in the file, which may be in use. Raises EnvironmentProblem."""
    if path is None or not path.exists():
        return {}, {}
    try:
        check(path, claim=False)
        with closing(Database(path, writable=False)) as database:
            found = {uuid: database.load(uuid) for uuid in database.stored()}
            paused = database.paused()
    except (StateError, sqlite3.Error) as error:
        raise EnvironmentProblem(str(error)) from error
    return {uuid: progress for uuid, progress in found.items() if progress is not None}, paused
