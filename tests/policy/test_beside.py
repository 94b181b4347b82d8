"""What a look says of how much it shows, and of how much there is."""

import pytest

from poller.policy.beside import Amount, From, found_words

ABOUT = Amount(51, "invocation record", "about")


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (ABOUT, "about 51 invocation records"),
        (Amount(1, "message", "about"), "about 1 message"),
        (Amount(7, "invocation record", "exactly"), "7 invocation records"),
        (Amount(100, "invocation record", "at least"), "100 invocation records or more"),
    ],
)
def test_an_amount_says_how_well_it_is_known(amount, words):
    assert amount.words == words


@pytest.mark.parametrize(
    ("begin", "words"),
    [
        (From.behind(None), "the oldest record"),
        (From.behind("4711"), "behind sequence number 4711"),
        # of an aggregate that is delivered in part, all of it
        (From.behind("4711:2"), "sequence number 4711"),
        (From("AT_TIMESTAMP", timestamp=1_767_225_600.5), "2026-01-01T00:00:00.500Z"),
    ],
)
def test_a_look_says_where_it_begins(begin, words):
    assert begin.words == words


@pytest.mark.parametrize(
    ("shown", "amount", "of", "full", "said"),
    [
        (10, ABOUT, None, True, "10 records shown; failed holds about 51 invocation records"),
        (1, ABOUT, 12, False, "1 record shown, of 12 that were looked at; failed holds about 51 invocation records"),
        (10, None, None, True, "10 records shown, as many as were asked for"),
        (2, None, None, False, "2 records shown"),
        (0, None, 300, False, "0 records shown, of 300 that were looked at"),
    ],
)
def test_a_look_says_what_it_shows_of_what_there_is(shown, amount, of, full, said):
    assert found_words(shown, "record", "failed", amount, of=of, full=full) == said
