"""The command line: arguments in, exit code out, errors as a few readable lines on stderr.

It decides how a failure is reported and which exit code it has. The commands themselves live in their modules, in
`daemon` and in `demo`, and are imported only by the command that needs them, because the daemon's memory counts.
"""

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Annotated, NoReturn

import structlog
import typer

from poller import __version__
from poller.cli import developing, moving, records, steering
from poller.cli.client import NoAnswer, ReloadRefused
from poller.cli.configured import AllowEmpty, AnyMapping, Api, ConfigPaths, client, examples, loaded, needed
from poller.cli.filter import app as filter_commands
from poller.cli.importing import app as import_commands
from poller.cli.output import NOT_SO, failed
from poller.cli.state import app as state_commands
from poller.configuration import Need
from poller.daemon import signals
from poller.support import telemetry
from poller.support.built import built
from poller.support.printable import say
from poller.values.errors import ConfigurationError, EnvironmentProblem

DONE = 0
BAD_INPUT = 2
ENVIRONMENT = 69
BUG = 70

app = typer.Typer(
    help="AWS Lambda's event source mapping, outside Lambda.",
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(filter_commands, name="filter")
app.add_typer(import_commands, name="import")
developing.add_to(app)
moving.add_to(app)
steering.add_to(app)
records.add_to(app)
app.add_typer(state_commands, name="state")


def _print_version(wanted: bool) -> None:
    if wanted:
        say(f"poller {__version__} ({built()})")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    *,
    version: Annotated[  # noqa: ARG001  (its callback has answered)
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    if context.invoked_subcommand != "run":
        signals.restore()


@app.command(epilog=examples("run --config poller.yaml", "run --config /etc/poller/conf.d --config extra.yaml"))
def run(
    config: ConfigPaths = None,
    *,
    allow_empty: AllowEmpty = False,
    wait: Annotated[
        float | None,
        typer.Option(
            min=0, metavar="SECONDS", help="How long to wait for a store that is away; else until it answers."
        ),
    ] = None,
    workers: Annotated[
        str | None,
        typer.Option(
            metavar="N|auto", help="Share the work among so many processes; `auto` for as many as there are CPUs."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read, filter and batch streams; invoke nothing and move nothing.")
    ] = False,
    as_worker: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run the daemon, in the foreground."""
    from poller.cli import running as command  # noqa: PLC0415

    need = needed(allow_empty=allow_empty)
    raise typer.Exit(command.run(config, need, wait=wait, workers=workers, as_worker=as_worker, dry_run=dry_run))


@app.command(epilog=examples("check", "check --config poller.yaml --connect", "check --connect --try-functions"))
def check(
    config: ConfigPaths = None,
    *,
    connect: Annotated[
        bool, typer.Option("--connect", help="Also reach every source, function and destination. Changes nothing.")
    ] = False,
    try_functions: Annotated[
        bool,
        typer.Option("--try-functions", help="With --connect: also invoke functions behind a URL, with no records."),
    ] = False,
    allow_empty: AllowEmpty = False,
) -> None:
    """Validate the configuration and show the mappings it makes."""
    from poller.cli import check as command  # noqa: PLC0415

    if try_functions and not connect:
        raise ConfigurationError(["--try-functions is for --connect, which reaches them; add it"])
    configuration = loaded(config, needed(allow_empty=allow_empty))
    command.show(configuration)
    if connect:
        from poller.cli import connect as reach  # noqa: PLC0415

        raise typer.Exit(DONE if reach.show(configuration, run_functions=try_functions) else NOT_SO)


@app.command("iam-policy", epilog=examples("iam-policy --config poller.yaml", "iam-policy --for 'profile ops'"))
def iam_policy(
    config: ConfigPaths = None,
    *,
    principal: Annotated[
        str | None,
        typer.Option(
            "--for", metavar="NAME", help="One policy alone: default, 'profile NAME', or the ARN of a role assumed."
        ),
    ] = None,
    by_hand: Annotated[
        bool, typer.Option("--by-hand", help="Also what peek and redrive need for what failed.")
    ] = False,
) -> None:
    """Print the least IAM policy for the configuration.

    There is one for each identity that the configuration uses.
    """
    from poller.cli import iam_policy as command  # noqa: PLC0415

    command.show(loaded(config, Need.MAPPINGS), principal, by_hand=by_hand)


@app.command(epilog=examples("schema", "schema --output poller.schema.json"))
def schema(
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it to a file.")] = None,
) -> None:
    """Print the JSON Schema of the configuration.

    Editors use it to complete and to check what is written.
    """
    from poller.cli import schema as command  # noqa: PLC0415

    command.show(output)


@app.command(epilog=examples("demo", "demo --seconds 60 --messages 5000"))
def demo(
    seconds: Annotated[int, typer.Option(min=1, help="How long records are produced.")] = 20,
    messages: Annotated[int, typer.Option(min=1, help="How many records are produced.")] = 1000,
) -> None:
    """Show real mappings at work against a local AWS.

    No account is needed. The last lines account for every record.
    """
    from poller import demo as command  # noqa: PLC0415

    raise typer.Exit(command.run(seconds=seconds, messages=messages))


@app.command(epilog=examples("status", "status orders --watch", "status --json --api http://127.0.0.1:8642"))
def status(
    mapping: AnyMapping = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON; with --watch one line each time.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Again each second, until interrupted.")] = False,
    api: Api = None,
    config: ConfigPaths = None,
) -> None:
    """Show what a running daemon is doing."""
    from poller.cli import status as command  # noqa: PLC0415

    command.show(client(api, config), mapping, as_json=as_json, watch=watch)


@app.command(epilog=examples("why", "why orders"))
def why(
    mapping: AnyMapping = None,
    *,
    api: Api = None,
    config: ConfigPaths = None,
) -> None:
    """Say why each mapping waits, and what to do about it."""
    from poller.cli import why as command  # noqa: PLC0415

    command.show(client(api, config), mapping)


@app.command(epilog=examples("failures", "failures orders"))
def failures(
    mapping: AnyMapping = None,
    *,
    api: Api = None,
    config: ConfigPaths = None,
) -> None:
    """Show what functions failed of, grouped by cause."""
    from poller.cli import failures as command  # noqa: PLC0415

    command.show(client(api, config), mapping)


@app.command(epilog=examples("fleet", "fleet --json"))
def fleet(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    api: Api = None,
    config: ConfigPaths = None,
) -> None:
    """Show the daemons that share their streams.

    What each holds, which shards moved and why, and how the store answers.
    """
    from poller.cli import fleet as command  # noqa: PLC0415

    command.show(client(api, config), as_json=as_json)


@app.command("restart-function", epilog=examples("restart-function local"))
def restart_function(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Key of the function in `functions`.")],
    api: Api = None,
    config: ConfigPaths = None,
) -> None:
    """Restart a function's workers.

    Use it after the function's code has changed. Each worker finishes its invocation first.
    """
    client(api, config).restart_function(name)
    say(f"{name}: its workers are started anew")


@app.command(epilog=examples("reload"))
def reload(api: Api = None, config: ConfigPaths = None) -> None:
    """Make a running daemon read its configuration again.

    Prints what changed; exits 1 with the report if the configuration is refused.
    """
    answer = client(api, config).reload()
    for warning in answer["warnings"]:
        say(f"warning: {warning}", error=True)
    parts = [f"{what} {', '.join(answer[what])}" for what in ("added", "changed", "removed") if answer[what]]
    say(f"reloaded: {'; '.join([*parts, ''])}{answer['unchanged']} unchanged")


@app.command(epilog=examples("health", "health --api unix:/run/poller/api.sock"))
def health(api: Api = None, config: ConfigPaths = None) -> None:
    """Exit 0 if a running daemon is healthy, 1 if not."""
    code, _ = client(api, config).get("/healthz")
    say("healthy" if code == 200 else "unhealthy")
    raise typer.Exit(DONE if code == 200 else NOT_SO)


@cache
def _command() -> Callable[..., object]:
    """The parser of all commands. A program that calls `main` again and again builds it once."""
    return typer.main.get_command(app)


def _exit_code(arguments: list[str] | None) -> int:
    try:
        _command()(arguments, prog_name="poller")
    except ConfigurationError as error:
        return failed(BAD_INPUT, *error.shown())
    except NoAnswer as error:
        return failed(NOT_SO, str(error))
    except ReloadRefused as refused:
        return failed(NOT_SO, f"{refused}:", *refused.problems)
    except EnvironmentProblem as error:
        return failed(ENVIRONMENT, str(error))
    except Exception as error:  # noqa: BLE001  (the restart boundary of last resort: what arrives here is a bug)
        if not structlog.is_configured():
            telemetry.configure(output="console")
        telemetry.logger().critical("command_failed", exc_info=True)
        return failed(BUG, f"a bug of ours ended the command ({type(error).__name__}); please report the lines above")
    return DONE


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line; `arguments` default to the process's own."""
    try:
        sys.exit(_exit_code(arguments))
    finally:
        telemetry.flush()
