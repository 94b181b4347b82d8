"""What is stored of a shard: where reading resumes, how far it is known, and when its keys may be dealt anew."""

import pytest

from poller.policy.invocation_record import iso_milliseconds, iso_seconds
from poller.policy.pace import Pace
from poller.policy.parts import PartState
from poller.policy.progress import LaneProgress, ShardProgress, StreamProgress, replaces
from poller.policy.windows import Window, WindowProgress

OPEN = WindowProgress(Window(0, 60))
TRIED = PartState(first="11", last="13", count=3, attempts=2)


def test_a_lane_knows_of_what_it_has_settled_and_of_the_batch_it_is_in():
    assert LaneProgress("10").furthest == "10"
    assert LaneProgress("10", (TRIED,)).furthest == "13"
    assert LaneProgress().furthest is None


def test_a_shard_resumes_at_its_slowest_lane_and_knows_of_its_fastest():
    shard = ShardProgress((LaneProgress("9"), LaneProgress("10", (TRIED,))))
    assert shard.position == "9"
    assert shard.furthest == "13"
    assert ShardProgress((LaneProgress("9"), LaneProgress())).position is None


@pytest.mark.parametrize(
    ("lanes", "dealt"),
    [
        ((), (LaneProgress(), LaneProgress())),
        ((LaneProgress("5"),), (LaneProgress("5"), LaneProgress("5"))),
        ((LaneProgress("5"), LaneProgress("5"), LaneProgress("5")), (LaneProgress("5"), LaneProgress("5"))),
        ((LaneProgress("5"), LaneProgress("6"), LaneProgress("5")), None),
        ((LaneProgress("10", (TRIED,)),), None),
        ((LaneProgress("10", (), OPEN),), None),
        ((LaneProgress(None, (), OPEN),), (LaneProgress(), LaneProgress())),
        ((LaneProgress("10", (), WindowProgress(None, 60)),), (LaneProgress("10"), LaneProgress("10"))),
    ],
    ids=[
        "never read",
        "one lane",
        "lanes level",
        "lanes apart",
        "a batch in work",
        "an open window",
        "one that holds nothing yet",
        "a closed one",
    ],
)
def test_keys_are_dealt_anew_only_from_one_common_position(lanes, dealt):
    shard = ShardProgress(lanes, initial=True).dealt_to(2)
    assert shard == (None if dealt is None else ShardProgress(dealt, initial=True))


def test_the_same_factor_changes_nothing_whatever_the_lanes_are_at():
    shard = ShardProgress((LaneProgress("5"), LaneProgress("10", (TRIED,))))
    assert shard.dealt_to(2) is shard


def test_a_steady_pace_stays_where_it_is():
    pace = Pace(3, 10, steady=True)
    pace.failed(1.0, lambda: 0.5)
    pace.busy(100.0)
    assert (pace.lanes, pace.resumes_in(1.0)) == (3, 0.0)


def test_instants_are_written_as_lambda_writes_them():
    assert iso_milliseconds(1767227886.0214) == "2026-01-01T00:38:06.021Z"
    assert iso_seconds(1767227886.9) == "2026-01-01T00:38:06Z"


@pytest.mark.parametrize(
    ("instead_of", "replaced"),
    [
        (None, False),
        (StreamProgress("clicks", "arn", "1"), True),
        (StreamProgress("clicks", "arn", "2"), False),
        (StreamProgress("clicks", "other", "1"), False),
    ],
)
def test_only_the_progress_of_the_stream_that_was_told_is_replaced(instead_of, replaced):
    assert replaces(instead_of, StreamProgress("clicks", "arn", "1")) is replaced


def test_a_copy_of_progress_is_not_changed_by_what_becomes_of_the_first():
    first = StreamProgress("name", "arn", "epoch", shards={"a": ShardProgress((LaneProgress("1"),))})
    copy = first.copied()
    first.shards["b"] = ShardProgress((LaneProgress("2"),))
    assert list(copy.shards) == ["a"]
    assert copy.shards["a"] == first.shards["a"]
