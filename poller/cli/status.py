"""`poller status`: shows the present state of a running daemon, as a table or as JSON, once or until interrupted."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from poller.cli.client import Client
from poller.cli.interrupts import until_interrupted
from poller.cli.output import clock, console, lag_in_words, of_daemon, of_mapping, table, times, unaccounted
from poller.cli.screen import Rates, lines
from poller.support.printable import printable_lines, say_json
from poller.values.texts import counted

WATCH_SECONDS = 1.0
STYLES = {"problem": "bold red", "degraded": "yellow", "paused": "dim", "disabled": "dim", "stopped": "dim"}
"""Styles of the lines of mappings, by state."""
_COUNTED = ("polled", "delivered", "failed_invoke", "returned", "deleted")


def show(client: Client, mapping: str | None, *, as_json: bool, watch: bool) -> None:
    """Print the status, of one mapping if named. Raises NoAnswer, also for a mapping that the daemon does not have."""
    if watch:
        with until_interrupted() as goes_on:
            _watch(client, mapping, goes_on, as_json=as_json)
    elif as_json:
        say_json(of_mapping(client, mapping))
    else:
        the_console = console()
        status = of_mapping(client, mapping)
        overview = None if not the_console.is_terminal else screen_of(status, Rates(), the_console.width)
        the_console.print(_picture(status, overview, detailed=mapping is not None))


def _watch(client: Client, mapping: str | None, goes_on: Callable[[], bool], *, as_json: bool) -> None:
    if as_json:
        while goes_on():
            say_json(of_mapping(client, mapping), indent=None, flush=True)
            time.sleep(WATCH_SECONDS)
        return
    the_console, rates = console(), Rates()
    detailed = mapping is not None
    with Live(
        console=the_console, auto_refresh=False, screen=the_console.is_terminal, vertical_overflow="crop"
    ) as live:
        while goes_on():
            status = of_mapping(client, mapping)
            rates.look(status["mappings"], time.monotonic())
            height = the_console.height if the_console.is_terminal and not detailed else None
            overview = screen_of(status, rates, the_console.width, height)
            live.update(_picture(status, overview, detailed=True) if detailed else overview, refresh=True)
            time.sleep(WATCH_SECONDS)


def screen_of(
    status: dict[str, Any], rates: Rates, width: int, height: int | None = None, now: datetime | None = None
) -> RenderableType:
    """All mappings on a screen of that size, at the time of `now` or at present."""
    shown = lines(status, rates, now or datetime.now(UTC), width, height)
    return Group(*(Text(line, no_wrap=True, style=STYLES.get(state, "")) for line, state in shown))


def _picture(status: dict[str, Any], overview: RenderableType | None, *, detailed: bool) -> RenderableType:
    """The whole picture. `overview` is that of a terminal; None gives a table that is as wide as its content."""
    parts: list[RenderableType] = [_overview(status["mappings"]) if overview is None else overview]
    for mapping in status["mappings"]:
        if overview is None:
            parts += _remarks(mapping)
        if detailed:
            parts += [_counters(mapping), _lanes(mapping)]
    if overview is None:
        parts = [*(parts if status["mappings"] else ["no mappings"]), *of_daemon(status)]
    return Group(*parts, f"poller {status['version']}, running since {status['started_at']}")


def _remarks(mapping: dict[str, Any]) -> Iterator[str]:
    for note in mapping["notes"]:
        yield f"{mapping['name']}: {note['text']}"
    if mapping["unaccounted"]:
        yield f"{mapping['name']}: {unaccounted(mapping['unaccounted'])}"


def _overview(mappings: list[dict[str, Any]]) -> Table:
    shown = table("mapping", "state", "why")
    for name in (*_COUNTED, "in flight", "lag"):
        shown.add_column(name.replace("_", " "), justify="right")
    for mapping in mappings:
        counts = [str(mapping["counters"][name]) for name in _COUNTED]
        row = [mapping["name"], mapping["state"], _why(mapping["reason"]), *counts]
        shown.add_row(*row, str(mapping["in_flight"]), lag_in_words(mapping["lag"]) or "-")
    return shown


def _counters(mapping: dict[str, Any]) -> Table:
    shown = table("", "")
    facts = {"source": mapping["event_source_arn"], "function": mapping["function"], "uuid": mapping["uuid"]}
    tags = {f"tag {name}": value for name, value in mapping["tags"].items()}
    if (failure := mapping["last_failure"]) is not None:
        facts["last failure"] = f"{failure['text']} ({clock(failure['at'])})"
    for name, value in {**facts, **tags, **mapping["counters"]}.items():
        shown.add_row(name, str(value))
    if failure is not None:
        for number, line in enumerate(printable_lines((failure["logs"] or "-").rstrip("\n"))):
            shown.add_row("" if number else "its log", line)
    return shown


def _lanes(mapping: dict[str, Any]) -> Table:
    shown = table("partition", "position", "lane", "why")
    for partition in mapping["partitions"]:
        why = "; ".join(filter(None, (_why(partition["reason"]), _window(partition["window"]))))
        shown.add_row(partition["id"], partition["position"] or "-", "", why)
        for number, lane in enumerate(partition["lanes"]):
            shown.add_row("", "", str(number), _why(lane))
        for one in partition["elsewhere"]:
            shown.add_row("", "", f"{one['lane']} on {one['member']}", _why(one["reason"]))
    return shown


def _window(window: dict[str, Any] | None) -> str | None:
    if window is None:
        return None
    records = counted(window["records"], "record")
    return f"window {clock(window['start'])} to {clock(window['end'])} is open, with {records}"


def _why(reason: dict[str, Any] | None) -> str:
    if reason is None:
        return "-"
    return f"{reason['code']}: {reason['text']}{times(reason)}"
