"""When a backlog will be gone, at the pace of the last minutes."""

from poller.policy.trend import APART, LOOKS_BACK, Trend


def of(*samples: tuple[float, float | None]) -> Trend:
    trend = Trend()
    for now, lag in samples:
        trend.sample(now, lag)
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
