"""When a backlog will be gone, at the pace of the last minutes."""

from poller.policy.trend import APART, LOOKS_BACK, Trend


def of(*samples: tuple[float, float | None], in_seconds: bool = False) -> Trend:
    trend = Trend()
    for now, lag in samples:
        trend.sample(now, lag, in_seconds=in_seconds)
    return trend


def test_nothing_is_known_before_the_first_sample_and_from_one_alone():
    assert of().drained_in is None
    assert of((0, 50)).drained_in is None


def test_a_backlog_that_shrinks_is_gone_at_its_pace():
    assert of((0, 100), (20, 80), (40, 60)).drained_in == 60


def test_a_backlog_that_grows_or_stands_still_has_no_end():
    assert of((0, 100), (20, 120)).drained_in is None
    assert of((0, 100), (20, 100)).drained_in is None


def test_no_backlog_is_gone_now():
    assert of((0, 100), (20, 0)).drained_in == 0.0


def test_what_is_not_known_any_more_begins_anew():
    assert of((0, 100), (20, 80), (40, None), (60, 60)).drained_in is None


def test_samples_close_together_replace_each_other():
    trend = of((0, 100), (APART, 90), (APART + 1, 80), (APART + 2, 70))
    assert trend.drained_in == 70 * (APART + 2) / 30


def test_the_pace_is_that_of_the_last_minutes():
    trend = of((0, 1000), (LOOKS_BACK, 100), (LOOKS_BACK + 100, 50))
    assert trend.drained_in == 50 * 100 / 50


def test_a_lag_in_seconds_that_jumps_is_another_one_and_its_growth_begins_anew():
    before, after = ((0, 0), (20, 5)), ((40, 3600 + 25), (60, 3600 + 45))
    assert of(*before, *after, in_seconds=True).growth == 1.0
    assert of(*before, after[0], in_seconds=True).growth is None
    assert of(*before, *after).growth == 3645 / 60, "records may come at any rate"
    assert of((0, 10), (20, 30 + APART), in_seconds=True).growth == (20 + APART) / 20, "measured with some noise"


def test_what_was_measured_before_another_lag_began_says_nothing_of_it():
    trend = of((0, 100), (20, 80))
    trend.begin_anew()
    assert (trend.growth, trend.drained_in) == (None, None)
    trend.sample(30, 50)
    trend.sample(50, 40)
    assert (trend.growth, trend.drained_in) == (-0.5, 80)


def test_a_moment_says_nothing_of_the_rate():
    assert (of((0, 0), (APART - 1, 9)).growth, of((0, 9), (APART - 1, 1)).drained_in) == (None, None)
    assert of((0, 0), (APART, 5)).growth == 0.5
