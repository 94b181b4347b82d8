"""Which window a record belongs to, what is carried through it, and when it ends."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poller.policy.windows import (
    LONGEST_PAUSE,
    NO_WINDOW,
    ON_ITS_WAY,
    QUIET,
    STATE_LIMIT,
    Quiet,
    TumblingWindows,
    Window,
    WindowProgress,
    answered_state,
    time_window_info,
)
from poller.values.record import Record


def arrival(record):
    return record.item


def records(*arrivals):
    return [Record(at, str(number)) for number, at in enumerate(arrivals)]


def windows(seconds=60, opened=None, closed_to=0):
    return TumblingWindows(seconds, WindowProgress(opened, closed_to), arrival)


def bounds(lane):
    return None if lane.open is None else (lane.open.start, lane.open.end)


def test_a_record_opens_the_window_that_holds_its_arrival():
    lane = windows()
    assert lane.fitting(records(125.5, 179.999, 180.0, 130.0), 10) == 2
    assert bounds(lane) == (120, 180)
    assert lane.open.bounds == {"start": "1970-01-01T00:02:00Z", "end": "1970-01-01T00:03:00Z"}


def test_no_more_are_asked_for_than_fit_the_batch():
    assert windows().fitting(records(0, 1, 2, 3), 2) == 2


def test_a_record_of_a_later_window_ends_the_open_one():
    lane = windows(opened=Window(0, 60))
    assert lane.fitting(records(60.0), 10) == 0
    lane.closed()
    assert lane.fitting(records(60.0), 10) == 1
    assert bounds(lane) == (60, 120)


def test_a_late_record_goes_into_the_window_that_is_open():
    lane = windows(opened=Window(60, 120))
    assert lane.fitting(records(59.0, 61.0), 10) == 2


def test_a_late_record_never_opens_a_window_again_that_was_closed():
    lane = windows(closed_to=120)
    lane.enter(records(61.0))
    assert bounds(lane) == (120, 180)


def test_without_a_length_there_are_no_windows():
    lane = windows(seconds=0)
    assert lane.fitting(records(1, 100, 1000), 3) == 3
    assert (lane.open, lane.ends(inf), lane.progress()) == (None, False, NO_WINDOW)


def test_entering_without_records_opens_nothing():
    lane = windows()
    lane.enter([])
    assert lane.open is None


@pytest.mark.parametrize("seconds", [0, 30, 61])
def test_a_window_of_another_length_is_closed_at_once(seconds):
    lane = windows(seconds, opened=Window(60, 120))
    assert lane.ends(0.0)
    assert lane.fitting(records(61.0), 10) == 0
    lane.closed()
    assert lane.progress() == NO_WINDOW


def test_after_another_length_a_record_may_share_its_window_with_one_that_was_closed():
    lane = windows(120, closed_to=60)
    lane.enter(records(70.0))
    assert bounds(lane) == (0, 120)


@pytest.mark.parametrize(("instant", "ends"), [(119.9, False), (120.0, True), (inf, True)])
def test_a_window_ends_once_everything_before_its_end_was_read(instant, ends):
    assert windows(opened=Window(60, 120)).ends(instant) is ends


def test_state_and_count_are_carried_and_the_next_window_begins_with_neither():
    lane = windows()
    lane.enter(records(1.0))
    assert not lane.carry(b'{"sum":1}', 2)
    assert not lane.carry(b'{"sum":2}', 3)
    assert lane.open == Window(0, 60, b'{"sum":2}', 5)
    assert windows(60, *_parts(lane)).open == lane.open
    lane.closed()
    assert lane.progress() == WindowProgress(None, 60)
    lane.enter(records(61.0))
    assert lane.open == Window(60, 120, b"{}", 0)


def _parts(lane):
    stored = lane.progress()
    return stored.open, stored.closed_to


def test_a_state_over_the_limit_ends_the_window_early_and_what_follows_begins_it_again():
    lane = windows()
    lane.enter(records(1.0))
    assert not lane.carry(b"x" * STATE_LIMIT, 1)
    assert lane.carry(b"x" * (STATE_LIMIT + 1), 1)
    assert lane.ends(0.0)
    assert lane.fitting(records(2.0), 1) == 0
    lane.closed()
    assert lane.fitting(records(2.0), 1) == 1
    assert lane.open == Window(0, 60)


@pytest.mark.parametrize(
    ("body", "state"),
    [
        (b'{"state": {"a": 1, "b": [1.5, null]}}', b'{"a":1,"b":[1.5,null]}'),
        (b'{"state": {}, "batchItemFailures": []}', b"{}"),
        ('{"state": {"é": "ü"}}'.encode(), '{"é":"ü"}'.encode()),
        (b'{"state": {"half": "\\ud800"}}', b'{"half":"\\ud800"}'),
        (b'{"state": {"big": 123456789012345678901234567890}}', b'{"big":123456789012345678901234567890}'),
        (b'{"state": null}', None),
        (b'{"state": "text"}', None),
        (b'{"state": []}', None),
        (b'{"state": {"a": NaN}}', None),
        (b'{"state": {"a": 1e999}}', None),
        (b'{"State": {}}', None),
        (b"{}", None),
        (b"null", None),
        (b"[]", None),
        (b"", None),
        (b"not JSON", None),
        (b"\xff", None),
        (b'{"state":' + b'{"a":' * 100_000, None),
    ],
)
def test_the_state_is_read_from_the_answer_as_it_stands_there(body, state):
    assert answered_state(body) == state


def test_where_the_service_tells_how_far_behind_a_read_was_one_at_the_tip_is_enough():
    quiet = Quiet()
    assert quiet.read(1000.0, 0.5, empty=True) == -inf
    assert quiet.read(1000.0, 0.0, empty=False) == -inf
    assert quiet.read(1000.0, 0.0, empty=True) == 1000.0 - ON_ITS_WAY


def told_by(*reads):
    quiet = Quiet()
    return [quiet.read(at, None, empty=empty) for at, empty in reads]


def test_where_it_does_not_reads_have_to_be_empty_for_a_while_from_that_instant_on():
    steps = [(at, True) for at in range(1000, 1000 + int(QUIET), 5)]
    assert set(told_by(*steps)) == {-inf}
    assert told_by(*steps, (1000 + QUIET, True))[-1] == 1000 - ON_ITS_WAY
    assert told_by(*steps, (1000 + QUIET - 1, False), (1000 + QUIET, True))[-1] == -inf


def test_the_next_while_begins_where_the_last_one_ended():
    steps = [(1000 + at, True) for at in range(0, int(2 * QUIET) + 1, 5)]
    assert [told for told in told_by(*steps) if told > 0] == [1000 - ON_ITS_WAY, 1000 + QUIET - ON_ITS_WAY]


def test_time_in_which_nothing_could_be_read_shows_nothing():
    assert told_by((1000, True), (5000, True), (5000 + QUIET - LONGEST_PAUSE - 1, True))[-1] == -inf


def test_an_invocation_record_says_which_window_it_was():
    window = Window(0, 60, terminated_early=True)
    assert time_window_info(window, final=True) == {
        "window": {"start": "1970-01-01T00:00:00Z", "end": "1970-01-01T00:01:00Z"},
        "isFinalInvokeForWindow": True,
        "isWindowTerminatedEarly": True,
    }
    assert not time_window_info(window, final=False)["isWindowTerminatedEarly"]


@given(
    st.lists(st.floats(0, 5000, allow_nan=False), max_size=60),
    st.integers(1, 900),
    st.integers(1, 10),
    st.sets(st.integers(0, 60)),
)
def test_sums_over_windows_are_the_sums_over_records_and_no_window_is_closed_twice(arrivals, seconds, most, restarts):
    """In whatever order they arrive, and stored and read again at any moment."""
    left = records(*arrivals)
    lane, closed, turn = windows(seconds), [], 0
    while left or lane.open is not None:
        if turn in restarts:
            lane = windows(seconds, *_parts(lane))
        turn += 1
        count = lane.fitting(left, min(most, len(left))) if left else 0
        if count:
            taken, left = left[:count], left[count:]
            assert all(at < lane.open.end for at in map(arrival, taken))
            lane.carry(b"%d" % (int(lane.open.state.strip(b"{}") or b"0") + count), count)
        elif not left or lane.fitting(left, 1) == 0:
            assert left or lane.ends(inf)
            closed.append((lane.open.start, lane.open.records, int(lane.open.state)))
            lane.closed()
    assert sum(count for _, count, _ in closed) == len(arrivals)
    assert all(count == state for _, count, state in closed)
    starts = [start for start, _, _ in closed]
    assert starts == sorted(set(starts))
