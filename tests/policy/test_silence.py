"""Since when a source has owed an answer."""

from poller.policy.silence import Silence


def test_a_source_that_is_not_asked_owes_nothing():
    silence = Silence(30.0)
    assert silence.since(1000.0) is None


def test_a_source_is_silent_once_its_answer_is_overdue():
    silence = Silence(30.0)
    silence.asked(100.0)
    assert silence.since(130.0) is None
    assert silence.since(130.1) == 100.0


def test_an_answer_to_one_call_ends_the_silence_of_all():
    silence = Silence(30.0)
    silence.asked(100.0)
    silence.asked(120.0)
    silence.answered(129.0)
    assert silence.since(159.0) is None
    assert silence.since(160.0) == 129.0
    silence.answered(161.0)
    assert silence.since(1000.0) is None


def test_a_source_asked_again_has_its_whole_time_again():
    silence = Silence(30.0)
    silence.asked(100.0)
    silence.answered(101.0)
    silence.asked(500.0)
    assert silence.since(530.0) is None
    assert silence.since(531.0) == 500.0
