"""Lineage: no child before its parents, no parent that is gone holds anybody up, and no hash key is forgotten."""

from poller.policy.shards import HASH_KEYS, forgettable, holes, may_start
from poller.sources.sharded.api import Shard


def ids(shards):
    return [shard.id for shard in shards]


A, B = Shard("a", closed=True), Shard("b")
CHILD = Shard("c", ("a",))
MERGED = Shard("m", ("a", "b"))


def test_a_closed_shard_that_is_not_finished_is_read():
    assert ids(may_start([A, CHILD], set(), set())) == ["a"]


def test_a_child_waits_for_its_parent_and_starts_when_it_is_finished():
    assert ids(may_start([A, CHILD], set(), {"a"})) == []
    assert ids(may_start([A, CHILD], {"a"}, set())) == ["c"]


def test_a_merged_child_waits_for_both():
    assert ids(may_start([A, B, MERGED], {"a"}, {"b"})) == []
    assert ids(may_start([A, B, MERGED], {"a", "b"}, set())) == ["m"]


def test_a_trimmed_parent_holds_nobody_up_unless_we_are_still_busy_with_it():
    assert ids(may_start([CHILD], set(), set())) == ["c"]
    assert ids(may_start([CHILD], set(), {"a"})) == []


def test_siblings_start_together():
    assert ids(may_start([CHILD, Shard("d", ("a",))], set(), set())) == ["c", "d"]


def test_finished_shards_are_remembered_as_long_as_somebody_asks_for_them():
    assert forgettable({"a", "x"}, [CHILD]) == {"x"}


def halves(middle):
    return (0, middle - 1), (middle, HASH_KEYS - 1)


def test_a_covered_hash_key_space_has_no_hole():
    low, high = halves(2**127)
    assert holes([Shard("a", hash_range=low), Shard("b", hash_range=high)]) == []
    assert holes([Shard("a")]) == []
    assert holes([]) == []


def test_a_hole_is_where_the_youngest_shards_leave_hash_keys_out():
    low, high = halves(2**127)
    assert holes([Shard("a", hash_range=low)]) == [high]
    assert holes([Shard("b", hash_range=high)]) == [low]
    split = [Shard("p", hash_range=(0, HASH_KEYS - 1)), Shard("l", ("p",), hash_range=low)]
    assert holes(split) == [high]
