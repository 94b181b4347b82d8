"""Commands for people who write functions: `init`, `new`, `events`, `invoke`, `send` and `dev`."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from poller.cli.configured import ConfigPaths, examples, loaded, mapping_names
from poller.cli.output import NOT_SO
from poller.configuration import Need
from poller.sources.kinds import KINDS
from poller.support.printable import say, say_json
from poller.values.errors import ConfigurationError, EnvironmentProblem

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from poller.configuration import Configuration, EventSourceMapping

EVENT_MOST = 16 * 1024 * 1024
"""Most bytes of an event or payload that is read."""
_KINDS = ", ".join(name for name, kind in KINDS.items() if kind.development is not None)
_FIRST = next(iter(KINDS))

_NOT_LOCAL = (
    "no `poller dev` runs in this folder, and the configuration names no endpoint: start `poller dev`, or say --aws to "
    "send to the real AWS"
)

new = typer.Typer(help="Write the files of something new.", no_args_is_help=True)
events = typer.Typer(help="Events as functions get them.", no_args_is_help=True)
Source = Annotated[str, typer.Option("--source", metavar="KIND", help=f"The kind of source: {_KINDS}.")]


@new.callback()
def _new() -> None:
    pass


@events.callback()
def _events() -> None:
    pass


def add_to(app: typer.Typer) -> None:
    """Add all commands of this module."""
    app.command(epilog=examples("init", "init shop --source sqs --name orders --function ship"))(init)
    app.command(epilog=examples("dev", "dev --config poller.yaml"))(dev)
    app.command(epilog=examples("send orders '{\"order\": 7}'", "send orders message.json", "send orders -"))(send)
    app.command(epilog=examples("invoke ship --sample sqs", "invoke ship --event event.json"))(invoke)
    app.add_typer(new, name="new")
    app.add_typer(events, name="events")


def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Default: here.")] = Path(),
    *,
    source: Annotated[str | None, typer.Option("--source", metavar="KIND", help=f"One of {_KINDS}.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="The name of the mapping and its source.")] = None,
    function: Annotated[str | None, typer.Option("--function", help="The name of the function.")] = None,
) -> None:
    """Write a configuration, a handler and a test to begin with.

    Asks for what no option gives, where a person can answer.
    """
    from poller.dev import project  # noqa: PLC0415

    source = source or _asked(f"What is read ({_KINDS})", _FIRST)
    project.development_of(source)
    name = name or _asked("The name of the mapping and its source", "orders")
    function = function or _asked("The name of the function", "ship")
    files = project.project(source, name, function)
    project.write(folder, files)
    for path in files:
        say(f"wrote {folder / path}")
    say("next: poller dev, and in another terminal: poller send " + name)


def _asked(question: str, default: str) -> str:
    return str(typer.prompt(question, default)) if sys.stdin.isatty() else default


@new.command("function", epilog=examples("new function tally --source kinesis"))
def new_function(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the function.")], source: Source = _FIRST
) -> None:
    """Write a handler, a test and a sample event into functions/NAME."""
    from poller.dev import project  # noqa: PLC0415

    project.development_of(source)
    files = project.function_files(source, name)
    project.write(Path(), files)
    for path in files:
        say(f"wrote {path}")
    say(f"add to functions:  {name}: {{type: runtime, handler: app.handler, code: ./functions/{name}}}")


@events.command("sample", epilog=examples("events sample sqs", "events sample kinesis --records 3"))
def sample(
    kind: Annotated[str, typer.Argument(metavar="KIND", help=f"One of {_KINDS}.")],
    records: Annotated[int, typer.Option(min=1, max=10_000, help="Number of records.")] = 1,
) -> None:
    """Print an event as a function gets it from a kind of source."""
    import json  # noqa: PLC0415

    from poller.dev import project  # noqa: PLC0415

    project.development_of(kind)
    say_json(json.loads(project.event_of(kind, records)))


def invoke(
    name: Annotated[str, typer.Argument(metavar="FUNCTION", help="Key of the function, or its Lambda name.")],
    *,
    event: Annotated[str | None, typer.Option("--event", metavar="FILE|JSON|-", help="The event, as JSON.")] = None,
    sample: Annotated[str | None, typer.Option("--sample", metavar="KIND", help=f"One of {_KINDS}.")] = None,
    config: ConfigPaths = None,
) -> None:
    """Invoke a function once, and judge its answer.

    It is judged as a mapping would judge it. Exit 1 if it would not settle the whole batch.
    """
    import asyncio  # noqa: PLC0415

    from poller.dev import invoking, project  # noqa: PLC0415
    from poller.engine.judging import judge  # noqa: PLC0415
    from poller.support import telemetry  # noqa: PLC0415

    if (event is None) == (sample is None):
        raise ConfigurationError(["give the event by --event FILE, or take one by --sample KIND"])
    configuration = loaded(config, Need.FILES)
    telemetry.configure(configuration.settings.log.level, "console")
    if sample is not None:
        project.development_of(sample)
    payload = _read(event).encode() if event is not None else project.event_of(str(sample), 1)
    outcome, seconds = asyncio.run(invoking.invoke(configuration, name, payload))
    partial = any(
        mapping.report_batch_item_failures for mapping in configuration.mappings if mapping.function.key == name
    )
    judged = judge(outcome, payload, partial=partial)
    telemetry.flush()
    for line in judged.lines:
        say(line)
    say(f"it took {1000 * seconds:,.0f} ms")
    if not judged.settled:
        raise typer.Exit(NOT_SO)


def send(
    mapping: Annotated[
        str, typer.Argument(metavar="MAPPING", help="Name or uuid of the mapping.", autocompletion=mapping_names)
    ],
    file: Annotated[str | None, typer.Argument(metavar="FILE|JSON|-", help="The payload; default a sample.")] = None,
    *,
    real: Annotated[bool, typer.Option("--aws", help="Send to the real AWS, if no endpoint is configured.")] = False,
    config: ConfigPaths = None,
) -> None:
    """Put one message or record into the source of a mapping.

    It goes to the endpoint that the configuration names, else to the local AWS of a `poller dev` that runs in this
    folder, and to the real AWS only with --aws. An argument that begins as JSON does ({, [ or ") and names no file is
    the payload itself.
    """
    import asyncio  # noqa: PLC0415

    from poller.aws.sdk_calls import SdkCalls  # noqa: PLC0415
    from poller.dev import local  # noqa: PLC0415
    from poller.values.errors import CallError  # noqa: PLC0415

    found = _mapping(loaded(config, Need.MAPPINGS), mapping)
    made = KINDS[found.source.kind].development
    if made is None:
        raise ConfigurationError([f"{found.name}: nothing can be sent to {KINDS[found.source.kind].title} from here"])
    elsewhere = real or found.aws.for_service(found.source.service)[0] is not None
    url = None if elsewhere else local.running()
    if url is None and not elsewhere:
        raise EnvironmentProblem(_NOT_LOCAL)
    if url is not None:
        local.become(found.source.account)
    aws = found.aws if url is None else local.local_settings(url, found)
    payload = _read(file) if file is not None else '{"order": 1}'
    try:
        sent = asyncio.run(_sent(made().send(found.source, payload, SdkCalls(aws, found.region).call)))
    except ValueError as error:
        raise ConfigurationError([f"{file or 'the payload'}: {error}"]) from None
    except CallError as error:
        raise EnvironmentProblem(f"{found.event_source_arn}: cannot be sent to: {error}") from error
    say(f"{found.name}: sent {sent}")


async def _sent(work: "Awaitable[str]") -> str:
    return await work


def dev(config: ConfigPaths = None) -> None:
    """Run the daemon beside an editor.

    Starts a local AWS unless the configuration names an endpoint, and creates the sources where that is on this
    machine; reloads handlers when their code changes; shows events as they pass. The extra demo brings the AWS.
    """
    from poller.daemon import run as daemon  # noqa: PLC0415
    from poller.daemon import signals  # noqa: PLC0415
    from poller.daemon.api import listening  # noqa: PLC0415
    from poller.dev import local  # noqa: PLC0415
    from poller.dev.watching import Watched  # noqa: PLC0415

    configuration = loaded(config, Need.MAPPINGS)
    listening.check_free(configuration.settings.api)
    signals.restore()

    def run(url: str | None) -> int:
        reader = local.DevelopmentReader(config, url)
        return daemon.run(reader, watch_events=Watched, on_ready=lambda address: _say_next(address, configuration))

    try:
        if local.names_an_endpoint(configuration):
            raise typer.Exit(run(None))
        with local.local(configuration) as url:
            say(f"a local AWS runs at {url}; Ctrl-C ends it, with all that is in it", flush=True)
            raise typer.Exit(run(url))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def _say_next(address: str, configuration: "Configuration") -> None:
    """The page is only named where a browser can open it; a mapping only where something can be sent to it."""
    page = f"page: {address}/" if address.startswith("http") else ""
    names = (one.name for one in configuration.mappings if KINDS[one.source.kind].development is not None)
    name = next(names, None)
    following = "" if name is None else f"next: poller send {name}"
    if page or following:
        say("   ".join(filter(None, (page, following))), flush=True)


def _mapping(configuration: "Configuration", name: str) -> "EventSourceMapping":
    for mapping in configuration.mappings:
        if name in (mapping.name, mapping.uuid):
            return mapping
    known = ", ".join(mapping.name for mapping in configuration.mappings)
    raise ConfigurationError([f"there is no mapping {name}; the configuration has: {known}"])


def _read(file: str) -> str:
    """The text of a file or of standard input, or the JSON that was written instead. Raises ConfigurationError."""
    from poller.configuration.reading.regular import read_text  # noqa: PLC0415

    if file.startswith(("{", "[", '"')) and not os.path.exists(file):  # noqa: PTH110  (Path's raises for a long name)
        return _json(file)
    try:
        text = sys.stdin.read(EVENT_MOST) if file == "-" else read_text(Path(file))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"{file}: cannot be read: {error}"]) from None
    return text.removesuffix("\n")


def _json(text: str) -> str:
    """The text itself. Raises ConfigurationError unless it is JSON."""
    import json  # noqa: PLC0415

    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError([f"{text}: is neither a file nor JSON: {error}"]) from None
    return text
