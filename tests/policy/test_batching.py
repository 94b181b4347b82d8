"""When a batch closes."""

from math import inf
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poller.policy.batching import BatchBuffer, BatchLimits
from tests.policy.samples import exact_bound, identifiers, measure, record, records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poller.values.record import Record


def never(_):
    raise AssertionError("measuring costs an encoding pass and was not needed")


def test_an_empty_buffer_is_never_due():
    buffer = BatchBuffer(BatchLimits(), never, 0)
    assert (buffer.closes_in(0), buffer.closes_in(1e9), buffer.room) == (inf, inf, 10)


def test_without_a_window_whatever_came_is_due_at_once():
    buffer = BatchBuffer(BatchLimits(), never, 0)
    assert buffer.add(records(1), 100, 5) == []
    assert (buffer.closes_in(5), buffer.room) == (0, 9)


def test_a_full_batch_is_due_though_its_window_is_open_and_the_rest_is_handed_back():
    buffer = BatchBuffer(BatchLimits(3, window=60), never, 0)
    rest = buffer.add(records(5), 100, 1)
    assert (identifiers(buffer.records), identifiers(rest)) == (["0", "1", "2"], ["3", "4"])
    assert (buffer.closes_in(1), buffer.room) == (0, 0)


def test_closed_it_is_due_at_once_even_with_nothing_and_only_once():
    buffer = BatchBuffer(BatchLimits(3, window=60), never, 0)
    buffer.close()
    assert buffer.closes_in(0) == 0
    assert buffer.take() == []
    assert buffer.closes_in(0) == inf


def test_what_an_event_holds_beside_its_records_counts_once():
    def with_state(found):
        return measure(found) + 1000

    limit = with_state(records(4))
    buffer = BatchBuffer(BatchLimits(10, payload=limit), with_state, 0)
    assert identifiers(buffer.add(records(6), limit, 0)) == ["4", "5"]
    assert with_state(buffer.records) == limit


def test_exactly_a_batch_is_full():
    buffer = BatchBuffer(BatchLimits(3, window=60), never, 0)
    assert buffer.add(records(3), 100, 1) == []
    assert buffer.closes_in(1) == 0


def test_taking_empties_the_buffer_for_the_next_batch():
    buffer = BatchBuffer(BatchLimits(2), never, 0)
    buffer.add(records(2), 100, 1)
    assert identifiers(buffer.take()) == ["0", "1"]
    assert (buffer.records, buffer.room, buffer.closes_in(1)) == ([], 2, inf)


@pytest.mark.parametrize(
    ("completed", "arrives", "left"),
    [
        pytest.param(0, 0, 10, id="at the window's very start"),
        pytest.param(0, 4, 6, id="within the window that the last invocation's end began"),
        pytest.param(3, 4, 9, id="the window began at that end, not at the start"),
        pytest.param(0, 10, 10, id="a window that ended empty is followed by the next"),
        pytest.param(0, 34, 6, id="and by any number of them"),
    ],
)
def test_a_window_runs_from_the_end_of_the_last_invocation(completed, arrives, left):
    buffer = BatchBuffer(BatchLimits(10, window=10), never, 0)
    buffer.invocation_completed(completed)
    buffer.add(records(1), 100, arrives)
    assert buffer.closes_in(arrives) == left


def test_a_later_record_does_not_prolong_the_window():
    buffer = BatchBuffer(BatchLimits(10, window=10), never, 0)
    buffer.add(records(1), 100, 2)
    buffer.add(records(1), 100, 9)
    assert (buffer.closes_in(9), buffer.closes_in(10), buffer.closes_in(11)) == (1, 0, 0)


def test_a_rest_of_the_window_too_short_for_another_receive_closes_the_batch():
    buffer = BatchBuffer(BatchLimits(10, window=10, shortest_wait=1), never, 0)
    buffer.add(records(1), 100, 2)
    assert (buffer.closes_in(9), buffer.closes_in(9.01)) == (1, 0)


def test_while_the_cheap_bound_fits_nothing_is_measured():
    buffer = BatchBuffer(BatchLimits(10, payload=1000), never, 0)
    assert buffer.add(records(2), 900, 0) == []


def test_where_the_bound_passes_the_limit_the_exact_size_decides():
    found = records(4)
    buffer = BatchBuffer(BatchLimits(10, payload=measure(found)), measure, 0)
    assert buffer.add(found[:2], 10**9, 0) == []
    assert identifiers(buffer.add([*found[2:], record("over")], 10**9, 0)) == ["over"]
    assert (identifiers(buffer.records), buffer.closes_in(0)) == (["0", "1", "2", "3"], 0)


def test_a_batch_may_fill_the_payload_to_its_last_byte():
    found = records(3)
    buffer = BatchBuffer(BatchLimits(10, payload=measure(found)), measure, 0)
    assert buffer.add(found, 10**9, 0) == []
    buffer = BatchBuffer(BatchLimits(10, payload=measure(found) - 1), measure, 0)
    assert identifiers(buffer.add(found, 10**9, 0)) == ["2"]


def test_the_record_that_overflows_closes_the_batch_and_opens_the_next():
    first, second = record("a", body="x" * 600), record("b", body="x" * 600)
    buffer = BatchBuffer(BatchLimits(10, window=60, payload=1200), measure, 0)
    assert buffer.add([first], 700, 0) == []
    assert buffer.add([second], 700, 1) == [second]
    assert (buffer.closes_in(1), buffer.take()) == (0, [first])
    assert buffer.add([second], 700, 1) == []


def test_a_record_over_the_limit_makes_a_batch_of_its_own():
    big, small = record("big", body="x" * 5000), record("small")
    buffer = BatchBuffer(BatchLimits(10, payload=1000), measure, 0)
    assert buffer.add([big, small], 6000, 0) == [small]
    assert buffer.take() == [big]


bodies = st.text(max_size=40) | st.sampled_from(["", "x" * 300, '"\\\n' * 60, "\ud800" * 50, "é" * 100])
pages = st.lists(st.tuples(st.lists(bodies, max_size=10), st.floats(0, 30), st.integers(0, 2000)), max_size=12)


@given(pages, st.integers(1, 12), st.integers(200, 3000), st.sampled_from([0.0, 1.0, 7.5]))
def test_no_batch_passes_its_limits_and_every_record_leaves_once_and_in_order(pages, size, payload, window):
    """Measured by the real encoder; the source's bounds may be as loose as they like."""
    sent: list[Record]
    now, count, sent, batches = 0.0, 0, [], []
    buffer = BatchBuffer(BatchLimits(size, window, payload), measure, now)
    for page, later, slack in pages:
        now += later
        found: Sequence[Record] = [record(count + index, body=body) for index, body in enumerate(page)]
        count += len(found)
        sent += found
        while found or buffer.closes_in(now) == 0:
            found = buffer.add(found, exact_bound(found) + slack, now) if found else found
            if buffer.closes_in(now) == 0:
                batches.append(buffer.take())
                buffer.invocation_completed(now)
    batches.append(buffer.take())
    assert [one for batch in batches for one in batch] == sent
    for batch in batches:
        assert len(batch) <= size
        assert measure(batch) <= payload or len(batch) == 1


@given(
    st.lists(st.tuples(st.floats(0, 100), st.booleans()), min_size=1, max_size=30), st.floats(0.5, 50), st.floats(0, 1)
)
def test_no_record_is_kept_longer_than_one_window(steps, window, shortest_wait):
    now, oldest = 0.0, None
    buffer = BatchBuffer(BatchLimits(10_000, window, shortest_wait=shortest_wait), never, now)
    for later, arrives in steps:
        left = buffer.closes_in(now)
        if left <= later:
            assert oldest is not None
            assert now + left <= oldest + window * (1 + 1e-9)
            buffer.take()
            oldest = None
            buffer.invocation_completed(now + left)
        now += later
        if arrives:
            buffer.add([record(now)], 0, now)
            oldest = now if oldest is None else oldest
            assert 0 <= buffer.closes_in(now) <= window * (1 + 1e-9)
