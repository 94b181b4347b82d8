"""`python -m tests.benchmarks.workers [--rounds 3]`: what a second worker process brings, and what it costs.

Drains the backlog of a queue and of twenty shards with one and with two workers, in turn, and prints the rate, the CPU
for each message, and the stub's share of the machine: what the stub takes of two cores no worker can have. The cases on
the SDK's own client leave it little to do. Then an idle queue: long polls, and the memory of the parent and of each worker.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.progress import track
from rich.table import Table

from .cases import Case
from .measure import Result, measure
from .processes import tree
from .programs import client, stub

WORKERS = (1, 2)
CASES = (
    Case("queue", 60_000, "lean", None, workers=1),
    Case("queue, the SDK's client", 24_000, "aiobotocore", None, workers=1),
    Case("20 shards", 300_000, "lean", None, source="kinesis", shards=20, workers=1),
    Case("20 shards, batches of 20", 240_000, "lean", None, source="kinesis", shards=20, batch_size=20, workers=1),
    Case(
        "20 shards, the SDK's client",
        60_000,
        "aiobotocore",
        None,
        source="kinesis",
        shards=20,
        batch_size=20,
        workers=1,
    ),
)
IDLE_SECONDS = 61.0
"""Three long polls."""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.workers", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument(
        "--rounds", type=int, default=3, help="how often each case runs with each number of workers (3)"
    )
    parser.add_argument("--only", metavar="TEXT", default="", help="cases whose name contains it")
    arguments = parser.parse_args()
    runs = [
        (replace(case, workers=workers), number)
        for number in range(1, arguments.rounds + 1)
        for case in CASES
        if arguments.only in case.name
        for workers in WORKERS
    ]
    errors, output = Console(stderr=True), Console()
    results = [
        (case, measure(case, number, lambda _: None)) for case, number in track(runs, "backlogs", console=errors)
    ]
    output.print(_table(results))
    output.print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}; medians of {arguments.rounds} rounds")
    for workers in WORKERS:
        output.print(_idle(workers))
    return 1 if any(result.faults for _, result in results) else 0


def _table(results: list[tuple[Case, Result]]) -> Table:
    table = Table(
        "backlog of", "workers", "messages/s", "x", "CPU ms per 1,000", "x", "stub's CPU, cores", "memory MiB", "faults"
    )
    for case in CASES:
        own = {
            workers: [result for ran, result in results if ran == replace(case, workers=workers)] for workers in WORKERS
        }
        for workers, found in own.items():
            if not found:
                continue
            rate, cost = (_medians(own, of) for of in (lambda one: one.messages_per_second, _cost))
            table.add_row(
                case.name,
                str(workers),
                f"{rate[workers]:,.0f}",
                f"{rate[workers] / rate[WORKERS[0]]:.2f}",
                f"{cost[workers]:.1f}",
                f"{cost[workers] / cost[WORKERS[0]]:.2f}",
                f"{median(one.stub_cpu_seconds * one.messages_per_second / one.messages for one in found):.2f}",
                f"{median(one.peak_memory_mib for one in found):.0f}",
                ", ".join(str(one.faults) for one in found if one.faults) or "-",
            )
    return table


def _medians(own: dict[int, list[Result]], of: Callable[[Result], float]) -> dict[int, float]:
    return {workers: median(map(of, found)) for workers, found in own.items()}


def _cost(result: Result) -> float:
    return 1e6 * result.cpu_seconds / result.messages


def _idle(workers: int) -> str:
    case = Case("idle", 1, "lean", None, workers=workers, idle_seconds=IDLE_SECONDS)
    polls = measure(case, 1, lambda _: None).idle_calls_per_minute
    with tempfile.TemporaryDirectory(prefix="poller-benchmark-") as name, stub(Path(name)) as endpoint:
        endpoint.control("/_load?messages=0")
        with client(case, endpoint.url, Path(name)) as program:
            program.wait_until_ready()
            sizes = [_memory_of(pid) for pid in tree(program.pid)]
    return f"idle, {workers} workers: {polls:.1f} calls a minute; MiB of each process: {sizes}"


def _memory_of(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return round(sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024)


if __name__ == "__main__":
    sys.exit(main())
