"""`poller state`: lists the stored positions of mappings, removed ones too, and deletes them."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer

from poller.cli.configured import ConfigPaths, examples, loaded
from poller.policy.progress import Paused
from poller.state.kinds import kind_of
from poller.support.printable import say

app = typer.Typer(help="What is stored: positions, and what is paused.", no_args_is_help=True)


@app.command("list", epilog=examples("state list", "state list --config poller.yaml"))
def show(config: ConfigPaths = None) -> None:
    """List every mapping in the store.

    Also while a daemon runs.
    """
    # imported here, because it is large and the daemon's command line imports this module
    from poller.cli.output import console, table  # noqa: PLC0415

    settings = loaded(config).settings
    found = asyncio.run(kind_of(settings.state).contents(settings))
    stored, paused = found.progress, dict(found.paused)
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
    settings = loaded(config).settings
    kind = kind_of(settings.state)
    contents = asyncio.run(kind.contents(settings))
    stored, paused = contents.progress, contents.paused
    names = {uuid: row.name for uuid, row in paused.items()} | {uuid: row.name for uuid, row in stored.items()}
    found = [uuid for uuid, known in names.items() if name in (uuid, known)]
    if not found:
        say(f"nothing is stored of {name!r}")
        raise typer.Exit(1)
    if len(found) > 1:
        say(f"several mappings were called {name!r}; name one by its uuid: {', '.join(found)}")
        raise typer.Exit(1)
    (uuid,) = found
    asyncio.run(kind.forget(settings, uuid))
    given_up = [what for what, rows in (("the position", stored), ("the pause", paused)) if uuid in rows]
    verb = "is" if len(given_up) == 1 else "are"
    say(f"{' and '.join(given_up)} of {names[uuid] or 'the mapping'} ({uuid}) {verb} given up")
