"""How long to wait, and how many lanes may work."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poller.policy.backoff import RETRY, SETTLE, SOURCE, Backoff
from poller.policy.pace import FAILING, Pace

chances = st.floats(0, 1, exclude_max=True)


def half():
    return 0.5


@pytest.mark.parametrize(
    ("attempt", "least", "most"),
    [(1, 0.25, 0.5), (2, 0.5, 1), (5, 4, 8), (7, 16, 32), (8, 30, 60), (1_000_000, 30, 60)],
)
def test_delays_double_up_to_the_cap_with_jitter_over_their_upper_half(attempt, least, most):
    assert RETRY.delay(attempt, lambda: 0.0) == least
    assert least < RETRY.delay(attempt, lambda: 0.999) < most


@given(st.sampled_from([RETRY, SOURCE, SETTLE, FAILING]), st.integers(1, 10**9), chances)
def test_no_delay_is_near_zero_or_over_the_cap(backoff, attempt, chance):
    delay = backoff.delay(attempt, lambda: chance)
    assert backoff.first / 2 <= delay <= backoff.cap


@given(st.integers(1, 100), chances)
def test_another_failure_never_shortens_what_may_be_waited(attempt, chance):
    backoff = Backoff(1.0, 60.0, factor=3.0)
    assert backoff.delay(attempt + 1, lambda: chance) >= backoff.delay(attempt, lambda: chance)


def test_a_mapping_starts_with_as_many_lanes_as_it_may():
    assert (Pace(5, 100).lanes, Pace(5, 2).lanes) == (5, 2)


def test_while_busy_lanes_grow_five_a_second_up_to_the_most():
    pace = Pace(2, 10)
    for tick in range(10):
        pace.busy(tick * 0.1)
    assert pace.lanes == 7
    for second in range(10):
        pace.busy(10 + second)
    assert pace.lanes == 10


def test_failures_halve_the_lanes_once_a_second_and_then_space_the_batches():
    pace = Pace(5, 10)
    for now, lanes in ((0, 2), (0.5, 2), (1, 1), (1.5, 1)):
        pace.failed(now, half)
        assert (pace.lanes, pace.resumes_in(now)) == (lanes, 0)
    pace.failed(2, half)
    assert (pace.lanes, pace.resumes_in(2), pace.resumes_in(4), pace.resumes_in(100)) == (1, 3.0, 1.0, 0)


def test_lanes_do_not_grow_while_failing_and_do_after_a_success():
    pace = Pace(2, 10)
    pace.failed(0, half)
    pace.busy(10)
    assert pace.lanes == 1
    pace.succeeded()
    pace.busy(11)
    assert pace.lanes == 2


def test_a_success_ends_the_spacing_at_once():
    pace = Pace(1, 10)
    pace.failed(0, half)
    assert pace.resumes_in(0) > 0
    pace.succeeded()
    assert pace.resumes_in(0) == 0


def test_a_success_without_a_failure_before_changes_nothing():
    pace = Pace(3, 10)
    pace.succeeded()
    assert (pace.lanes, pace.resumes_in(0)) == (3, 0)


moves = st.lists(st.tuples(st.sampled_from(["busy", "failed", "succeeded"]), st.floats(0, 5)), max_size=60)


@given(st.integers(1, 20), st.integers(1, 1250), moves, chances)
def test_lanes_stay_within_their_bounds_and_the_pause_within_its_cap(start, most, moves, chance):
    pace, now = Pace(start, most), 0.0
    for move, later in moves:
        now += later
        match move:
            case "busy":
                pace.busy(now)
            case "failed":
                pace.failed(now, lambda: chance)
            case _:
                pace.succeeded()
        assert 1 <= pace.lanes <= most
        # the sum of a time and a pause is rounded
        assert 0 <= pace.resumes_in(now) <= FAILING.cap + 1e-9
