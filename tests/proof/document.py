"""Writes the table into the document of fleets, so that its numbers are measured ones."""

import re
from collections.abc import Mapping
from pathlib import Path

from tests.proof.report import table
from tests.proof.scenarios import BATCH, IDLE_DAEMONS, IDLE_SHARDS, INVOCATION_SECONDS, KILLED, Outcome

PAGE = Path(__file__).parents[2] / "docs/explanation/fleet.md"
BETWEEN = re.compile(r"(?<=<!-- proof -->\n).*(?=<!-- /proof -->)", re.DOTALL)


def section(outcomes: Mapping[str, Outcome], idle: float) -> str:
    """What stands between the marks."""
    taken_over = outcomes[KILLED].taken_over
    return (
        f"{table(outcomes)}\nThree daemons on six shards, 20 records a second, batches of {BATCH}, invocations of "
        f"{INVOCATION_SECONDS:g} s, by\nthe defaults. A gap is a time for which a shard had records and none was "
        f"delivered. After kill -9 every shard was\nheld again within {taken_over:.1f} s. An idle fleet of "
        f"{IDLE_DAEMONS} daemons and {IDLE_SHARDS:,} shards writes {idle:.1f} times a minute.\n"
    )


def written() -> str:
    """What stands there."""
    found = BETWEEN.search(PAGE.read_text(encoding="utf-8"))
    assert found is not None, f"{PAGE} has no place for the table"
    return found[0]


def write(outcomes: Mapping[str, Outcome], idle: float) -> None:
    """Replace it."""
    text = section(outcomes, idle)
    PAGE.write_text(BETWEEN.sub(lambda _: text, PAGE.read_text(encoding="utf-8")), encoding="utf-8")
