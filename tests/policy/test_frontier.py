"""The watermark never covers what is not settled, in whatever order things are settled."""

from hypothesis import given
from hypothesis import strategies as st

from poller.policy.frontier import Watermark, at_or_below, highest, lowest
from poller.record import Record


def records(count):
    return [Record(None, str(8 + number)) for number in range(count)]


@given(st.integers(1, 30), st.randoms(use_true_random=False))
def test_the_watermark_is_the_end_of_the_settled_prefix(count, chance):
    mark, dealt = Watermark(None), records(count)
    mark.deal(dealt)
    waiting, settled = dealt[:], set()
    while waiting:
        part = chance.sample(waiting, chance.randint(1, len(waiting)))
        part.sort(key=dealt.index)
        waiting = [record for record in waiting if record not in part]
        mark.settle(part)
        settled.update(record.identifier for record in part)
        prefix = [
            record for index, record in enumerate(dealt) if all(d.identifier in settled for d in dealt[: index + 1])
        ]
        assert mark.position == (prefix[-1].identifier if prefix else None)
    assert not mark.unsettled


def test_a_lane_with_nothing_in_hand_follows_what_the_shard_was_read_to():
    mark = Watermark("5")
    mark.passed("9")
    assert mark.position == "9"
    mark.passed("10")
    assert mark.position == "10"
    mark.passed("7")
    assert mark.position == "10"


def test_a_lane_with_something_in_hand_does_not():
    mark = Watermark("5")
    mark.deal(records(1))
    mark.passed("100")
    assert mark.position == "5"


def test_giving_up_keeps_the_position_and_tells_how_many_were_in_hand():
    mark, dealt = Watermark("5"), records(3)
    mark.deal(dealt)
    mark.settle(dealt[1:2])
    assert (mark.give_up(), mark.position) == (2, "5")


def test_positions_are_compared_as_numbers_and_none_is_before_all():
    assert lowest(["10", "9"]) == "9"
    assert lowest(["10", None]) is None
    assert lowest([]) is None
    assert highest(["10", "9", None]) == "10"
    assert highest([None]) is None
    assert at_or_below("9", "10")
    assert not at_or_below("10", "9")
    assert not at_or_below("1", None)
