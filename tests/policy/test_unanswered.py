"""Since when a source has owed an answer."""

from poller.policy.unanswered import UnansweredCalls


def test_a_source_that_is_not_asked_owes_nothing():
    unanswered = UnansweredCalls(30.0)
    assert unanswered.since(1000.0) is None


def test_a_source_is_silent_once_its_answer_is_overdue():
    unanswered = UnansweredCalls(30.0)
    unanswered.asked(100.0)
    assert unanswered.since(130.0) is None
    assert unanswered.since(130.1) == 100.0


def test_an_answer_to_one_call_ends_the_silence_of_all():
    unanswered = UnansweredCalls(30.0)
    unanswered.asked(100.0)
    unanswered.asked(120.0)
    unanswered.answered(129.0)
    assert unanswered.since(159.0) is None
    assert unanswered.since(160.0) == 129.0
    unanswered.answered(161.0)
    assert unanswered.since(1000.0) is None


def test_a_source_asked_again_has_its_whole_time_again():
    unanswered = UnansweredCalls(30.0)
    unanswered.asked(100.0)
    unanswered.answered(101.0)
    unanswered.asked(500.0)
    assert unanswered.since(530.0) is None
    assert unanswered.since(531.0) == 500.0
