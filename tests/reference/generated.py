"""Pages of `docs/reference` that are made from the program: metrics, by a scrape, log events, HTTP, options."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from prometheus_client.parser import text_string_to_metric_families

from poller.cli.main import app
from poller.daemon.api.isolation import Isolation
from poller.daemon.api.metrics import exposition
from poller.daemon.api.pages import PAGES as HTTP_PAGES
from poller.ports.fleet_status import FleetStatus
from poller.support import events as listed_events
from poller.workers import log
from poller.workers.exposition import merged_metrics
from tests.daemon.samples import a_daemon, a_mapping

FOLDER = Path(__file__).parents[2] / "docs/reference"
NOTE = "<!-- Written by `python -m tests.reference` from the program; a test holds it to that. -->"


def metrics() -> str:
    """Every family of `/metrics`, but those of the process."""
    daemon = a_daemon(a_mapping())
    daemon.fleet = FleetStatus("orders", "a")
    parts, _ = exposition(daemon, "", 120.0, Isolation())
    whole = b"".join(parts).decode() + merged_metrics([], 2, {"1": 1})
    families = text_string_to_metric_families(whole)
    rows = [
        f"| `{family.name}{'_total' if family.type == 'counter' else ''}` | {family.type} | {family.documentation} |"
        for family in families
        if family.name.startswith("poller_")
    ]
    head = "Prometheus scrapes them at `/metrics`. The names keep the words of CloudWatch's metrics of mappings."
    return "\n".join(["# Metrics", "", NOTE, "", head, "", "| metric | type | what |", "|---|---|---|", *rows, ""])


def events() -> str:
    """Every event of the log, as its module's docstring lists them."""
    documents = (listed_events.__doc__ or "") + (log.__doc__ or "")
    rows = re.findall(r"^\| (.*?) \| (.*?) \| (.*) \|$", documents, re.MULTILINE)
    listed = [f"| `{name}` | {level} | {when} |" for name, level, when in rows if name not in ("event", "---")]
    head = (
        "The log is on stderr, as JSON lines or, with `log: {format: console}`, as text. Each line has a named event; "
        "normal running is silent at `info`."
    )
    return "\n".join(["# Log events", "", NOTE, "", head, "", "| event | level | when |", "|---|---|---|", *listed, ""])


def http() -> str:
    """Every path that the daemon answers."""
    rows = [f"| `{method} {path}` | {text} |" for method, path, text in HTTP_PAGES]
    head = (
        "On `127.0.0.1:8642` unless `api.listen` says otherwise; `/` answers with this list. "
        "[Operate](../how-to/operate.md) says who may ask, and what each state means. A request that changes something "
        "needs the content type `application/json`."
    )
    return "\n".join(["# HTTP", "", NOTE, "", head, "", "| request | what |", "|---|---|", *rows, ""])


def options() -> str:
    """What each command says of itself."""
    parts = ["# Options of each command", "", NOTE, ""]
    for words, command in _every(typer.main.get_command(app), ("poller",)):
        context = typer.Context(command, info_name=" ".join(words), terminal_width=80, max_content_width=80)
        lines = [line.rstrip() for line in command.get_help(context).strip().splitlines()]
        parts += [f"## {' '.join(words)}", "", "```text", *lines, "```", ""]
    return "\n".join(parts)


def _every(command: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    below = getattr(command, "commands", {})
    if not below:
        yield words, command
    for name, each in below.items():
        yield from _every(each, (*words, name))


PAGES = {"metrics.md": metrics, "events.md": events, "http.md": http, "options.md": options}
