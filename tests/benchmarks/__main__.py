"""`python -m tests.benchmarks`: measures the daemon beside a bare aiobotocore loop and prints the table.

Linux only. A full run takes some six minutes, `--quick` less than one. Ends with 0 when every case ran and every
ledger was exact, whatever the targets say; 1 otherwise; 2 on bad usage.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from .cases import Case, cases
from .measure import Result, measure
from .programs import MeasurementError
from .report import Report, idle_table, machine_line, main_table, targets_table


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, help="how often each case runs, interleaved (5; with --quick 2)")
    parser.add_argument("--only", metavar="TEXT", default="", help="cases whose name contains it, and their references")
    parser.add_argument("--quick", action="store_true", help="a first look: fewer cases, smaller loads, no idle queue")
    parser.add_argument("--idle", action=argparse.BooleanOptionalAction, help="measure an idle queue for 41 s each")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write all results to it")
    arguments = parser.parse_args()
    if arguments.rounds is not None and arguments.rounds < 1:
        parser.error("--rounds must be at least 1")
    if arguments.json is not None and not arguments.json.parent.is_dir():
        parser.error(f"--json: there is no folder {arguments.json.parent}")
    return arguments


def _chosen(everything: list[Case], text: str) -> list[Case]:
    """Those whose name contains `text`, and what they are measured against, in their order."""
    names = {case.name for case in everything if text in case.name}
    for case in reversed(everything):
        if case.name in names and case.against:
            names.add(case.against)
    return [case for case in everything if case.name in names]


def _run(chosen: list[Case], rounds: int, errors: Console) -> Report:
    results: list[Result] = []
    failures: dict[str, str] = {}
    columns = TextColumn("round {task.fields[round]} {task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=errors) as progress:
        task = progress.add_task("", total=rounds * len(chosen), round=1)
        for number in range(1, rounds + 1):
            for position, case in enumerate(chosen):
                done = (number - 1) * len(chosen) + position
                # an idle queue is measured once: its window is long and its figures steady
                if case.name in failures or (case.idle_seconds and number > 1):
                    continue
                progress.update(task, description=case.name, round=number, completed=done)
                advance = partial(_advance, progress, task, done)
                try:
                    results.append(measure(case, number, advance))
                except MeasurementError as failure:
                    failures[case.name] = str(failure)
                    errors.print(f"{case.name}: {failure}", style="red", markup=False)
        progress.update(task, description="done", completed=rounds * len(chosen))
    return Report(chosen, results, failures)


def _advance(progress: Progress, task: TaskID, done: int, share: float) -> None:
    progress.update(task, completed=done + share)


def main() -> int:
    arguments = _arguments()
    errors, output = Console(stderr=True), Console()
    if sys.platform != "linux":
        errors.print("The benchmarks read CPU time from /proc, which only Linux has. Run them in a Linux container.")
        return 2
    idle = not arguments.quick if arguments.idle is None else arguments.idle
    chosen = _chosen(cases(quick=arguments.quick, idle=idle), arguments.only)
    if not chosen:
        errors.print(f"No case has {arguments.only!r} in its name.", markup=False)
        return 2
    rounds = arguments.rounds or (2 if arguments.quick else 5)
    try:
        report = _run(chosen, rounds, errors)
    except KeyboardInterrupt:
        errors.print("Interrupted; nothing was written.")
        return 1
    if not output.is_terminal:
        output.width = 160
    output.print(machine_line(), soft_wrap=True)
    for table in (main_table(report, rounds), idle_table(report), targets_table(report)):
        if table is not None:
            output.print(table)
    if arguments.json:
        arguments.json.write_text(report.as_json() + "\n")
    return 0 if report.exact() else 1


if __name__ == "__main__":
    sys.exit(main())
