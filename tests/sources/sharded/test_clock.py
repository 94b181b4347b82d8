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


def test_dates_that_run_ahead_of_what_is_read_make_nothing_older():
    clock = ServiceClock()
    clock.observe(9000.0, 10.0)
    assert clock.time(10.0) == clock.judging(10.0) == 9000.0
    clock.arrived(1000.0, 20.0, 5.0, wall=9010.0)
    assert clock.time(20.0) == clock.judging(20.0) == 1007.0
    clock.arrived(500.0, 30.0, None, wall=0.0)
    assert clock.judging(30.0) == 1017.0


def test_where_nothing_tells_how_old_a_record_is_two_clocks_that_agree_are_believed():
    clock = ServiceClock()
    clock.observe(9000.0, 10.0)
    clock.arrived(1000.0, 10.0, None, wall=9100.0)
    assert clock.judging(20.0) == 9010.0
    clock.arrived(1000.0, 20.0, None, wall=1010.0)
    assert clock.judging(20.0) == 1010.0
    assert clock.time(20.0) == 9010.0
    clock.arrived(10.0, 21.0, None, wall=1010.0)
    assert clock.judging(30.0) == 1020.0


def test_what_is_read_never_makes_the_time_later_than_its_dates_say():
    clock = ServiceClock()
    clock.arrived(5000.0, 10.0, 60.0, wall=0.0)
    assert clock.time(10.0) is clock.judging(10.0) is None
    clock.observe(1000.0, 10.0)
    assert clock.time(10.0) == clock.judging(10.0) == 1000.0
