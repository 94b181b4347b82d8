"""The watermark never covers what is not settled, in whatever order things are settled."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from poller.policy.frontier import Watermark, at_or_below, highest, lowest
from poller.values.record import Record


def records(count):
    return [Record(None, str(8 + number)) for number in range(count)]


@given(st.integers(1, 30), st.randoms(use_true_random=False))
def test_the_watermark_is_the_end_of_the_settled_prefix(count, chance):
    mark: Watermark[Record]
    mark, dealt = Watermark(None), records(count)
    mark.deal(dealt)
    settled: set[Any]
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
    mark: Watermark[Record] = Watermark("5")
    mark.passed("9")
    assert mark.position == "9"
    mark.passed("10")
    assert mark.position == "10"
    mark.passed("7")
    assert mark.position == "10"


def test_asking_how_far_a_lane_has_come_moves_nothing():
    mark: Watermark[Record]
    mark, dealt = Watermark("5"), records(1)
    assert [mark.reached(place) for place in ("9", "4", None)] == ["9", "5", "5"]
    assert mark.position == "5"
    mark.deal(dealt)
    assert mark.reached("99") == "5"
    mark.settle(dealt)
    assert (mark.position, mark.reached("99")) == ("8", "99")


def test_a_lane_with_something_in_hand_does_once_that_is_settled():
    mark: Watermark[Record]
    mark, dealt = Watermark("5"), records(1)
    mark.deal(dealt)
    mark.passed("99")
    mark.passed("100")
    assert mark.position == "5"
    mark.settle(dealt)
    assert mark.position == "100"
    mark.passed(None)
    assert mark.position == "100"


def test_what_was_passed_over_between_two_records_is_behind_the_first_as_soon_as_that_is_settled():
    mark: Watermark[Record] = Watermark(None)
    first, second, third = (Record(None, str(number)) for number in (10, 200, 201))
    mark.deal([first])
    mark.passed("150")
    mark.deal([second])
    mark.passed("200")
    mark.deal([third])
    mark.passed("300")
    mark.settle([second])
    assert mark.position is None
    mark.settle([first])
    assert mark.position == "200"
    mark.settle([third])
    assert mark.position == "300"


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 5)), min_size=1, max_size=30), st.randoms(use_true_random=False)
)
def test_passed_over_or_settled_the_position_covers_exactly_what_is_done_with(dealt, chance):
    """Runs of records are dealt or passed over in any order, and settled from the front in parts."""
    done: set[Any]
    mark: Watermark[Record]
    mark, number, waiting, done = Watermark(None), 0, [], set()
    for matches, count in dealt:
        run = [Record(None, str(number + index + 1)) for index in range(count)]
        number += count
        if matches:
            mark.deal(run)
            waiting += run
        else:
            done.update(record.identifier for record in run)
        mark.passed(str(number))
        if waiting and chance.random() < 0.5:
            cut = chance.randint(1, len(waiting))
            part, waiting = waiting[:cut], waiting[cut:]
            mark.settle(part)
            done.update(record.identifier for record in part)
        covered = 0
        while str(covered + 1) in done:
            covered += 1
        assert int(mark.position or 0) == covered


def test_what_is_given_up_takes_what_was_passed_over_behind_it_along():
    mark: Watermark[Record] = Watermark("5")
    mark.deal(records(1))
    mark.passed("100")
    mark.give_up()
    mark.passed("7")
    assert mark.position == "7"


def test_giving_up_keeps_the_position_and_tells_how_many_were_in_hand():
    mark: Watermark[Record]
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
