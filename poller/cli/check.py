"""`poller check`: says what the configuration means, once it was found valid."""

from collections.abc import Sequence

from rich.table import Table

from poller.cli.output import console, table
from poller.configuration import Configuration, EventSourceMapping
from poller.support.printable import say
from poller.values.errors import capped

FILES_MOST = 10
ROWS_MOST = 1000
"""Mappings that are listed; laying out the table is what takes longest."""


def show(configuration: Configuration) -> None:
    """Print the mappings as they would run, and on stderr what is probably not meant."""
    for warning in configuration.warnings:
        say(f"warning: {warning}", error=True)
    mappings = configuration.mappings
    if mappings:
        console().print(_table(mappings[:ROWS_MOST]))
    if len(mappings) > ROWS_MOST:
        say(f"and {len(mappings) - ROWS_MOST:,} more")
    count = "1 mapping" if len(mappings) == 1 else f"{len(mappings)} mappings"
    files = capped([*map(str, configuration.sources)], FILES_MOST)
    say(f"the configuration is valid: {count}, from {', '.join(files)}")


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
