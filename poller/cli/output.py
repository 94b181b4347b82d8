"""Prints answers to a terminal or a pipe, and has the words that several commands share."""

import sys
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from poller.cli.client import Client, NoAnswer
from poller.daemon.api.notes import span
from poller.support import telemetry
from poller.support.log_writer import LogWriter
from poller.support.printable import printable
from poller.values.texts import counted

PIPE_WIDTH = 200
"""Columns where the output is not a terminal, so that nothing is cut."""


class _Console(Console):
    """Prints each text on one line of its own, made harmless. Text with styles comes as `rich.text.Text`."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(printable(text), **options)


NOT_SO = 1
"""The exit code where what was asked about is not so."""


def failed(code: int, *lines: str) -> int:
    """Say on stderr why the command failed; gives its exit code."""
    # through the log, because a blocked reader of stderr must not prevent the end of the daemon
    telemetry.flush()
    out = LogWriter(sys.stderr)
    for line in lines:
        out.write(printable(f"poller: {line}"))
    out.flush(telemetry.FLUSH_SECONDS)
    return code


def console() -> Console:
    """Build the console for standard output, as it is now."""
    # brackets and colons in a name are neither colours nor emoji
    made = _Console(markup=False, highlight=False, emoji=False)
    if not made.is_terminal:
        made.width = PIPE_WIDTH
    return made


def table(*columns: str) -> Table:
    """Build a table without lines, whose cells a script can split."""
    return Table(*columns, box=None, pad_edge=False)


def of_mapping(client: Client, mapping: str | None) -> dict[str, Any]:
    """The daemon's status, reduced to one mapping if named. Raises NoAnswer, also for a mapping that the daemon does
    not have.
    """
    status = client.status()
    if mapping is None:
        return status
    chosen = [entry for entry in status["mappings"] if mapping in (entry["name"], entry["uuid"])]
    if not chosen:
        names = ", ".join(entry["name"] for entry in status["mappings"]) or "none"
        raise NoAnswer(f"the poller at {client.address} has no mapping {mapping}; it has: {names}")
    return {**status, "mappings": chosen}


def of_daemon(status: dict[str, Any]) -> list[str]:
    """Why the daemon is unhealthy, and the problems of a refused configuration; empty while all is well."""
    lines = [f"the daemon is unhealthy: {problem}" for problem in status["unhealthy"]]
    configuration = status["configuration"]
    if configuration is None or not configuration["problems"]:
        return lines
    heading = f"the configuration was changed and refused at {clock(configuration['refused_at'])}; the former runs on:"
    return [*lines, heading, *(f"  {problem}" for problem in configuration["problems"])]


def clock(moment: str, now: datetime | None = None) -> str:
    """Local time, without the date for what happens on the day of `now`, by default today."""
    parsed = datetime.fromisoformat(moment).astimezone()
    today = parsed.date() == (now or datetime.now(UTC)).astimezone().date()
    return parsed.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S")


def times(reason: dict[str, Any], now: datetime | None = None) -> str:
    """The times of a reason that its text does not say: its begin, its end and the next try. With a space before it, or
    nothing.
    """
    words = {"since": "since", "until": "until", "next_try_at": "next try at"}
    found = [(word, clock(reason[key], now)) for key, word in words.items() if reason[key]]
    known = [f"{word} {moment}" for word, moment in found if moment not in reason["text"]]
    return f" ({', '.join(known)})" if known else ""


def unaccounted(records: int) -> str:
    """Of records that are in no bucket of the account."""
    return f"{counted(records, 'record')} {'is' if records == 1 else 'are'} unaccounted for; please report it"


def lag_in_words(lag: dict[str, Any]) -> str | None:
    """How far behind a mapping is, and until when; None if nothing of it is known."""
    records = lag["records"]
    known = [counted(records, "record")] if records is not None else []
    known += [f"{lag['hidden']:,} received and not deleted"] if lag["hidden"] else []
    known += [span(lag["seconds"])] if lag["seconds"] is not None else []
    if lag["drained_in_seconds"]:
        known.append(f"worked off in {span(lag['drained_in_seconds'])}")
    known += [f"expires in {span(lag['expires_in_seconds'])}"] if lag["expires_in_seconds"] is not None else []
    return ", ".join(known) or None
