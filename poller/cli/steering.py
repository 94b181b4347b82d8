"""The commands that act on a mapping of a running daemon, each with a preview, and the action log."""

import getpass
from typing import Annotated, Any

import typer

from poller.cli.client import Client, NoAnswer
from poller.cli.configured import AnyMapping, Api, ConfigPaths, client, examples, mapping_names
from poller.cli.output import clock
from poller.support.printable import say
from poller.values.errors import ConfigurationError

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name or uuid of the mapping.", autocompletion=mapping_names)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what it would do.")]
Why = Annotated[str, typer.Option(metavar="TEXT", help="The reason, for the action log.")]
Shard = Annotated[str | None, typer.Option(metavar="ID", help="The shard that the batch is of.")]
Lane = Annotated[int | None, typer.Option(metavar="N", help="The lane of the shard, from 0.")]


def pause(name: Name, *, dry_run: DryRun = False, why: Why = "", api: Api = None, config: ConfigPaths = None) -> None:
    """Pause a mapping until it is resumed.

    Batches in work are finished first. The pause outlives restarts.
    """
    act(client(api, config), name, "pause", dry_run=dry_run, why=why)


def resume(name: Name, *, dry_run: DryRun = False, why: Why = "", api: Api = None, config: ConfigPaths = None) -> None:
    """Resume a paused mapping."""
    act(client(api, config), name, "resume", dry_run=dry_run, why=why)


def retry(
    name: Name,
    *,
    shard: Shard = None,
    lane: Lane = None,
    reset_attempts: Annotated[
        bool, typer.Option("--reset-attempts", help="As if the batches had never failed. Of queues, SQS counts.")
    ] = False,
    dry_run: DryRun = False,
    why: Why = "",
    api: Api = None,
    config: ConfigPaths = None,
) -> None:
    """Try waiting batches again at once.

    These are all of the mapping, or those of a shard or a lane.
    """
    given = {"partition": shard, "lane": lane, "reset_attempts": reset_attempts}
    act(client(api, config), name, "retry", dry_run=dry_run, why=why, **given)


def skip(
    name: Name,
    *,
    shard: Shard = None,
    lane: Lane = None,
    drop: Annotated[bool, typer.Option("--drop", help="No on-failure destination hears of it.")] = False,
    dry_run: DryRun = False,
    why: Why = "",
    api: Api = None,
    config: ConfigPaths = None,
) -> None:
    """Give up one batch of a stream that waits for another try.

    Its on-failure destination gets it. Without one, or with --drop, the account counts its records as dropped.
    """
    given = {"partition": shard, "lane": lane, "drop": drop}
    act(client(api, config), name, "skip", dry_run=dry_run, why=why, **given)


def isolate(
    name: Name,
    key: Annotated[str | None, typer.Argument(metavar="KEY", help="The key; needless where it is one.")] = None,
    *,
    shard: Shard = None,
    lane: Lane = None,
    drop: Annotated[bool, typer.Option("--drop", help="Drop them where there is no on-failure destination.")] = False,
    dry_run: DryRun = False,
    why: Why = "",
    api: Api = None,
    config: ConfigPaths = None,
) -> None:
    """Give up the records of one key in a batch that waits.

    The on-failure destination gets them, and the others of the batch are tried at once.
    """
    given = {"partition": shard, "lane": lane, "key": key, "drop": drop}
    act(client(api, config), name, "isolate", dry_run=dry_run, why=why, **given)


def hand_over(
    name: Name,
    function: Annotated[str, typer.Argument(metavar="FUNCTION", help="Key of a function in the configuration.")],
    *,
    shard: Shard = None,
    lane: Lane = None,
    dry_run: DryRun = False,
    why: Why = "",
    api: Api = None,
    config: ConfigPaths = None,
) -> None:
    """Try a batch that waits once with another function.

    Its answer counts as the mapping's own function's would.
    """
    given = {"partition": shard, "lane": lane, "function": function}
    act(client(api, config), name, "handover", dry_run=dry_run, why=why, **given)


def seek(
    name: Name,
    *,
    trim_horizon: Annotated[bool, typer.Option("--trim-horizon", help="To the oldest record.")] = False,
    latest: Annotated[bool, typer.Option("--latest", help="To what comes from now on.")] = False,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="To an instant: ISO 8601, UTC without a zone.")] = None,
    sequence: Annotated[str | None, typer.Option(metavar="N", help="To a record of the shard, which is next.")] = None,
    shard: Annotated[str | None, typer.Option(metavar="ID", help="One shard alone; default all.")] = None,
    dry_run: DryRun = False,
    why: Why = "",
    api: Api = None,
    config: ConfigPaths = None,
) -> None:
    """Move the position of a stream's mapping, forward or back.

    Running invocations are finished first. `poller undo` goes back.
    """
    to = "TRIM_HORIZON" if trim_horizon else "LATEST" if latest else None
    if sum((trim_horizon, latest, at is not None, sequence is not None)) != 1:
        raise ConfigurationError(["seek: say one of --trim-horizon, --latest, --at and --sequence"])
    given = {"to": to, "timestamp": at, "sequence_number": sequence, "partition": shard}
    act(client(api, config), name, "seek", dry_run=dry_run, why=why, **given)


def undo(name: Name, *, dry_run: DryRun = False, why: Why = "", api: Api = None, config: ConfigPaths = None) -> None:
    """Go back to where a mapping was before its last seek.

    What was delivered since then is delivered again.
    """
    act(client(api, config), name, "undo", dry_run=dry_run, why=why)


def actions(
    mapping: AnyMapping = None,
    *,
    most: Annotated[int, typer.Option(min=1, help="How many are shown, the latest.")] = 20,
    api: Api = None,
    config: ConfigPaths = None,
) -> None:
    """Show the actions that people took on mappings.

    Each line says who did it, when and why, and its effect.
    """
    found = client(api, config).actions()
    if mapping is not None:
        found = [one for one in found if mapping in (one["name"], one["uuid"])]
    if not found:
        say("nothing was done by hand")
    # the latest comes last, where the eye is
    for one in reversed(found[:most]):
        for line in _lines(one):
            say(line)


def _lines(action: dict[str, Any]) -> list[str]:
    who = action["who"] or "somebody"
    stage = "" if action["stage"] == "done" else f", {action.get('progress', action['stage'])}"
    what = f"{action['name']}: {action['order'].replace('_', ' ')}{stage}"
    head = f"{clock(action['at'])} {what}, by {who} over the {action['via']}"
    why = [f"  because: {action['why']}"] if action["why"] else []
    return [head, *why, f"  {action['effect']}"]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command, example in (
        (pause, ("pause orders", "pause orders --why 'bad deploy' --dry-run")),
        (resume, ("resume orders",)),
        (retry, ("retry orders", "retry orders --shard shardId-000000000003 --reset-attempts")),
        (skip, ("skip orders --dry-run", "skip orders --shard shardId-000000000003 --why 'broken order 4711'")),
        (isolate, ("isolate clicks --dry-run", "isolate clicks customer-4711 --why 'broken profile'")),
        (hand_over, ("hand-over clicks count-clicks-fixed --dry-run",)),
        (
            seek,
            (
                "seek orders --at 2026-09-01T10:00:00Z --dry-run",
                "seek orders --trim-horizon --shard shardId-000000000003",
            ),
        ),
        (undo, ("undo orders --dry-run", "undo orders")),
        (actions, ("actions", "actions orders --most 100")),
    ):
        app.command(command.__name__.replace("_", "-"), epilog=examples(*example))(command)


def act(daemon: Client, name: str, order: str, **given: Any) -> dict[str, Any]:
    """Give an order, and say what it does or would do. Returns the answer. Raises NoAnswer."""
    wanted = {key: value for key, value in given.items() if value not in (None, False, "")}
    answer = daemon.order(name, order, {**wanted, "who": _me()})
    if not isinstance(impact := answer.get("impact"), list):
        raise NoAnswer(f"{daemon.address} does not say what {order} does; is it a poller of this version?")
    # what a move of the position was about to do is over by then
    moved = order in ("seek", "undo") and answer.get("stage") == "done" and answer.get("effect")
    for sentence in [moved] if moved else impact:
        say(f"{'would: ' if answer['dry_run'] else ''}{sentence}")
    if not answer["dry_run"]:
        why = f" ({answer['reason']['text']})" if answer["reason"] else ""
        say(f"{answer['name']}: {answer['state']}{why}")
        if answer.get("stage") == "begun":
            say("it is begun and goes on; `poller actions` shows how it ends")
    return answer


def _me() -> str:
    """The name of the user who runs the command. Nothing proves it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""
