"""The service's clock, put together from dates of whole seconds that arrive late."""

from poller.sources.sharded.clock import ServiceClock


def test_nothing_is_known_before_the_first_answer():
    clock = ServiceClock()
    clock.observe(None, 1.0)
    assert clock.time(5.0) is None


def test_the_latest_moment_any_answer_told_wins_over_truncation_and_delay():
    clock = ServiceClock()
    for date, now in ((1000.0, 10.0), (1001.0, 11.9), (1003.0, 12.5), (1003.0, 13.4)):
        clock.observe(date, now)
    assert clock.time(20.0) == 1010.5


def test_a_service_whose_clock_was_set_is_followed_either_way():
    clock = ServiceClock()
    clock.observe(1000.0, 10.0)
    clock.observe(500.0, 11.0)
    assert clock.time(11.0) == 500.0
    clock.observe(2000.0, 12.0)
    assert clock.time(12.0) == 2000.0
