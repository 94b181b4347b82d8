"""Where shards are read from after a seek, and what a person is told about it."""

import pytest

from poller.policy.actions import Action, Seek, Stage, Undo, last_seek, what_of
from poller.policy.progress import LaneProgress, ShardProgress, StreamProgress
from poller.policy.seeking import Listed, Target, Unreachable, before, moved, sought

NOW = 1000.5
LISTED = [Listed("a", closed=True), Listed("b", closed=False)]


def stored(**shards):
    return StreamProgress("orders", "arn", "epoch", 12.5, shards)


def at(position, retry=()):
    return ShardProgress((LaneProgress(position, retry),))


@pytest.mark.parametrize(
    ("target", "shards"),
    [
        (Target("TRIM_HORIZON"), {"a": ShardProgress(start=0.0), "b": ShardProgress(start=0.0)}),
        (Target("LATEST"), {"a": ShardProgress(finished=True), "b": ShardProgress(start=NOW)}),
        (Target("AT_TIMESTAMP", 999.0, shard="b"), {"b": ShardProgress(start=999.0)}),
        (Target("AT_SEQUENCE_NUMBER", sequence_number="7", shard="b"), {"b": at("7:-1")}),
    ],
)
def test_a_seek_moves_the_shards_that_are_meant(target, shards):
    assert sought(target, LISTED, NOW) == shards


@pytest.mark.parametrize(
    ("target", "why"),
    [
        (Target("LATEST", shard="c"), "does not list a shard c; it lists: a, b"),
        (Target("AT_TIMESTAMP", 1001.0), "in the future"),
        (Target("AT_SEQUENCE_NUMBER", sequence_number="7"), "say in which"),
        (Target("AT_SEQUENCE_NUMBER", sequence_number="seven", shard="a"), "decimal"),
        (Target("AT_SEQUENCE_NUMBER", shard="a"), "decimal"),
    ],
)
def test_a_position_that_cannot_be_had_is_refused(target, why):
    with pytest.raises(Unreachable, match=why):
        sought(target, LISTED, NOW)


def test_what_is_not_meant_keeps_its_progress_and_the_way_back_is_exact():
    old = stored(a=at("5"), c=at("9"))
    new = {"a": ShardProgress(start=0.0), "b": ShardProgress(start=0.0)}
    kept = before(old, new)
    assert kept == {"a": at("5"), "b": None}
    after = moved(old, new)
    assert after.shards == {"c": at("9"), **new}
    assert moved(after, kept) == old


def action(number, what="seek", **values):
    given = {"before": {"a": at("5")}, "stage": Stage.DONE} | values
    return Action(str(number), float(number), "u", "orders", what, "", **given)


@pytest.mark.parametrize(
    ("actions", "found"),
    [
        ([], None),
        ([action(2), action(1)], "2"),
        ([action(3, "undo", undoes="2"), action(2), action(1)], "1"),
        ([action(2, stage=Stage.FAILED), action(1, stage=Stage.BEGUN)], "1"),
        ([action(3, "undo", undoes="1", stage=Stage.FAILED), action(1)], "1"),
        ([action(2, before={}), action(1, "skip", before={})], None),
    ],
)
def test_the_last_seek_that_is_not_undone_can_be_undone(actions, found):
    last = last_seek(actions, "u")
    assert (last and last.id) == found
    assert last_seek(actions, "another") is None


def test_their_names_are_those_of_their_paths():
    assert (what_of(Seek(Target("LATEST"))), what_of(Undo())) == ("seek", "undo")
