"""The commands about single records of a running daemon: look at them, and deliver them once more."""

from typing import Annotated

import typer

from poller.cli.client import Client, NoAnswer
from poller.cli.configured import Api, ConfigPaths, client, examples
from poller.cli.output import NOT_SO, clock
from poller.cli.steering import DryRun, Name, Why, act
from poller.support.printable import say
from poller.values.errors import ConfigurationError


def peek(
    name: Name,
    shard: Annotated[str | None, typer.Argument(metavar="SHARD", help="Which shard; needless where it is one.")] = None,
    *,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="From an instant: ISO 8601, UTC without a zone.")
    ] = None,
    sequence: Annotated[str | None, typer.Option(metavar="N", help="From this record.")] = None,
    trim_horizon: Annotated[bool, typer.Option("--trim-horizon", help="From the oldest record.")] = False,
    most: Annotated[int, typer.Option(min=1, max=100, help="How many are shown.")] = 10,
    pattern: Annotated[
        str | None, typer.Option("--filter", metavar="PATTERN", help="Only those that match, as JSON.")
    ] = None,
    event: Annotated[bool, typer.Option("--event", help="Also as the event that the function would get.")] = False,
    dead_letters: Annotated[bool, typer.Option("--dead-letters", help="Of a queue's dead-letter queue.")] = False,
    destination: Annotated[bool, typer.Option("--destination", help="Of the on-failure destination.")] = False,
    dry_run: DryRun = False,
    why: Why = "",
    api: Api = None,
    config: ConfigPaths = None,
) -> None:
    """Look at records without consuming them.

    By default those that the mapping reads next. Messages of a queue are received and given back, which counts as a
    receive.
    """
    given = {"partition": shard, "timestamp": at, "sequence_number": sequence, "trim_horizon": trim_horizon}
    if dead_letters and destination:
        raise ConfigurationError(["peek: say one of --dead-letters and --destination"])
    given |= {"pattern": pattern, "event": event, "of": _of(dead_letters=dead_letters, destination=destination)}
    answer = act(client(api, config), name, "peek", dry_run=dry_run, why=why, most=most, **given)
    for line in answer["result"].get("lines", ()):
        say(line)


def rerun(
    event: Annotated[str, typer.Argument(metavar="ID", help="The event, as `poller failures` shows it.")],
    *,
    function: Annotated[
        str | None, typer.Option(metavar="NAME", help="Key of another function in the configuration.")
    ] = None,
    dry_run: DryRun = False,
    why: Why = "",
    api: Api = None,
    config: ConfigPaths = None,
) -> None:
    """Invoke a function once with a failed event that is kept.

    Nothing is settled and no position moves. Its answer is judged as the mapping would judge it. Exit 1 if the mapping
    would not settle the whole batch.
    """
    daemon = client(api, config)
    found = [one["uuid"] for one in daemon.failures()["mappings"] if event in [kept["id"] for kept in one["kept"]]]
    if not found:
        raise NoAnswer(f"the poller at {daemon.address} keeps no failed event {event}; see `poller failures`")
    answer = act(daemon, found[0], "rerun", dry_run=dry_run, why=why, event=event, function=function)
    for line in answer["result"].get("lines", ()):
        say(line)
    if answer["result"].get("settled") is False:
        raise typer.Exit(NOT_SO)


def redrive(
    name: Name,
    *,
    dead_letters: Annotated[bool, typer.Option("--dead-letters", help="What the dead-letter queue holds.")] = False,
    destination: Annotated[bool, typer.Option("--destination", help="What the on-failure destination holds.")] = False,
    begin: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="An interval of the stream; default its oldest record.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Its end, exclusive; default now.")] = None,
    shard: Annotated[str | None, typer.Option(metavar="ID", help="One shard alone; default all.")] = None,
    rate: Annotated[float, typer.Option(min=0.01, help="Most records per second.")] = 10.0,
    batch: Annotated[int | None, typer.Option(min=1, help="Most of one invocation; default those of a second.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the last one that stopped.")] = False,
    pass_over: Annotated[bool, typer.Option("--pass-over", help="With --resume: leave what failed again.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="Stop the one that runs.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Only say how far redrives of the mapping came.")] = False,
    dry_run: DryRun = False,
    why: Why = "",
    api: Api = None,
    config: ConfigPaths = None,
) -> None:
    """Deliver once more what was given up, or a past interval.

    One record first, then at a rate. It stops at the first record that fails again, and can be resumed.
    """
    daemon = client(api, config)
    if show:
        _show(daemon, name)
        return
    interval = begin is not None or end is not None
    if sum((dead_letters, destination, interval, resume, stop)) != 1:
        raise ConfigurationError(
            ["redrive: say one of --dead-letters, --destination, --from or --to, --resume, --stop, and --show"]
        )
    of = _of(dead_letters=dead_letters, destination=destination)
    given = {"of": of, "begin": begin, "end": end, "partition": shard, "rate": rate, "batch": batch}
    given |= {"resume": resume, "pass_over": pass_over, "stop": stop}
    answer = act(daemon, name, "redrive", dry_run=dry_run, why=why, **given)
    for line in answer["result"].get("lines", ()):
        say(line)


def _of(*, dead_letters: bool, destination: bool) -> str | None:
    return "dead_letters" if dead_letters else "destination" if destination else None


def _show(daemon: Client, name: str) -> None:
    found = [one for one in daemon.redrives() if name in (one["name"], one["uuid"])]
    if not found:
        say("nothing was redriven")
    for one in found:
        say(f"{clock(one['began'])} {one['id']} of {one['of'].replace('_', ' ')}: {one['text']}")
        for failed in one["failures"][:20]:
            say(f"  failed again: {failed}")


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command, example in (
        (
            peek,
            (
                "peek orders --dead-letters",
                "peek clicks --destination",
                "peek clicks shardId-000000000003 --at 2026-09-01T10:00:00Z --event",
            ),
        ),
        (rerun, ("rerun 0f3a9c1d2e4b --dry-run", "rerun 0f3a9c1d2e4b --function fixed")),
        (
            redrive,
            (
                "redrive orders --dead-letters --dry-run",
                "redrive clicks --from 2026-09-01T10:00Z --to 2026-09-01T11:00Z",
                "redrive clicks --resume --pass-over",
            ),
        ),
    ):
        app.command(epilog=examples(*example))(command)
