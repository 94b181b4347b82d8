"""`poller check`: says what the configuration means, once it was found valid."""

import sys

from rich.table import Table

from poller.commands.output import console, table
from poller.configuration import Configuration


def show(configuration: Configuration) -> None:
    """Print the mappings as they would run, and on stderr what is probably not meant."""
    for warning in configuration.warnings:
        print(f"warning: {warning}", file=sys.stderr)  # noqa: T201  (the command's answer)
    mappings = configuration.mappings
    if mappings:
        console().print(_table(configuration))
    count = "1 mapping" if len(mappings) == 1 else f"{len(mappings)} mappings"
    print(f"the configuration is valid: {count}")  # noqa: T201  (the command's answer)


def _table(configuration: Configuration) -> Table:
    shown = table("mapping", "source", "function", "type", "batch size", "window", "lanes", "enabled")
    for mapping in configuration.mappings:
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
