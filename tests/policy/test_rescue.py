"""What would save a mapping that falls behind."""

from math import inf

import pytest

from poller.policy.rescue import rescue
from tests.policy.test_trend import of


def needs(**values):
    given = {"growth": 0.5, "in_seconds": True, "done": 10.0, "expires_in": 1200.0, "lanes": 4}
    return rescue(**given | values)


def test_a_stream_that_does_half_of_what_comes_needs_twice_the_lanes_or_half_the_time():
    found = needs()
    assert (found.lost_in, found.factor, found.lanes) == (2400.0, 2.0, 8)
    assert (found.seconds_now, found.seconds_per_record) == (0.4, 0.2)


@pytest.mark.parametrize("growth", [None, 0.0, -0.3])
def test_one_that_keeps_up_needs_nothing(growth):
    found = needs(growth=growth)
    assert (found.lost_in, found.factor, found.lanes, found.seconds_per_record) == (None, 1.0, 4, None)


def test_one_that_stands_still_loses_data_when_it_expires_and_no_lane_helps():
    found = needs(growth=1.0, done=0.0)
    assert (found.lost_in, found.factor, found.lanes, found.seconds_now) == (1200.0, inf, 4, None)


def test_a_queue_needs_lanes_for_what_comes():
    found = needs(in_seconds=False, growth=5.0, expires_in=None)
    assert (found.factor, found.lanes, found.lost_in) == (1.5, 6, None)
    assert needs(in_seconds=False, growth=5.0, done=None).factor == inf


def test_a_number_of_lanes_that_just_fits_is_not_rounded_up():
    assert needs(in_seconds=False, growth=2.5, lanes=4).lanes == 5


def test_the_growth_of_a_lag_is_that_of_the_last_minutes():
    assert of().growth is None
    assert of((0, 50)).growth is None
    assert of((0, 100), (20, 120), (40, 140)).growth == 1.0


def test_nothing_is_lost_before_it_expires_however_fast_a_lag_seems_to_grow():
    assert (needs(growth=1.5).lost_in, needs(growth=1.5).factor) == (1200.0, inf)
    assert needs(in_seconds=False, growth=5.0).factor == 1.5
