"""What the measurements say: medians over the rounds, ratios taken inside each round, targets, the machine."""

import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

from rich.table import Table

from .cases import LEAN, Case
from .measure import Result

_PACKAGES = ("aiobotocore", "botocore", "aiohttp", "uvloop", "orjson", "httptools")


@dataclass(frozen=True)
class Target:
    """A promise about one case, beside the case it is `against`, in the same round."""

    case: str
    what: str
    limit: float
    value: Callable[[Result, Result], float]
    at_least: bool = False

    def met(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit


def _speed(mine: Result, reference: Result) -> float:
    return mine.messages_per_cpu_second / reference.messages_per_cpu_second


TARGETS = [
    Target(LEAN, "messages per CPU second, x bare", 15, _speed, at_least=True),
    Target("poller, without extras", "messages per CPU second, x bare", 7, _speed, at_least=True),
    Target("poller, TLS", "messages per CPU second, x bare with TLS", 12, _speed, at_least=True),
    Target("poller, transport aiobotocore", "messages per CPU second, x bare", 0.85, _speed, at_least=True),
    Target("poller, everything on", "messages per CPU second, x plain poller", 0.75, _speed, at_least=True),
    Target(LEAN, "AWS calls per 1,000 messages", 203, lambda mine, _: mine.calls_per_1000),
    Target(LEAN, "peak memory above bare, MiB", 15, lambda mine, bare: mine.peak_memory_mib - bare.peak_memory_mib),
    Target("poller, transport aiobotocore", "peak memory, MiB", 95, lambda mine, _: mine.peak_memory_mib),
    Target("poller, Kinesis", "records per CPU second, x bare", 8, _speed, at_least=True),
    Target("poller, Kinesis, 20 shards", "peak memory, MiB", 350, lambda mine, _: mine.peak_memory_mib),
    Target("poller, half matches", "messages per CPU second, x plain poller", 0.75, _speed, at_least=True),
    Target("poller, Kinesis, nothing matches", "records per CPU second, x delivering", 2, _speed, at_least=True),
    Target("poller, trickle", "AWS calls, x bare", 0.5, lambda mine, bare: mine.calls_per_1000 / bare.calls_per_1000),
    Target("poller, trickle", "p99 latency, x bare", 0.5, lambda mine, bare: mine.p99_ms / bare.p99_ms),
    Target("poller, trickle", "p50 latency above bare, ms", 6, lambda mine, bare: mine.p50_ms - bare.p50_ms),
    Target("poller, idle", "first message after idle, ms", 2, lambda mine, _: mine.first_ms),
    Target("poller, idle", "calls a minute", 3.1, lambda mine, _: mine.idle_calls_per_minute or 0.0),
    Target("poller, idle", "CPU ms per second", 0.3, lambda mine, _: mine.idle_cpu_ms_per_second or 0.0),
]


@dataclass(frozen=True)
class Report:
    """All results of a run. A case whose measurements failed has a text in `failures` instead."""

    cases: Sequence[Case]
    results: Sequence[Result]
    failures: dict[str, str]

    def exact(self) -> bool:
        return not self.failures and not any(result.faults for result in self.results)

    def of(self, name: str) -> list[Result]:
        return [result for result in self.results if result.case == name]

    def beside(self, name: str) -> list[tuple[Result, Result]]:
        """A case's results with its reference's of the same round; a case without reference stands beside itself."""
        against = {case.name: case.against or case.name for case in self.cases}[name]
        references = {result.round: result for result in self.of(against)}
        return [(result, references[result.round]) for result in self.of(name) if result.round in references]

    def targets(self) -> list[tuple[Target, float]]:
        """Those that were measured, each with its median."""
        measured = {case.name for case in self.cases}
        found = []
        for target in TARGETS:
            pairs = self.beside(target.case) if target.case in measured else []
            if pairs:
                found.append((target, median(target.value(mine, reference) for mine, reference in pairs)))
        return found

    def ratio(self, name: str) -> float | None:
        pairs = self.beside(name)
        return median(_speed(mine, reference) for mine, reference in pairs) if pairs else None

    def verdict(self, name: str) -> str:
        faults: dict[str, int] = {}
        for result in self.of(name):
            for kind, count in result.faults.items():
                faults[kind] = faults.get(kind, 0) + count
        return ", ".join(f"{count} {kind}" for kind, count in faults.items()) or "exact"

    def as_json(self) -> str:
        targets = [
            {"case": target.case, "what": target.what, "limit": target.limit, "value": value, "met": target.met(value)}
            for target, value in self.targets()
        ]
        return json.dumps(
            {
                "machine": machine(),
                "cases": [asdict(case) for case in self.cases],
                "ratios": {case.name: self.ratio(case.name) for case in self.cases},
                "targets": targets,
                "failures": self.failures,
                "results": [asdict(result) for result in self.results],
            },
            indent=1,
        )


def machine() -> dict[str, Any]:
    """What the numbers were taken on."""
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "processor": names[0].partition(":")[2].strip() if names else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def machine_line() -> str:
    facts = machine()
    packages = ", ".join(f"{name} {found or 'absent'}" for name, found in facts["packages"].items())
    return f"{facts['processor']}, {facts['cores']} cores, {facts['system']}, Python {facts['python']}, {packages}"


def main_table(report: Report, rounds: int) -> Table:
    table = Table(title=f"Medians of {rounds} rounds; ratios are taken inside each round", title_justify="left")
    table.add_column("case")
    for heading in ("messages/CPU s", "ratio", "peak MiB", "calls/1k", "invokes/1k", "p50 ms", "p99 ms", "messages/s"):
        table.add_column(heading, justify="right")
    table.add_column("ledger")
    for case in report.cases:
        if case.against is None:
            table.add_section()
        if not report.of(case.name):
            table.add_row(case.name, *[""] * 8, "[red]failed")
        elif case.idle_seconds == 0:
            table.add_row(case.name, *_cells(report, case), report.verdict(case.name))
    return table


def _median(report: Report, case: Case, value: Callable[[Result], float]) -> float:
    return median(value(result) for result in report.of(case.name))


def _cells(report: Report, case: Case) -> list[str]:
    ratio = report.ratio(case.name)
    return [
        f"{_median(report, case, lambda result: result.messages_per_cpu_second):,.0f}",
        "" if case.against is None or ratio is None else f"{ratio:.2f} x {case.against}",
        f"{_median(report, case, lambda result: result.peak_memory_mib):.0f}",
        f"{_median(report, case, lambda result: result.calls_per_1000):,.0f}",
        f"{_median(report, case, lambda result: result.invocations_per_1000):,.0f}",
        f"{_median(report, case, lambda result: result.p50_ms):.1f}" if case.rate else "",
        f"{_median(report, case, lambda result: result.p99_ms):.1f}" if case.rate else "",
        f"{_median(report, case, lambda result: result.messages_per_second):,.0f}",
    ]


def idle_table(report: Report) -> Table | None:
    cases = [case for case in report.cases if case.idle_seconds and report.of(case.name)]
    if not cases:
        return None
    table = Table(title="An empty queue", title_justify="left")
    table.add_column("case")
    for heading in ("CPU ms/s", "calls/minute", "first message ms", "peak MiB"):
        table.add_column(heading, justify="right")
    table.add_column("ledger")
    for case in cases:
        table.add_row(
            case.name,
            f"{_median(report, case, lambda result: result.idle_cpu_ms_per_second or 0.0):.3f}",
            f"{_median(report, case, lambda result: result.idle_calls_per_minute or 0.0):.1f}",
            f"{_median(report, case, lambda result: result.first_ms):.1f}",
            f"{_median(report, case, lambda result: result.peak_memory_mib):.0f}",
            report.verdict(case.name),
        )
    return table


def targets_table(report: Report) -> Table | None:
    targets = report.targets()
    if not targets:
        return None
    table = Table(title="Targets", title_justify="left")
    for heading in ("case", "what"):
        table.add_column(heading)
    for heading in ("target", "measured"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for target, value in targets:
        sign = ">=" if target.at_least else "<="
        met = "met" if target.met(value) else "[red]missed"
        table.add_row(target.case, target.what, f"{sign} {target.limit:g}", f"{value:.2f}", met)
    return table
