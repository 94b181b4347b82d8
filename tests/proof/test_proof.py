"""The table in the document of fleets is the one that the program prints, and what it shows keeps every promise."""

import pytest

from tests.proof.__main__ import MOST_IDLE_WRITES, broken
from tests.proof.document import section, written
from tests.proof.scenarios import KILLED, SCENARIOS, LongLoop, Outcome, idle_writes, measured
from tests.virtual_time import run

pytestmark = pytest.mark.heavy

QUICK = (KILLED, "a daemon stops")


def shape(text: str) -> list[list[str]]:
    """The head of the table, and the first cell of each row."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    return [rows[0], *([row[0], str(len(row))] for row in rows[1:])]


def test_the_document_has_the_table_that_is_printed() -> None:
    printed = section(dict.fromkeys(SCENARIOS, Outcome(1, 0, 0, 0, 1.0, 1.0, 1.0)), 1.0)
    assert shape(written()) == shape(printed)


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=() if one in QUICK else pytest.mark.slow) for one in SCENARIOS]
)
def test_what_happens_breaks_no_promise(name: str) -> None:
    assert broken(name, run(measured(name), loop_factory=LongLoop)) == []


@pytest.mark.slow
def test_an_idle_fleet_writes_beats_alone_however_many_shards_it_has() -> None:
    assert run(idle_writes(), loop_factory=LongLoop) <= MOST_IDLE_WRITES
