"""When a function that cannot be invoked is tried again, and when it is not."""

from math import nextafter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poller.policy.circuit import LONGEST, LONGEST_ADVICE, OPENS_AFTER, Circuit
from poller.policy.response import NotInvoked

REFUSAL = NotInvoked("unreachable", "connection refused")


def always(value):
    return lambda: value


def opened(at=0.0, chance=1.0):
    circuit = Circuit()
    for _ in range(OPENS_AFTER):
        assert circuit.admits(at)
        circuit.refused(REFUSAL, at, always(chance), circuit.begin())
    assert circuit.opened_at == at
    return circuit


def test_it_opens_only_after_refusals_in_a_row():
    circuit = Circuit()
    for _ in range(3):
        for _ in range(OPENS_AFTER - 1):
            assert not circuit.refused(REFUSAL, 0.0, always(0), circuit.begin())
        assert circuit.admits(0.0)
        assert not circuit.reached(), "a success in between starts the count anew"
    assert circuit.opened_at is None


def test_it_is_calm_while_it_is_closed_and_nothing_was_refused_since_the_last_success():
    circuit = Circuit()
    assert circuit.calm
    circuit.refused(REFUSAL, 0.0, always(0), circuit.begin())
    assert not circuit.calm
    circuit.reached()
    assert circuit.calm
    assert not opened().calm


def test_a_person_may_have_the_next_probe_at_once_but_no_second_one_beside_it():
    circuit = opened()
    circuit.hasten(0.2)
    assert circuit.admits(0.2)
    probe = circuit.begin()
    circuit.hasten(0.3)
    assert not circuit.admits(0.3)
    circuit.refused(REFUSAL, 0.3, always(1.0), probe)
    assert not circuit.admits(0.4)


def test_while_open_one_probe_at_a_time_is_admitted_when_it_is_due():
    circuit = opened()
    assert (circuit.admits(0.9), circuit.opens_in(0.4)) == (False, pytest.approx(0.6))
    assert circuit.admits(1.0)
    probe = circuit.begin()
    assert probe
    assert (circuit.admits(5.0), circuit.opens_in(5.0)) == (False, LONGEST)
    assert circuit.reached()
    assert circuit.admits(5.0)
    assert circuit.begin() == 0


def test_a_wait_that_ended_by_a_rounding_error_too_early_is_over():
    """Else it would be waited again for next to nothing, as fast as the loop turns."""
    assert opened().admits(nextafter(1.0, 0.0))


def test_pauses_grow_with_the_outage_up_to_the_longest():
    circuit, now, pauses = opened(), 0.0, []
    for _ in range(10):
        pauses.append(circuit.opens_in(now))
        now += pauses[-1]
        assert circuit.refused(REFUSAL, now, always(1.0), circuit.begin())
    assert pauses == [1, 1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_what_began_before_it_opened_neither_opens_it_again_nor_moves_the_probe():
    circuit = opened()
    assert not circuit.refused(REFUSAL, 0.5, always(1.0), 0)
    assert circuit.probe_at == 1.0
    probe = circuit.begin()
    assert not circuit.refused(REFUSAL, 1.5, always(1.0), probe + 1)
    assert circuit.is_probe(probe)


def test_what_began_before_it_opened_and_got_through_closes_it():
    circuit = opened()
    assert circuit.reached()
    assert circuit.admits(0.0)


@pytest.mark.parametrize(("advice", "pause"), [(17.0, 17.0), (0.0, 1.0), (None, 1.0), (1e9, LONGEST_ADVICE)])
def test_a_retry_after_says_when_the_probe_is_due_within_reason(advice, pause):
    circuit = Circuit()
    for _ in range(OPENS_AFTER):
        circuit.refused(NotInvoked("throttled", "", advice), 0.0, always(1.0), circuit.begin())
    assert circuit.opens_in(0.0) == pause


def test_an_abandoned_probe_leaves_the_next_one_to_somebody_else_at_once():
    circuit = opened()
    assert not circuit.abandoned(0.5, 0)
    probe = circuit.begin()
    assert circuit.abandoned(3.0, probe)
    assert circuit.admits(3.0)
    assert circuit.why == REFUSAL


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans(), st.floats(0, 0.999)), max_size=60))
def test_it_never_stays_shut_for_longer_than_the_longest_pause(steps):
    circuit, now = Circuit(), 0.0
    for passed, through, chance in steps:
        now += passed
        if not circuit.admits(now):
            assert 0 < circuit.opens_in(now) <= LONGEST
            continue
        probe = circuit.begin()
        if through:
            circuit.reached()
        else:
            circuit.refused(REFUSAL, now, always(chance), probe)


def test_it_is_calm_only_where_a_success_would_change_nothing():
    circuit = Circuit()
    assert circuit.calm
    circuit.refused(REFUSAL, 0.0, always(1.0), circuit.begin())
    assert not circuit.calm
    circuit.reached()
    assert circuit.calm
    assert not opened().calm
