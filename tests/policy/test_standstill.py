"""A mapping whose shard stands still says so, with how much of it and since when."""

import pytest

from poller.policy.standstill import Shard, Stuck, stuck, stuck_words

MOVES = Shard(1)


@pytest.mark.parametrize(
    ("shards", "found"),
    [
        ([], None),
        ([MOVES, Shard(10)], None),
        ([MOVES, Shard(1, 1, 7.0)], Stuck(1, 1, 1, 0, 7.0)),
        ([Shard(10, 2, 9.0), Shard(10, 10, 5.0), MOVES], Stuck(2, 12, 20, 0, 5.0)),
        ([Shard(1, 1), Shard(1, 1, 3.0)], Stuck(2, 2, 2, 0, 3.0)),
        ([Shard(1, 1)], Stuck(1, 1, 1, 0, None)),
    ],
)
def test_shards_that_stand_still_are_counted_since_the_first_of_them(shards, found):
    assert stuck(shards) == found


def test_shards_of_other_members_count_as_well():
    assert stuck([MOVES], [[4.0, None], [2.0]]) == Stuck(0, 0, 0, 2, 2.0)
    assert stuck([Shard(1, 1, 7.0)], [[None]]) == Stuck(1, 1, 1, 1, 7.0)


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ((1, 4, 1, 1, 0), "stuck: 1 of 4 shards"),
        ((1, 1, 1, 1, 0), "stuck"),
        ((1, 1, 2, 10, 0), "stuck: 2 of 10 lanes"),
        ((2, 4000, 3, 20, 0), "stuck: 3 of 20 lanes, in 2 of 4,000 shards"),
        ((2, 4000, 3, 20, 1), "stuck: 3 of 4,000 shards"),
    ],
)
def test_it_says_what_stands_still_and_of_how_many(counts, words):
    assert stuck_words(*counts) == words
