"""`poller cutover`: a mapping of Lambda's ends there, and begins here."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from poller.cli.configured import ConfigPaths, examples, loaded
from poller.configuration import Need
from poller.sources.kinds import KINDS
from poller.state.kinds import kind_of
from poller.support import telemetry
from poller.support.printable import say
from poller.values.errors import CallError, ConfigurationError, EnvironmentProblem, StateError, StreamGone

if TYPE_CHECKING:
    from poller.configuration import Configuration, EventSourceMapping
    from poller.policy.progress import StreamProgress

NOT_HERE = "the configuration has no mapping for it: run `poller import lambda`, or name one with --mapping"


def add_to(app: typer.Typer) -> None:
    """Add all commands of this module."""
    app.command(
        epilog=examples(
            "cutover 14e0db71-5d35-4eb5-b481-8945cf9d10c2",
            "cutover 14e0db71-5d35-4eb5-b481-8945cf9d10c2 --age 600",
        )
    )(cutover)


def cutover(
    uuid: Annotated[str, typer.Argument(metavar="UUID", help="The mapping in Lambda.")],
    *,
    mapping: Annotated[
        str | None, typer.Option("--mapping", metavar="NAME", help="The mapping here. Default: the one of that uuid.")
    ] = None,
    age: Annotated[
        float | None,
        typer.Option(min=0, metavar="SECONDS", help="The highest iterator age. Default: what CloudWatch says."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    config: ConfigPaths = None,
) -> None:
    """Move a mapping of Lambda here.

    Disables it there, waits until Lambda says Disabled, and stores where the daemon begins: that instant, less the
    highest iterator age of 15 minutes, less a minute. Records since then that Lambda has processed are delivered twice,
    and none is left out. A queue needs no position. Start the daemon afterwards. Needs lambda:GetEventSourceMapping,
    lambda:UpdateEventSourceMapping and cloudwatch:GetMetricStatistics.
    """
    configuration = loaded(config, Need.MAPPINGS)
    asyncio.run(_cut_over(configuration, _chosen(configuration, uuid, mapping), uuid, age, dry_run=dry_run))


def _chosen(configuration: "Configuration", uuid: str, name: str | None) -> "EventSourceMapping":
    for mapping in configuration.mappings:
        if (name or uuid) in (mapping.uuid, mapping.name):
            return mapping
    raise ConfigurationError([f"{name or uuid}: {NOT_HERE}"])


async def _cut_over(
    configuration: "Configuration", mapping: "EventSourceMapping", uuid: str, age: float | None, *, dry_run: bool
) -> None:
    from poller.aws.sdk_calls import SdkCalls  # noqa: PLC0415  (one command needs it, once)
    from poller.importers.cutover import ended, look  # noqa: PLC0415

    call = SdkCalls(mapping.aws, mapping.region).call
    kind = KINDS[mapping.source.kind]
    if not kind.competing and kind.beginning_at is None:
        raise ConfigurationError(
            [f"{mapping.name}: {kind.plural} have no positions by time, so none can be taken over"]
        )
    shown = await look(call, uuid, mapping.event_source_arn)
    if dry_run:
        say(f"Lambda's mapping {uuid} is {shown.get('State')}; it would be disabled, and {mapping.name} begin here")
        return
    if kind.competing:
        await ended(call, shown, 0.0)
        say(f"Lambda's mapping {uuid} is disabled: start the daemon, and {mapping.name} reads the queue")
        return
    settings = configuration.settings
    try:
        # before anything is changed: nothing is lost where the store cannot be used
        async with kind_of(settings.state).open(settings) as store:
            if await store.load(mapping.uuid) is not None:
                raise EnvironmentProblem(
                    f"{mapping.name} has a position already; nothing was changed. Give it up by "
                    f"`poller state forget {mapping.name}`, and run this again"
                )
            end = await ended(call, shown, age)
            await store.open(mapping.uuid, await _beginning(mapping, end.begin))
    except StateError as error:
        raise EnvironmentProblem(f"{error}. The command can be run again") from error
    begin = datetime.fromtimestamp(end.begin, UTC).isoformat(timespec="seconds")
    overlap = f"what Lambda processed in its last {end.at - end.begin:.0f} s is delivered twice"
    say(f"Lambda's mapping {uuid} is disabled, and {mapping.name} begins at {begin}: {overlap}. Start the daemon")


async def _beginning(mapping: "EventSourceMapping", instant: float) -> "StreamProgress":
    from poller.aws.transports import Transports  # noqa: PLC0415

    begin = KINDS[mapping.source.kind].beginning_at
    assert begin is not None, "the caller has asked"
    transports = Transports(telemetry.logger())
    try:
        return await begin(mapping, transports, instant)
    except (CallError, StreamGone) as error:
        raise EnvironmentProblem(
            f"Lambda's mapping is disabled, and {mapping.event_source_arn} cannot be read: {error}. Put that right, "
            "and run this command again: it goes on from there"
        ) from error
    finally:
        await transports.close()
