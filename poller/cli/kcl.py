"""`poller import kcl`: the positions of the Kinesis Client Library become those of a mapping."""

from collections import Counter

from poller.aws.transports import Transports
from poller.configuration import Configuration, EventSourceMapping
from poller.policy.progress import ShardProgress, StreamProgress
from poller.sources.kinds import KINDS
from poller.state.kinds import kind_of
from poller.support import telemetry
from poller.support.printable import say
from poller.values.errors import ConfigurationError, EnvironmentProblem, StateError
from poller.values.texts import counted


async def take(configuration: Configuration, name: str, table: str, *, dry_run: bool) -> None:
    """Read the lease table, say what is in it, and store it. Raises ConfigurationError and EnvironmentProblem."""
    mapping = _named(configuration, name)
    read = KINDS[mapping.source.kind].left_by_kcl
    if read is None:
        raise ConfigurationError([f"--mapping {name}: KCL reads streams of Kinesis alone, and this is none"])
    transports = Transports(telemetry.logger())
    try:
        found = await read(mapping, transports, table)
    finally:
        await transports.close()
    kinds = Counter(_kind(shard) for shard in found.shards.values())
    shown = ", ".join(f"{kinds[kind]} {kind}" for kind in sorted(kinds))
    if dry_run:
        say(f"{name} would go on in {counted(len(found.shards), 'shard')}: {shown}")
        return
    await _store(configuration, mapping.uuid, found)
    say(f"{name} goes on in {counted(len(found.shards), 'shard')}: {shown}")


def _named(configuration: Configuration, name: str) -> EventSourceMapping:
    for mapping in configuration.mappings:
        if name in (mapping.name, mapping.uuid):
            return mapping
    raise ConfigurationError([f"--mapping {name}: the configuration has no such mapping; add it first"])


def _kind(shard: ShardProgress) -> str:
    if shard.finished:
        return "finished"
    if shard.lanes:
        return "at a position"
    return "from the newest on" if shard.initial else "from the beginning"


async def _store(configuration: Configuration, uuid: str, found: StreamProgress) -> None:
    settings = configuration.settings
    try:
        async with kind_of(settings.state).open(settings) as store:
            stands = await store.open(uuid, found)
    except StateError as error:
        raise EnvironmentProblem(f"{error}. The import can be made again") from error
    if stands != found:
        raise EnvironmentProblem(
            f"{found.name} has a position already, and nothing was stored; give it up by "
            f"`poller state forget {found.name}`, and import again"
        )
