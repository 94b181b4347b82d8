"""Texts for people are cut where a reader would cut them, and count as a person does."""

import pytest

from poller.values.texts import counted, shortened


@pytest.mark.parametrize(
    ("text", "most", "shown"),
    [
        ("it is done", 10, "it is done"),
        ("it is done now", 12, "it is done…"),
        ("it is done, and more", 12, "it is done…"),
        ("it is done now", 11, "it is done…"),
        ("the batch\nfailed again", 14, "the batch…"),
        # a word that is longer than half of the bound
        ("at arn:aws:sqs:us-east-1:1:failed", 20, "at arn:aws:sqs:us-e…"),
        ("49590338271490256608559692538361571095921575989136588898", 9, "49590338…"),
    ],
)
def test_a_longer_text_ends_behind_a_whole_word(text, most, shown):
    assert shortened(text, most) == shown
    assert len(shown) <= most


def test_a_number_agrees_with_its_noun():
    assert [counted(count, "record") for count in (0, 1, 2, 2000)] == [
        "0 records",
        "1 record",
        "2 records",
        "2,000 records",
    ]
