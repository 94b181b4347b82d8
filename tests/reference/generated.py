"""Pages of `docs/reference` that are made from the program: metrics, by a scrape, and the log's events."""

import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from poller.daemon.api.isolation import Isolation
from poller.daemon.api.metrics import exposition
from poller.support import telemetry
from tests.daemon.samples import a_daemon, a_mapping

FOLDER = Path(__file__).parents[2] / "docs/reference"
NOTE = "<!-- Written by `python -m tests.reference` from the program; a test holds it to that. -->"


def metrics() -> str:
    """Every family of `/metrics`, but those of the process."""
    parts, _ = exposition(a_daemon(a_mapping()), "", 120.0, Isolation())
    families = text_string_to_metric_families(b"".join(parts).decode())
    rows = [
        f"| `{family.name}{'_total' if family.type == 'counter' else ''}` | {family.type} | {family.documentation} |"
        for family in families
        if family.name.startswith("poller_")
    ]
    head = "Prometheus scrapes them at `/metrics`. The names keep the words of CloudWatch's metrics of mappings."
    return "\n".join(["# Metrics", "", NOTE, "", head, "", "| metric | type | what |", "|---|---|---|", *rows, ""])


def events() -> str:
    """Every event of the log, as its module's docstring lists them."""
    rows = re.findall(r"^\| (.*?) \| (.*?) \| (.*) \|$", telemetry.__doc__ or "", re.MULTILINE)
    listed = [f"| `{name}` | {level} | {when} |" for name, level, when in rows if name not in ("event", "---")]
    head = (
        "The log is on stderr, as JSON lines or, with `log: {format: console}`, as text. Each line has a named event; "
        "normal running is silent at `info`."
    )
    return "\n".join(["# Log events", "", NOTE, "", head, "", "| event | level | when |", "|---|---|---|", *listed, ""])


PAGES = {"metrics.md": metrics, "events.md": events}
