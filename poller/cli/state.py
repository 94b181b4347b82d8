"""`poller state`: lists the stored positions of mappings, also of removed ones, deletes them, and brings back mappings
that were deleted through Lambda's API.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from poller.cli.configured import ConfigPaths, examples, loaded
from poller.configuration import Settings
from poller.configuration.model.fields import is_name
from poller.configuration.model.fleet import FleetSettings
from poller.policy.progress import Paused
from poller.ports.store import Positions
from poller.state.contents import forget as give_up
from poller.state.contents import restore as bring_back
from poller.state.copying import copied
from poller.state.kinds import absolute, checked, kind_of
from poller.support.printable import say
from poller.values.errors import ConfigurationError
from poller.values.stored_mapping import KEPT_SECONDS, StoredMapping

Url = Annotated[str | None, typer.Argument(metavar="TO", help="Default: `state` of the configuration.")]

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
    deleted = {uuid: made for uuid, made in found.made.items() if made.deleted}
    if not stored and not paused and not deleted:
        say("no position is stored")
        return
    shown = table("mapping", "uuid", "source", "shards", "finished", "in retry", "paused since", "deleted, kept until")
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
            _until(deleted.pop(uuid, None)),
        )
    for uuid, row in paused.items():
        shown.add_row(row.name or "", uuid, "", "", "", "", _since(row), _until(deleted.pop(uuid, None)))
    for uuid, made in deleted.items():
        shown.add_row("", uuid, made.parameters["EventSourceArn"], "", "", "", "", _until(made))
    console().print(shown)


def _since(paused: Paused | None) -> str:
    return "" if paused is None else _at_second(paused.since)


def _until(deleted: StoredMapping | None) -> str:
    return "" if deleted is None else _at_second(deleted.modified + KEPT_SECONDS)


def _at_second(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="seconds")


async def _edited(settings: Settings, change: Callable[[Positions], Awaitable[None]]) -> None:
    async with kind_of(settings.state).edit(settings) as store:
        await change(store)


@app.command(epilog=examples("state forget clicks"))
def forget(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name or uuid of the mapping.")],
    config: ConfigPaths = None,
) -> None:
    """Delete the stored position of a mapping, and its pause.

    The mapping then begins at its starting position. No daemon may be running; of a fleet, none that has the mapping.
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
    if kind.unused is not None:
        asyncio.run(kind.unused(settings, uuid))
    asyncio.run(_edited(settings, lambda store: give_up(store, uuid)))
    given_up = [what for what, rows in (("the position", stored), ("the pause", paused)) if uuid in rows]
    verb = "is" if len(given_up) == 1 else "are"
    say(f"{' and '.join(given_up)} of {names[uuid] or 'the mapping'} ({uuid}) {verb} given up")


@app.command(epilog=examples("state restore 2f6d1d0e-5f0c-4d5e-9c55-5d3f0a7e1b11"))
def restore(
    uuid: Annotated[str, typer.Argument(metavar="UUID", help="Of the mapping, as `poller state list` shows it.")],
    config: ConfigPaths = None,
) -> None:
    """Bring back a mapping that was deleted.

    One that was deleted through Lambda's API within the last week goes on from the position it had. Daemons that share
    the store run it within five seconds; of a state file no daemon may be running.
    """
    settings = loaded(config).settings
    made = asyncio.run(kind_of(settings.state).contents(settings)).made
    found = made.get(uuid)
    if found is None or not found.deleted:
        say(f"no deleted mapping {uuid!r} is stored" if found is None else f"the mapping {uuid} was not deleted")
        raise typer.Exit(1)
    twins = [other for other in made.values() if not other.deleted and _of(other) == _of(found)]
    if twins:
        say(f"the mapping {twins[0].uuid} has the same source and function by now; delete that one first")
        raise typer.Exit(1)
    asyncio.run(_edited(settings, lambda store: bring_back(store, found, time.time())))
    say(f"the mapping {uuid} runs again, from the position it had")


def _of(made: StoredMapping) -> tuple[object, ...]:
    documents = made.parameters.get("DocumentDBEventSourceConfig", {})
    read = documents.get("DatabaseName"), documents.get("CollectionName")
    return made.parameters["EventSourceArn"], made.parameters["FunctionName"], read


@app.command(epilog=examples("state migrate", "state migrate --print --config poller.yaml"))
def migrate(
    config: ConfigPaths = None,
    *,
    only_print: Annotated[
        bool, typer.Option("--print", help="Print what it would do instead, for somebody with more rights.")
    ] = False,
) -> None:
    """Make the tables of the store, or see that they are right.

    The daemon does it by itself where its role may.
    """
    settings = loaded(config).settings
    kind = kind_of(settings.state)
    if kind.prepare is None or kind.script is None:
        say("nothing is to be made: the daemon makes this store by itself")
    elif only_print:
        for line in kind.script(settings.state).splitlines():
            say(line)
    else:
        say(asyncio.run(kind.prepare(settings)))


@app.command(
    epilog=examples(
        "state copy sqlite:////var/lib/poller/state.db",
        "state copy sqlite:///old.db sqlite:///new.db",
        "state copy postgresql://poller@db/poller --fleet orders",
    )
)
def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="The URL of a store, as `state` in the configuration.")],
    target: Url = None,
    *,
    fleet: Annotated[
        str | None,
        typer.Option("--fleet", metavar="NAME", help="The fleet in FROM. Default: a daemon in none."),
    ] = None,
    config: ConfigPaths = None,
) -> None:
    """Copy everything from one store into another, which is empty.

    Positions, retry states, windows, pauses, the action log, and mappings made through the API; in a database, into
    what the fleet of the configuration has there. No daemon may be running. What was copied stays where it was. A copy
    that broke off can be made again.
    """
    settings = loaded(config).settings
    before = _at(settings, source).model_copy(update={"fleet": None if fleet is None else _fleet(fleet)})
    after = settings if target is None else _at(settings, target)
    if before.state == after.state and (kind_of(after.state).unused is None or _rows(before) == _rows(after)):
        raise ConfigurationError(["FROM and TO are the same store"])
    found = asyncio.run(copied(kind_of(before.state).open(before), kind_of(after.state).open(after)))
    say(f"copied: {found}")


def _fleet(name: str) -> FleetSettings:
    if not is_name(name):
        raise ConfigurationError([f"--fleet {name!r} is no name of a fleet"])
    return FleetSettings(name=name)


def _rows(settings: Settings) -> str:
    """Whose rows a daemon with these settings has in a database."""
    return FleetSettings().name if settings.fleet is None else settings.fleet.name


def _at(settings: Settings, url: str) -> Settings:
    """The same settings with another store. Raises ConfigurationError."""
    try:
        return settings.model_copy(update={"state": checked(absolute(url, Path.cwd()))})
    except ValueError as error:
        raise ConfigurationError([f"the URL of a store {error}"]) from error
