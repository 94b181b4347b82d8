import pytest

from poller.policy.beside import From


@pytest.mark.parametrize(
    ("begin", "words"),
    [
        (From(), "the oldest record"),
        (From.behind(None), "the oldest record"),
        (From.behind("7"), "behind sequence number 7"),
        (From.behind("7:1"), "sequence number 7"),
        (From("AT_TIMESTAMP", timestamp=1.5), "1970-01-01T00:00:01.500Z"),
        (From("AT_SEQUENCE_NUMBER", sequence_number="9"), "sequence number 9"),
    ],
)
def test_where_reading_begins_is_said(begin, words):
    assert begin.words == words
