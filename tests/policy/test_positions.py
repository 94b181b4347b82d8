"""Places inside aggregates are ordered between the record before and the whole, and covered by it."""

import pytest

from poller.policy.frontier import Watermark, at_or_below, highest, lowest
from poller.policy.positions import (
    inside,
    is_inside,
    item_identifier,
    place,
    sequence_number_of,
    token_of,
    with_token,
)
from poller.policy.progress import LaneProgress, ShardProgress
from poller.values.record import Record

ORDER = ["9", "10:0", "10:1", "10:9", "10:10", "10", "11"]


def test_positions_are_ordered_by_number_then_place_and_the_whole_comes_last():
    assert sorted(["10", "10:10", "11", "10:1", "9", "10:0", "10:9"], key=place) == ORDER
    assert (lowest(ORDER), highest(ORDER)) == ("9", "11")
    assert lowest(["10", "10:3"]) == "10:3"


@pytest.mark.parametrize("record", ORDER)
@pytest.mark.parametrize("position", ORDER)
def test_a_position_covers_what_is_not_behind_it(record, position):
    assert at_or_below(record, position) == (ORDER.index(record) <= ORDER.index(position))


def test_a_place_is_written_behind_its_number():
    assert (inside("10", 3), is_inside("10:3"), is_inside("10")) == ("10:3", True, False)
    assert (sequence_number_of("10:3"), sequence_number_of("10")) == ("10", "10")


def test_a_token_stands_behind_the_number_that_orders_it():
    position = with_token(10, "0163ee")
    assert (token_of(position), item_identifier(position), place(position)) == ("0163ee", "0163ee", place("10"))
    assert at_or_below("9@ff", position)
    assert not at_or_below("11@00", position)


def test_without_a_token_a_function_names_the_number():
    assert (token_of("10"), item_identifier("10:3"), item_identifier(with_token(10, ""))) == ("", "10", "10@")


def test_a_record_handed_over_whole_is_not_covered_by_a_place_inside_of_it():
    assert not at_or_below("10", "10:3")


def test_the_watermark_stands_inside_an_aggregate_until_its_last_record_is_settled():
    records = [Record(None, one) for one in ("9", "10:0", "10:1", "10")]
    mark: Watermark[Record] = Watermark(None)
    mark.deal(records)
    mark.settle(records[:2])
    assert mark.position == "10:0"
    mark.settle(records[2:])
    assert mark.position == "10"


def test_keys_are_dealt_anew_inside_an_aggregate_where_one_lane_stands_there():
    shard = ShardProgress((LaneProgress("10:3"),))
    assert shard.dealt_to(2) == ShardProgress((LaneProgress("10:3"), LaneProgress("10:3")))
    assert ShardProgress((LaneProgress("10:3"), LaneProgress("10"))).position == "10:3"
