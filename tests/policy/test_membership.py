"""Beats as others see them: nobody is declared dead while it may act, and everybody who stopped is."""

from hypothesis import given
from hypothesis import strategies as st

from poller.policy.membership import Membership, valid_until

LEASE = 15.0


def test_a_member_expires_a_lease_after_its_last_beat_was_seen() -> None:
    members = Membership(LEASE, 0.0)
    assert members.observe([("A", 1), ("B", 4)], [], 10.0)
    assert not members.observe([("A", 2), ("B", 4)], [], 20.0)
    assert members.expired(24.9, "A") == []
    assert members.next_expiry("A") == 25.0
    assert members.expired(25.0, "A") == [("B", 4)]
    assert members.expired(50.0, "C") == [("A", 2), ("B", 4)]
    assert Membership(LEASE, 0.0).next_expiry("A") is None


def test_an_older_beat_read_late_is_no_beat() -> None:
    members = Membership(LEASE, 0.0)
    members.observe([("B", 4)], [], 0.0)
    members.observe([("B", 3)], [], 10.0)
    assert members.expired(15.0, "A") == [("B", 4)]


def test_who_came_and_went_ends_the_quiet() -> None:
    members = Membership(LEASE, 0.0)
    members.observe([("A", 1)], [], 1.0)
    assert members.quiet_since == 1.0
    members.observe([("A", 2)], [], 2.0)
    assert members.quiet_since == 1.0
    members.observe([("A", 2), ("B", 1)], ["B"], 3.0)
    assert members.live == {"A"}
    members.observe([("A", 2), ("C", 1)], [], 4.0)
    members.buried("C", 5.0)
    members.buried("C", 6.0)
    assert members.quiet_since == 5.0
    assert members.observe([], [], 7.0)
    assert members.live == frozenset()


def test_an_owner_without_a_row_is_dead_only_after_a_lease() -> None:
    members = Membership(LEASE, 0.0)
    members.observe([("A", 1)], ["D"], 0.0)
    members.owning(["A", "B", "D"], 1.0)
    assert members.live == {"A", "B"}
    members.observe([("A", 2)], ["D"], 10.0)
    members.owning(["B"], 10.0)
    assert members.expired(16.0, "A") == [("B", None)]
    # it had joined since
    members.observe([("A", 3), ("B", 7)], ["D"], 12.0)
    assert members.expired(16.0, "A") == []
    assert members.expired(27.0, "A") == [("B", 7)]
    members.owning(["C"], 20.0)
    members.owning([], 21.0)
    assert members.live == {"A", "B"}


def test_a_member_counts_as_alive_for_the_lease_since_its_beat_was_seen() -> None:
    members = Membership(LEASE, 0.0)
    members.observe([("B", 7)], [], 3.0)
    assert members.alive_until("B") == 3.0 + LEASE
    assert members.alive_until("C") == float("-inf")


@given(
    st.floats(0.95, 1.05),
    st.floats(0.95, 1.05),
    st.floats(0, 30),
    st.lists(st.tuples(st.floats(0, 8), st.floats(0, 8), st.booleans()), max_size=6),
)
def test_no_member_acts_when_it_may_be_declared_dead(
    my_rate: float, its_rate: float, offset: float, beats: list[tuple[float, float, bool]]
) -> None:
    """Two clocks at rates within 10 % of each other. Beats take any time to arrive and to be seen, or get lost."""
    observer = Membership(LEASE, 0.0)
    sent_at, until = 0.0, valid_until(0.0, LEASE)
    observer.observe([("B", 0)], [], offset)
    for number, (pause, way, lost) in enumerate(beats, 1):
        sent_at += pause
        seen_at = sent_at + way
        if observer.expired(seen_at * my_rate + offset, "A"):
            break
        if not lost:
            observer.observe([("B", number)], [], seen_at * my_rate + offset)
            until = max(until, valid_until(sent_at * its_rate, LEASE))
    buried_at = observer.next_expiry("A")
    assert buried_at is not None
    assert until / its_rate <= (buried_at - offset) / my_rate + 1e-6
