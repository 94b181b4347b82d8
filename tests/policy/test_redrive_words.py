"""What a person is told that a redrive would do."""

from dataclasses import replace

import pytest

from poller.policy.redrive_words import impact, taken_from
from poller.policy.redriving import Redriven

INTERVAL = Redriven("r", "u", "clicks", "source", 100.0, 2.0, 20, begin=0.0, end=60.0)
LETTERS = replace(INTERVAL, which="dead_letters", begin=None, batch=1, rate=1.0)
SHARDS = ["shard-0", "shard-1"]


@pytest.mark.parametrize(
    ("redriven", "what"),
    [
        (INTERVAL, "the interval from 1970-01-01T00:00:00.000Z until 1970-01-01T00:01:00.000Z"),
        (replace(INTERVAL, begin=None, end=None, shard="shard-1"), "the interval from the oldest record of shard-1"),
        (LETTERS, "dead letters"),
        (replace(LETTERS, which="destination"), "the on-failure destination"),
    ],
)
def test_what_is_taken_is_named(redriven, what):
    assert taken_from(redriven) == what


def test_an_interval_is_named_with_its_ends_and_moves_no_position():
    told = impact("fn", replace(INTERVAL, shard="shard-1"), ["shard-1"], receives=False, before=None)
    assert told[0] == (
        "Once more goes the interval from 1970-01-01T00:00:00.000Z until 1970-01-01T00:01:00.000Z of shard-1. "
        "fn is invoked with one record of shard-1 alone, then with up to 20: 2 records per second at most."
    )
    assert told[1].startswith("No position of the mapping moves")
    assert "of 2 shards" in impact("fn", INTERVAL, SHARDS, receives=False, before=None)[0]


def test_messages_are_deleted_one_by_one():
    told = impact("fn", LETTERS, ["dead"], receives=True, before=None)
    assert told[0] == "fn is invoked with one record of dead at a time: 1 record per second at most."
    assert told[1].startswith("A message that the function succeeds on is deleted")


@pytest.mark.parametrize(
    ("failed", "passes_over", "said"),
    [
        (0, False, "It goes on behind the last record that was done."),
        (0, True, "It goes on behind the last record that was done."),
        (1, False, "It tries the record that failed again once more, and goes on behind it."),
        (1, True, "It passes over the record that failed again, which stays where it is."),
        (1200, False, "It tries the 1,200 records that failed again once more, and goes on behind them."),
        (1200, True, "It passes over the 1,200 records that failed again, which stay where they are."),
    ],
)
def test_a_resume_says_what_becomes_of_what_failed_again(failed, passes_over, said):
    before = replace(INTERVAL, failed=failed)
    again = before.resumed(passing_over=passes_over)
    assert impact("fn", again, SHARDS, receives=False, before=before)[1] == said
