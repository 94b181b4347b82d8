import json
from dataclasses import replace

import pytest

from poller.policy.beside import From
from poller.policy.redriving import Leave, Redriven, State, Verdict, batch_of, read, read_leave, verdict
from poller.policy.response import Failed, NotInvoked, Succeeded, TooLarge

REDRIVEN = Redriven("r", "u", "orders", "dead_letters", 100.0, 10.0, 3)
NAMES = json.dumps({"batchItemFailures": [{"itemIdentifier": "b"}, {"itemIdentifier": "d"}]}).encode()


def test_what_is_written_is_read_again_also_by_an_older_program():
    full = Redriven(
        "r", "u", "o", "source", 1.0, 2.0, 3, "s", 4.0, 5.0, State.STOPPED, "why", True, 1, 2, 3, 4, {"s": "7"},
        ("t",), ("7",), ("8",), True, 9, 10.0,
    )  # fmt: skip
    assert read(full.written()) == full
    assert read(json.dumps({**json.loads(full.written()), "later": 1})) == full
    with pytest.raises(TypeError):
        read('{"state": "running"}')


def test_every_record_that_was_taken_is_in_one_bucket():
    one = Redriven("r", "u", "orders", "source", 1.0, 1.0, 1, done=1, failed=2, left=3, gone=4, why="no")
    assert one.taken == 10
    assert one.words == (
        "running: no; 10 records taken: 1 done, 2 failed again and stay where they were, "
        "3 not tried, which a resume takes again, 4 gone from the stream"
    )
    assert REDRIVEN.words.startswith("running; 0 records")
    assert "; 1 record taken: 1 done" in replace(REDRIVEN, done=1).words
    assert replace(REDRIVEN, state=State.STOPPED, failed=1).words == (
        "stopped; 1 record taken: 0 done, 1 failed again and stays where it was; what lies behind is not taken yet"
    )


@pytest.mark.parametrize(
    ("asked", "most", "rate", "batch"),
    [(None, 20, 2.0, 2), (None, 20, 0.5, 1), (None, 20, 100.0, 20), (50, 100, 2.0, 50), (50, 20, 2.0, 20)],
)
def test_a_batch_has_what_a_person_asked_for_or_no_more_than_the_rate_allows_in_a_second(asked, most, rate, batch):
    assert batch_of(asked, most, rate) == batch


def test_it_goes_on_behind_the_last_record_that_is_dealt_with():
    assert REDRIVEN.begin_of("s") == From()
    one = Redriven("r", "u", "o", "source", 1.0, 1.0, 1, begin=7.5, cursors={"s": "9", "t": ""})
    assert one.begin_of("s") == From.behind("9")
    assert one.begin_of("t") == From("AT_TIMESTAMP", timestamp=7.5)


def test_cursors_of_shards_are_all_kept_and_those_of_messages_the_latest():
    one = REDRIVEN
    for number in range(150):
        one = replace(one, cursors=one.at("queue", f"message {number}", "1"))
    assert [*one.cursors] == [f"message {number}" for number in range(50, 150)]
    for number in range(150):
        one = replace(one, cursors=one.at(f"shard {number}", f"shard {number}", "1"))
    assert len(one.cursors) == 250


def test_a_resumed_one_takes_again_what_was_left_and_what_failed_unless_that_is_passed_over():
    one = Redriven(
        "r", "u", "o", "source", 1.0, 1.0, 1, state=State.STOPPED, why="x", canary=True, done=5, failed=1, left=2,
        gone=1, failures=("a",),
    )  # fmt: skip
    again = one.resumed(passing_over=False)
    assert (again.state, again.why, again.canary, again.taken, again.failures) == (State.RUNNING, "", False, 6, ())
    over = one.resumed(passing_over=True)
    assert (over.taken, over.failures, over.passing_over) == (7, ("a",), True)


@pytest.mark.parametrize(
    ("outcome", "partial", "found"),
    [
        (Succeeded(), False, Verdict(4)),
        (Succeeded(NAMES), False, Verdict(4)),
        (Succeeded(b"null"), True, Verdict(4)),
        (Succeeded(NAMES), True, Verdict(1, (1, 3), why="the function named records as failed")),
        (Succeeded(b"["), True, Verdict(failed=(0, 1, 2, 3), why="the partial batch response is invalid")),
        (Failed("Unhandled", "boom"), False, Verdict(split=True)),
        (TooLarge("9 bytes"), False, Verdict(split=True)),
        (NotInvoked("throttled"), False, Verdict(why="the function was not invoked: throttled")),
    ],
)
def test_a_batch_is_judged_as_its_mapping_would(outcome, partial, found):
    assert verdict(["a", "b", "c", "d"], outcome, partial=partial) == found


@pytest.mark.parametrize(
    ("outcome", "why"), [(Failed("Unhandled", "boom"), "Unhandled boom"), (TooLarge("9"), "a record is too large: 9")]
)
def test_a_single_record_fails(outcome, why):
    assert verdict(["a"], outcome, partial=False) == Verdict(failed=(0,), why=why)


def test_in_order_nothing_behind_a_failure_is_done():
    partly = Verdict(1, (1, 3), why="x")
    assert (partly.done_of(4, ordered=True), partly.done_of(4, ordered=False)) == ([0], [0, 2])
    assert Verdict(4).done_of(4, ordered=False) == [0, 1, 2, 3]
    assert Verdict(why="not invoked").done_of(4, ordered=False) == []


def test_a_leave_is_read_as_it_was_written_and_nothing_else_is_one():
    for leave in (Leave("run", "redrive"), Leave("run", "redrive", stop=True)):
        assert read_leave(leave.written()) == leave
    for text in ("", "[]", "{}", '{"run": "r"}'):
        with pytest.raises((ValueError, TypeError, KeyError)):
            read_leave(text)
