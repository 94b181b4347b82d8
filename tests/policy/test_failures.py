import pytest

from poller.policy.failures import MOST_CHARACTERS, SOON, Failure, FailureGroups, began, template


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("order 17 is unknown", "order # is unknown"),
        ("order A-17b is unknown", "order A-# is unknown"),
        ("request 8b1f7a3c-1d2e-4f50-9a6b-7c8d9e0f1a2b failed", "request # failed"),
        ("at 2026-11-29T03:14:18.123Z", "at #"),
        ("10.0.0.17:8080 refused the connection", "# refused the connection"),
        ("HTTP 503 from 10.1.2.3", "HTTP 503 from #"),
        ("status code: 404", "status code: 404"),
        ("exit 137", "exit 137"),
        ("division by zero", "division by zero"),
        ("", ""),
    ],
)
def test_numbers_and_identifiers_are_folded_and_status_codes_are_not(text, folded):
    assert template(text) == folded


@pytest.mark.parametrize(
    ("logs", "kept"),
    [("", ""), ("one", "one"), ("1\n2\n\n3\n4\n \n", "2\n3\n4"), ("x" * 10_000, "x" * MOST_CHARACTERS)],
)
def test_of_what_the_function_logged_the_end_is_kept(logs, kept):
    group = FailureGroups().add(Failure("E", "", 1, 1, None, logs=logs), "shard-0", 0.0)
    assert group.last.logs == kept


def failure(text, *, error="ValueError", records=10, first="1"):
    return Failure(error, text, records, records, first)


def test_failures_of_one_cause_are_one_group_that_knows_the_first_the_last_and_the_smallest():
    groups = FailureGroups()
    for at, (text, records, first) in enumerate([("order 1", 10, "100"), ("order 2", 1, "104"), ("order 3", 5, "105")]):
        groups.add(failure(text, records=records, first=first), "shard-0", float(at))
    groups.add(failure("order 1", error="KeyError"), "shard-1", 3.0)
    other, group = groups.newest_first()
    assert (other.number, other.error, other.count) == (2, "KeyError", 1)
    assert (group.number, group.template, group.count, group.records) == (1, "order #", 3, 16)
    assert (group.first.at, group.first.text) == (0.0, "order 1")
    assert (group.last.at, group.last.text, group.last.partition) == (2.0, "order 3", "shard-0")
    assert (group.smallest.first, group.smallest.records) == ("104", 1)


def test_the_group_that_failed_longest_ago_makes_place_and_numbers_are_not_given_again():
    groups = FailureGroups(most=2)
    for at, text in enumerate(["a", "b", "a", "c"]):
        groups.add(failure(text), "0", float(at))
    assert [(group.template, group.number) for group in groups.newest_first()] == [("c", 3), ("a", 1)]
    assert groups.forgotten == 1


def test_a_text_without_end_is_cut():
    groups = FailureGroups()
    group = groups.add(failure("x" * 1_000_000), "0", 0.0)
    assert len(group.last.text) == MOST_CHARACTERS


@pytest.mark.parametrize(
    ("after", "loads", "said"),
    [
        (0.0, 41, "began 0 s after load 41 of the configuration"),
        (130.0, 41, "began 2 minutes after load 41 of the configuration"),
        (3.0, 1, "began 3 s after the start"),
        (-1.0, 2, None),
        (SOON + 1, 2, None),
    ],
)
def test_a_failure_that_began_soon_after_a_change_says_so(after, loads, said):
    assert began(1_000_000.0 + after, 1_000_000.0, loads) == said
