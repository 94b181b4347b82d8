"""A record that alone is larger than an invocation's payload: tried like any other, or discarded at once."""

from tests.policy.test_stream_delivery import TOO_LARGE, ok, story


def test_where_no_retry_can_help_it_is_discarded_at_once_and_the_others_are_delivered():
    assert story("1 2 3", TOO_LARGE, ok(), TOO_LARGE, TOO_LARGE, ok(), discard_oversized=True) == [
        "invoke 1 2 3",
        "invoke 1",
        "settle 1",
        "invoke 2 3",
        "invoke 2",
        "RetryAttemptsExhausted 1 2",
        "invoke 3",
        "settle 3",
    ]


def test_where_it_is_tried_like_any_other_its_retries_end_first():
    assert story("1", TOO_LARGE, TOO_LARGE, maximum_retry_attempts=1) == [
        "invoke 1",
        "invoke 1",
        "RetryAttemptsExhausted 2 1",
    ]
