"""`python -m tests.benchmarks.many [--mappings 200]`: what many idle mappings of queues cost in one daemon.

Measures one mapping, then all of them, and the same number of bare long-polling loops on a stock client, each for a
little more than two long polls. What a mapping costs is the difference to one, divided. Linux only; takes three minutes.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from .processes import cpu_seconds, memory_mib
from .programs import Client, Stub, free_port, running, stub

SECONDS = 41.0
"""Two long polls of 20 s and a bit."""
SETTLING = 8.0
"""Seconds until start-up is over and every mapping waits in a long poll."""
BARE_MOST = 400
"""Loops: a stock client keeps that many connections only when told to, and the yardstick needs no more."""


@dataclass(frozen=True)
class Idle:
    what: str
    mappings: int
    cpu_ms_per_second: float
    memory_mib: float
    calls_per_minute: float


def configuration(url: str, listen: str, count: int) -> dict[str, Any]:
    arn = "arn:aws:sqs:us-east-1:000000000000:q"
    mappings = [
        {"name": f"m{number}", "event_source_arn": f"{arn}{number}", "function_name": "fn"} for number in range(count)
    ]
    return {
        "aws": {"region": "us-east-1", "endpoint_url": url},
        "state": "memory:",
        "api": {"listen": listen},
        "log": {"level": "warning"},
        "shutdown_grace_seconds": 1,
        "event_source_mappings": mappings,
    }


@contextmanager
def daemon(folder: Path, endpoint: Stub, count: int) -> Iterator[Client]:
    listen = f"127.0.0.1:{free_port()}"
    file = folder / "poller.json"
    file.write_text(json.dumps(configuration(endpoint.url, listen, count)))
    with running(["poller", "run", "--config", str(file)], folder, f"http://{listen}") as client:
        yield client


@contextmanager
def bare(folder: Path, endpoint: Stub, count: int) -> Iterator[Client]:
    with running(["tests.benchmarks.bare_idle", endpoint.url, str(count)], folder, endpoint.url) as client:
        yield client


def measured(what: str, count: int) -> Idle:
    """One program with so many empty queues, after its start-up."""
    with tempfile.TemporaryDirectory(prefix="poller-benchmark-") as name, stub(Path(name)) as endpoint:
        endpoint.control("/_ctl?")
        endpoint.control("/_load?messages=0&rate=0&source=sqs")
        with (daemon if what == "poller" else bare)(Path(name), endpoint, count) as client:
            time.sleep(SETTLING + count / 200)
            client.check()
            calls, cpu = _receives(endpoint), cpu_seconds(client.pid)
            for _ in track(range(int(SECONDS)), f"{what}, {count}", console=Console(stderr=True), transient=True):
                time.sleep(SECONDS / int(SECONDS))
            cpu = cpu_seconds(client.pid) - cpu
            calls = _receives(endpoint) - calls
            client.check()
            return Idle(what, count, 1000 * cpu / SECONDS, memory_mib(client.pid), 60 * calls / SECONDS)


def _receives(endpoint: Stub) -> int:
    return int(endpoint.control("/_ledger")["calls"].get("ReceiveMessage", 0))


def table(one: Idle, rest: list[Idle]) -> Table:
    shown = Table(title="Empty queues", title_justify="left")
    shown.add_column("program")
    for heading in ("mappings", "CPU ms/s", "each, CPU ms/s", "MiB", "each, KiB", "each, receives/minute"):
        shown.add_column(heading, justify="right")
    for idle in (one, *rest):
        more = idle.mappings - one.mappings
        own = idle.what == one.what and more
        shown.add_row(
            idle.what,
            f"{idle.mappings:,}",
            f"{idle.cpu_ms_per_second:.1f}",
            f"{(idle.cpu_ms_per_second - one.cpu_ms_per_second) / more:.3f}"
            if own
            else f"{idle.cpu_ms_per_second / idle.mappings:.3f}",
            f"{idle.memory_mib:.1f}",
            f"{1024 * (idle.memory_mib - one.memory_mib) / more:.0f}" if own else "",
            f"{idle.calls_per_minute / idle.mappings:.2f}",
        )
    return shown


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.many", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--mappings", type=int, default=200)
    arguments = parser.parse_args()
    # the stub holds a connection for each too
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    one = measured("poller", 1)
    rest = [measured("poller", arguments.mappings), measured("bare", min(arguments.mappings, BARE_MOST))]
    output = Console()
    if not output.is_terminal:
        output.width = 120
    output.print(table(one, rest))
    return 0


if __name__ == "__main__":
    sys.exit(main())
