"""`poller check`: shows what a valid configuration means."""

from collections.abc import Iterator, Sequence

from rich.table import Table

from poller.cli.output import console, table
from poller.configuration import Configuration, EventSourceMapping
from poller.configuration.reading.regular import read_text
from poller.importers.draft import HOLE
from poller.sources.kinds import KINDS
from poller.state.kinds import checkpoint_interval, kind_of
from poller.support.printable import say
from poller.values.errors import capped
from poller.values.texts import counted

FILES_MOST = 10
NAMED_MOST = 10
ROWS_MOST = 1000
"""Most mappings that are listed, because laying out the table takes longest."""


def show(configuration: Configuration) -> None:
    """Print the mappings as they would run, and warnings on stderr."""
    for warning in configuration.warnings:
        say(f"warning: {warning}", error=True)
    for hole in _holes(configuration):
        say(f"warning: {hole}", error=True)
    mappings = configuration.mappings
    if mappings:
        console().print(_table(mappings[:ROWS_MOST]))
    if len(mappings) > ROWS_MOST:
        say(f"and {len(mappings) - ROWS_MOST:,} more")
    for line in _of_state(configuration):
        say(line)
    count = counted(len(mappings), "mapping")
    files = capped([*map(str, configuration.sources)], FILES_MOST)
    say(f"the configuration is valid: {count}, from {', '.join(files)}")


def _holes(configuration: Configuration) -> list[str]:
    """The values that `poller import` left open and nobody has written since: they are comments."""
    found = []
    for path in configuration.sources:
        try:
            lines = read_text(path).splitlines()
        except (OSError, UnicodeDecodeError):
            continue
        for number, line in enumerate(lines, 1):
            if line.lstrip().startswith(HOLE):
                hole = line.strip().removeprefix("# ")
                found.append(f"{path}:{number}: {hole}; write the value and remove the comment")
    return capped(found)


def _of_state(configuration: Configuration) -> Iterator[str]:
    """What a crash may repeat of streams, and what their positions cost."""
    streams = [mapping for mapping in configuration.mappings if not KINDS[mapping.source.kind].competing]
    if not streams:
        return
    repeated = capped([f"{mapping.name} {_repeated(mapping):,}" for mapping in streams], NAMED_MOST)
    interval = checkpoint_interval(configuration.settings)
    more = f", and those of the last {interval:g} s, the interval between two writes" if interval else ""
    yield f"records of each shard that a crash may deliver again, at most: {', '.join(repeated)}{more}"
    cost = kind_of(configuration.settings.state).cost
    if cost is not None:
        yield f"what the positions cost: {cost}"


def _repeated(mapping: EventSourceMapping) -> int:
    """Of each lane the batch in its function, and the one whose position is being stored."""
    _, lanes = mapping.lanes
    return 2 * lanes * mapping.batch_size


def _table(mappings: Sequence[EventSourceMapping]) -> Table:
    shown = table("mapping", "source", "function", "type", "batch size", "window", "lanes", "enabled")
    for mapping in mappings:
        first, most = mapping.lanes
        shown.add_row(
            mapping.name,
            mapping.event_source_arn,
            mapping.function.key,
            mapping.function.type,
            str(mapping.batch_size),
            f"{mapping.maximum_batching_window_in_seconds} s",
            str(most) if first == most else f"{first} to {most}",
            "yes" if mapping.enabled else "no",
        )
    return shown
