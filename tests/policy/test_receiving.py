"""How many receives run at once: no more than lanes can take, more where they come back full, fewer where not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poller.policy.receiving import SPARSE_PAUSE, ReceiveConcurrency


def counts(*limits, fifo=False, busy=0):
    """A queue with these free lanes, and so many busy ones."""
    found = ReceiveConcurrency(fifo, lanes=len(limits) + busy)
    for limit in limits:
        found.lane_is_free(limit)
    return found


def test_a_quiet_queue_has_one_receive():
    receives = counts(10, 10, 10)
    assert receives.wants_more
    receives.began(10)
    assert not receives.wants_more
    receives.ended(10)
    assert receives.wants_more


def test_nothing_is_asked_for_beyond_what_the_free_lanes_can_take():
    receives = counts(10)
    receives.wanted = 5
    receives.began(10)
    assert not receives.wants_more
    receives.ended(10)
    receives.lane_is_busy(10)
    assert (receives.wants_more, receives.free, receives.capacity, receives.lanes - receives.free) == (False, 0, 0, 1)


@pytest.mark.parametrize(
    ("fifo", "limits", "busy", "allowed", "expected"),
    [
        pytest.param(False, (5, 10), 0, 2, 10, id="for all lanes that are free and allowed"),
        pytest.param(False, (4, 3), 0, 5, 7, id="no more than they can take together"),
        pytest.param(False, (5, 10), 0, 1, 5, id="for one where one is allowed"),
        pytest.param(True, (5, 10), 0, 2, 5, id="a FIFO page goes to one lane"),
        pytest.param(False, (5,), 3, 3, 0, id="as many lanes are busy as are allowed"),
        pytest.param(False, (5,), 0, 0, 0, id="none is allowed"),
    ],
)
def test_how_many_messages_a_receive_asks_for(fifo, limits, busy, allowed, expected):
    assert counts(*limits, fifo=fifo, busy=busy).most(limits[0], allowed) == expected


def test_no_more_receives_run_than_lanes_are_free_for():
    receives = counts(10, 10)
    receives.wanted = 9
    receives.began(5)
    assert receives.most(10, allowed=1) == 0
    assert receives.most(10, allowed=2) == 15


@pytest.mark.parametrize(
    ("messages", "full", "pauses"),
    [(0, False, False), (1, False, True), (5, False, True), (6, False, False), (10, True, False)],
)
def test_after_few_messages_the_next_receive_waits_a_moment(messages, full, pauses):
    receives = counts(10)
    assert receives.brought(messages, 10, 100.0) is full
    assert receives.not_before == (100.0 + SPARSE_PAUSE if pauses else 0.0)


def test_full_receives_bring_more_while_lanes_wait_and_others_fewer():
    receives = counts(10, 10, busy=2)
    assert receives.grow(4, waiting=True) is False
    assert receives.grow(4, waiting=True) is False
    assert receives.wanted == 3
    receives.shrink()
    assert receives.wanted == 2
    receives.failed()
    receives.shrink()
    assert receives.wanted == 1


@pytest.mark.parametrize(("allowed", "waiting", "busy"), [(2, True, True), (4, False, True), (0, True, False)])
def test_a_full_receive_without_a_lane_that_may_work_says_that_all_are_busy(allowed, waiting, busy):
    receives = counts(10, 10, busy=2)
    assert receives.grow(allowed, waiting=waiting) is busy
    assert receives.wanted == 1


@given(st.lists(st.tuples(st.integers(1, 10), st.integers(0, 4), st.integers(0, 10)), max_size=60), st.booleans())
def test_whatever_comes_no_more_is_asked_for_than_can_be_taken(turns, fifo):
    receives = counts(10, 10, 10, fifo=fifo)
    running = []
    for limit, allowed, messages in turns:
        if receives.wants_more and (most := receives.most(limit, allowed)):
            receives.began(most)
            running.append(most)
        elif running:
            most = running.pop(0)
            receives.ended(most)
            if receives.brought(min(messages, most), most, 0.0):
                receives.grow(allowed, waiting=True)
            else:
                receives.shrink()
        assert receives.running == len(running) <= 3
        assert receives.asked == sum(running)
        assert fifo or receives.asked <= receives.capacity
        assert receives.wanted >= 1
