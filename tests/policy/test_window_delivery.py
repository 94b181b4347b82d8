"""Batches in a tumbling window: state goes with what is settled, and the window is closed in its turn."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poller.policy.delivery_steps import Discard, Invoke, Settle, Wait
from poller.policy.response import Succeeded
from poller.policy.windows import STATE_LIMIT, TumblingWindows, Window, WindowProgress
from tests.policy.test_stream_delivery import BISECT, PARTIAL, THROTTLED, TOO_LARGE, WALL, arrival, batch, broken
from tests.policy.test_stream_delivery import machine as plain_machine

START = WALL // 60 * 60


def opened(state=b"{}", count=0, **values):
    """The lane's windows, with the one open that holds the records."""
    return TumblingWindows(60, WindowProgress(Window(int(START), int(START) + 60, state, count, **values)), arrival)


def machine(text, windows, **policy):
    return plain_machine(batch(text), windows=windows, **policy)


def answer(state, *failed):
    return Succeeded(
        json.dumps({"state": state, "batchItemFailures": [{"itemIdentifier": one} for one in failed]}).encode()
    )


HUGE = {"text": "x" * STATE_LIMIT}
NO_STATE = Succeeded(b'{"batchItemFailures": []}')


def play(delivery, windows, *outcomes):
    """The steps in words: what is invoked, with how long a state, and what became of it."""
    answers, steps, now = list(outcomes), [], 0.0
    while (step := delivery.next_step(now)) is not None:
        match step:
            case Invoke(records):
                state = windows.open.state.decode()
                names = " ".join(one.identifier for one in records) or "close"
                steps.append(f"{names} {state if len(state) < 100 else 'huge'}")
                delivery.report(answers.pop(0), now, lambda: 0.5)
            case Wait(seconds):
                now += seconds
            case Settle():
                pass
            case Discard(given_up):
                names = " ".join(one.identifier for one in given_up.records) or "close"
                steps.append(f"{given_up.condition} {given_up.invoke_count} {names}")
                assert given_up.window == windows.open
                delivery.accepted()
    assert not answers, "an outcome was not asked for"
    assert delivery.remaining() == []
    return steps


@pytest.mark.parametrize(
    ("policy", "outcomes", "steps", "left"),
    [
        pytest.param({}, [answer({"n": 3})], ["1 2 3 {}"], (b'{"n":3}', 3), id="the answer is carried"),
        pytest.param(
            {}, [NO_STATE, broken(), answer({"n": 3})], ["1 2 3 {}"] * 3, (b'{"n":3}', 3), id="no state is a failure"
        ),
        pytest.param(
            {"maximum_retry_attempts": 0},
            [Succeeded(b"")],
            ["1 2 3 {}", "RetryAttemptsExhausted 1 1 2 3"],
            (b"{}", 0),
            id="given up leaves the state as it was",
        ),
        pytest.param({}, [answer({"n": 3}, "2")], ["1 2 3 {}"], (b'{"n":3}', 3), id="without the feature, no names"),
        pytest.param(
            PARTIAL,
            [answer({"n": 1}, "2"), answer({"n": 3})],
            ["1 2 3 {}", '2 3 {"n":1}'],
            (b'{"n":3}', 3),
            id="a partial answer's state goes with what it settles",
        ),
        pytest.param(
            PARTIAL,
            [answer({"n": 9}, "1"), answer({"n": 3})],
            ["1 2 3 {}"] * 2,
            (b'{"n":3}', 3),
            id="where nothing is settled nothing is carried",
        ),
        pytest.param(
            PARTIAL,
            [answer({"n": 9}, "7"), answer({"n": 3})],
            ["1 2 3 {}"] * 2,
            (b'{"n":3}', 3),
            id="an invalid partial answer is a failure",
        ),
        pytest.param(
            BISECT,
            [broken(), answer({"n": 1}), answer({"n": 3})],
            ["1 2 3 {}", "1 {}", '2 3 {"n":1}'],
            (b'{"n":3}', 3),
            id="bisected, the second half goes on from the first",
        ),
        pytest.param(
            {},
            [THROTTLED, TOO_LARGE, answer({"n": 1}), answer({"n": 3})],
            ["1 2 3 {}", "1 2 3 {}", "1 {}", '2 3 {"n":1}'],
            (b'{"n":3}', 3),
            id="split and refused alike",
        ),
    ],
)
def test_a_batch(policy, outcomes, steps, left):
    windows = opened()
    assert play(machine("1 2 3", windows, **policy), windows, *outcomes) == steps
    assert (windows.open.state, windows.open.records) == left


@pytest.mark.parametrize(
    ("policy", "outcomes", "steps"),
    [
        pytest.param({}, [answer({})], ['close {"n":3}'], id="closed"),
        pytest.param({}, [NO_STATE, broken(), answer({})], ['close {"n":3}'] * 3, id="retried until it succeeds"),
        pytest.param(
            {"maximum_retry_attempts": 1},
            [broken(), THROTTLED, broken()],
            ['close {"n":3}'] * 3 + ["RetryAttemptsExhausted 2 close"],
            id="given up at the limit",
        ),
        pytest.param(
            {**BISECT, "maximum_retry_attempts": 0},
            [TOO_LARGE],
            ['close {"n":3}', "RetryAttemptsExhausted 1 close"],
            id="there is nothing to split",
        ),
        pytest.param(PARTIAL, [answer({}, "1"), answer({})], ['close {"n":3}'] * 2, id="there is nothing to name"),
    ],
)
def test_the_closing_of_a_window(policy, outcomes, steps):
    windows = opened(b'{"n":3}', 3)
    assert play(machine("", windows, **policy), windows, *outcomes) == steps
    assert windows.progress() == WindowProgress(None, int(START) + 60)


def test_a_closing_is_as_old_as_its_window_s_end_and_is_tried_once_at_least():
    windows = opened(count=3)
    delivery = machine("", windows, maximum_record_age_in_seconds=60)
    far = 1000.0
    assert isinstance(delivery.next_step(far), Invoke)
    delivery.report(THROTTLED, far, lambda: 0.5)
    assert isinstance(delivery.next_step(far), Wait)
    assert isinstance(delivery.next_step(far), Invoke)
    delivery.report(broken(), far, lambda: 0.5)
    assert isinstance(delivery.next_step(far), Wait)
    assert delivery.next_step(far).discarded.condition == "RecordAgeExceeded"
    assert delivery.next_step(far).discarded.records == []
    young = machine("", opened(count=3), maximum_record_age_in_seconds=86400)
    young.next_step(0)
    young.report(broken(), 0, lambda: 0.5)
    young.next_step(0)
    assert isinstance(young.next_step(0), Invoke)


def test_retention_does_not_end_a_closing():
    windows = opened(count=3)
    delivery = machine("", windows)
    delivery.next_step(0)
    delivery.report(broken(), 0, lambda: 0.5)
    delivery.trimmed_before("100")
    assert play(delivery, windows, answer({})) == ["close {}"]


def test_a_state_too_large_closes_the_window_before_the_rest_of_the_batch_begins_it_again():
    windows = opened()
    delivery = machine("1 2 3", windows, **PARTIAL)
    steps = play(delivery, windows, answer(HUGE, "2"), answer({}), answer({"n": 2}))
    assert steps == ["1 2 3 {}", "close huge", "2 3 {}"]
    assert (windows.open.start, windows.open.state, windows.open.records) == (START, b'{"n":2}', 2)


def test_a_state_too_large_at_the_end_of_a_batch_closes_the_window_as_well():
    windows = opened()
    assert play(machine("1 2", windows), windows, answer(HUGE), answer({})) == ["1 2 {}", "close huge"]
    assert windows.progress() == WindowProgress(None, 0)


def test_stored_in_the_middle_an_early_closing_and_the_rest_are_built_again():
    windows = opened()
    first = machine("1 2 3", windows, **PARTIAL)
    first.next_step(0)
    first.report(answer(HUGE, "2"), 0, lambda: 0.5)
    stored = first.snapshot()
    assert [(part.count, part.first, part.last) for part in stored] == [(2, "2", "3"), (0, "0", "0")]
    again = TumblingWindows(60, windows.progress(), arrival)
    second = machine("2 3", again, **PARTIAL)
    assert second.restore(stored)
    assert play(second, again, answer({}), answer({"n": 2})) == ["close huge", "2 3 {}"]


def test_a_closing_that_failed_is_built_again_with_its_attempts():
    windows = opened(count=3)
    first = machine("", windows, maximum_retry_attempts=1)
    first.next_step(0)
    first.report(broken(), 0, lambda: 0.5)
    second = machine("", windows, maximum_retry_attempts=1)
    assert second.restore(first.snapshot())
    assert play(second, windows, broken()) == ["close {}", "RetryAttemptsExhausted 2 close"]
    assert not machine("7", opened()).restore(first.snapshot())


ANSWERS = st.sampled_from(["ok", "none", "broken", "throttled", "first", "last", "middle", "large", "huge"])


@given(st.lists(ANSWERS, max_size=40), st.integers(0, 12), st.integers(-1, 3), st.booleans(), st.booleans())
def test_what_is_carried_is_the_sum_over_what_was_settled_whatever_the_function_answers(
    answers, count, limit, bisect, partial
):
    """The function sums sequence numbers, up to the first it names; a huge state ends the window with its sum."""
    numbers = range(95, 95 + count)
    windows = opened(count=1)
    delivery = machine(
        " ".join(map(str, numbers)),
        windows,
        maximum_retry_attempts=limit,
        bisect_batch_on_function_error=bisect,
        report_batch_item_failures=partial,
    )
    total, given_up, now = 0, [], 0.0
    while (step := delivery.next_step(now)) is not None:
        match step:
            case Invoke(records):
                ids = [int(record.identifier) for record in records]
                before = json.loads(windows.open.state).get("sum", 0)
                kind = answers.pop(0) if answers else "ok"
                named = {"first": ids[:1], "last": ids[-1:], "middle": ids[len(ids) // 2 :][:1]}.get(kind, [])
                reached = ids.index(named[0]) if named and partial else len(ids)
                state = {"sum": before + sum(ids[:reached])} | (HUGE if kind == "huge" else {})
                outcome = {"none": NO_STATE, "broken": broken(), "throttled": THROTTLED, "large": TOO_LARGE}.get(
                    kind, answer(state, *map(str, named))
                )
                closes = not records and isinstance(outcome, Succeeded) and outcome is not NO_STATE
                delivery.report(outcome, now, lambda: 0.5)
                total += before if closes else 0
            case Wait(seconds):
                now += seconds
            case Discard(discarded):
                given_up += [int(record.identifier) for record in discarded.records]
                total += 0 if discarded.records else json.loads(windows.open.state).get("sum", 0)
                delivery.accepted()
    carried = 0 if windows.open is None else json.loads(windows.open.state).get("sum", 0)
    assert total + carried + sum(given_up) == sum(numbers)
