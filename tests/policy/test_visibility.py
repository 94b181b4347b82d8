"""Visibility timeouts: when to extend, when a failed message should appear again."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poller.policy.visibility import LONGEST_HOLD, SERVICE_HOLD, Visibility


@pytest.mark.parametrize(
    ("queue", "extension", "named", "first"),
    [
        (0, 10, True, 10),
        (2, 10, True, 10),
        (9, 10, True, 10),
        (10, 10, False, 10),
        (30, 30, False, 30),
        (43_200, 43_200, False, 43_200),
    ],
)
def test_an_extension_is_for_the_queues_own_timeout_and_at_least_ten_seconds(queue, extension, named, first):
    visibility = Visibility(queue)
    assert (visibility.extension, visibility.explicit_on_receive) == (extension, named)
    assert visibility.first_visible_at(100) == 100 + first
    assert visibility.renew_at(100) == 100 + extension / 2


@pytest.mark.parametrize(
    ("queue", "held", "seconds"),
    [
        pytest.param(30, 15, 30, id="for the queue's timeout"),
        pytest.param(2, 5, 10, id="at least ten seconds"),
        pytest.param(30, SERVICE_HOLD - 31, 30, id="the last that is whole"),
        pytest.param(30, SERVICE_HOLD - 20, 19, id="then what the service still allows"),
        pytest.param(30, SERVICE_HOLD - 1, 0, id="then none"),
        pytest.param(30, SERVICE_HOLD + 9, 0, id="and none after"),
        pytest.param(40_000, 20_000, 23_199, id="of a long timeout only what is left of twelve hours"),
    ],
)
def test_a_renewal_asks_for_no_more_than_the_service_allows(queue, held, seconds):
    assert Visibility(queue).renewal(1000 + held, 1000) == seconds


def test_a_message_is_given_back_after_the_longest_hold():
    assert Visibility(30).release_at(5) == 5 + LONGEST_HOLD
    assert Visibility(30, longest_hold=60).release_at(5) == 65


@pytest.mark.parametrize(
    ("failed_at", "visible_at", "seconds"),
    [
        pytest.param(3, 30, None, id="never extended: it appears by itself"),
        pytest.param(29.9, 30.4, None, id="and a little late is no reason for a call"),
        pytest.param(20, 45, 10, id="extended: one queue timeout after its receive"),
        pytest.param(29.5, 45, 1, id="but no sooner than a second after the failure"),
        pytest.param(100, 115, 1, id="long after"),
        pytest.param(19.3, 45, 11, id="whole seconds, never sooner"),
    ],
)
def test_after_a_failure_a_message_appears_when_the_queues_own_rule_says(failed_at, visible_at, seconds):
    assert Visibility(30).after_failure(failed_at, 0, visible_at) == seconds


@pytest.mark.parametrize(
    ("failed_at", "timeout", "visible_at", "seconds"),
    [(3, 5, 30, 5), (3, 0, 30, 0), (3, 600, 30, None), (3, 27, 30, None), (40, 5, 55, 1), (40, 0, 55, 0)],
)
def test_a_timeout_for_failures_only_ever_shortens(failed_at, timeout, visible_at, seconds):
    visibility = Visibility(30, failure_timeout=timeout)
    assert visibility.after_failure(failed_at, 0, visible_at) == seconds


def test_a_queue_of_two_seconds_gets_its_failed_messages_after_two():
    assert Visibility(2).after_failure(0.25, 0, 10) == 2
    assert Visibility(2).after_failure(7, 0, 15) == 1


times = st.floats(0, SERVICE_HOLD)


@given(st.integers(0, 43_200), times, st.none() | st.floats(0, 43_200), st.floats(0, 43_200))
def test_a_failed_message_appears_no_sooner_than_it_may_and_a_second_later_at_most(queue, held, shorter, extended):
    visibility = Visibility(queue, failure_timeout=shorter)
    visible_at = held + extended
    earliest = max(held + 1, queue)
    if shorter is not None:
        earliest = min(earliest, held + shorter)
    seconds = visibility.after_failure(held, 0, visible_at)
    if seconds is None:
        assert visible_at <= earliest + 0.5
    else:
        assert earliest - 1e-6 <= held + seconds <= earliest + 1 + 1e-6


@given(st.integers(0, 43_200), times)
def test_no_renewal_passes_the_services_limit(queue, held):
    visibility = Visibility(queue)
    seconds = visibility.renewal(held, 0)
    assert 0 <= seconds <= visibility.extension
    assert held + seconds < SERVICE_HOLD or seconds == 0
    assert math.floor(seconds) == seconds
