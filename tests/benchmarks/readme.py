"""Writes a run's targets into the page of numbers, so that its numbers are measured ones.

`python -m tests.benchmarks --json FILE`, then `python -m tests.benchmarks.readme FILE`.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs/explanation/numbers.md"
BETWEEN = re.compile(r"(?<=<!-- benchmark -->\n).*(?=<!-- /benchmark -->)", re.DOTALL)


def table(run: dict[str, Any]) -> str:
    """The section as Markdown: one row per promise, the machine below."""
    machine = run["machine"]
    rounds = len({result["round"] for result in run["results"]})
    packages = ", ".join(f"{name} {found}" for name, found in machine["packages"].items() if found)
    where = f"{machine['processor']}, {machine['cores']} cores, Python {machine['python']}, {packages}"
    rows = [
        f"| {one['case']} | {one['what']} | {_number(one['value'])} | {_number(one['limit'])} |"
        for one in run["targets"]
    ]
    return "\n".join(
        [
            "Against loops on stock aiobotocore (`bare`), in the same run, with a ledger that must be exact.",
            "",
            "| case | what | measured | aim |",
            "|---|---|---|---|",
            *rows,
            "",
            f"Medians of {rounds} rounds; idle once. {where}. `python -m tests.benchmarks` takes them again.",
            "",
        ]
    )


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if abs(value) < 100 else f"{value:.0f}"


if __name__ == "__main__":
    section = table(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    PAGE.write_text(BETWEEN.sub(lambda _: section, PAGE.read_text(encoding="utf-8")), encoding="utf-8")
