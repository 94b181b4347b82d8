"""Shows imported mappings as a configuration file, with a comment at each hole and at all that was not taken."""

from collections.abc import Iterator
from typing import Any

import yaml

from poller.importers.draft import HOLE
from poller.importers.taking import Entry, Imported
from poller.support.printable import printable

_FIRST = ("name", "uuid", "event_source_arn", "function_name", "enabled")


def lines_of(imported: Imported, command: str) -> Iterator[str]:
    """The file's lines. `command` is what was typed, for the first comment."""
    yield f"# Written by `{printable(command)}`."
    holes = sum(len(entry.holes) for entry in imported.entries)
    if holes:
        yield f"# {_count(holes, 'value is', 'values are')} missing: look for HOLE. A mapping with a hole is disabled:"
        yield "# write the value, remove the comment, and with the last hole its `enabled: false`."
    if imported.functions:
        yield ""
        yield "functions:"
        for key, values in imported.functions.items():
            yield f"  {_scalar(key)}: {_scalar(values)}"
    yield ""
    yield "event_source_mappings:"
    for entry in imported.entries:
        yield from _entry(entry)


def _entry(entry: Entry) -> Iterator[str]:
    yield f"  # {printable(entry.place)}: {printable(entry.title)}"
    keys = [key for key in _FIRST if key in entry.values or key in entry.holes]
    keys += [key for key in (*entry.values, *entry.holes) if key not in keys]
    for index, key in enumerate(dict.fromkeys(keys)):
        if key in entry.holes:
            yield f"    {HOLE}{key}: {printable('; '.join(entry.holes[key]))}"
        if key in entry.values:
            yield f"  {'- ' if index == 0 else '  '}{key}: {_scalar(entry.values[key])}"
    yield from (f"    # not taken: {key}: {printable(reason)}" for key, reason in entry.left_out.items())


def _scalar(value: Any) -> str:
    written = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), sort_keys=False, allow_unicode=False)
    return str(written).removesuffix("\n").removesuffix("\n...")


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def summary(imported: Imported) -> str:
    """One sentence: how much was taken, refused, and is left to fill in."""
    holes = sum(len(entry.holes) for entry in imported.entries)
    left_out = sum(len(entry.left_out) for entry in imported.entries)
    taken = _count(len(imported.entries), "mapping taken", "mappings taken")
    parameters = _count(left_out, "parameter", "parameters")
    return f"{taken}, {imported.refused:,} not taken, {_count(holes, 'hole', 'holes')}, {parameters} left out"
