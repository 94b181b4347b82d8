"""A daemon attends a queue on evidence alone, and the first in a queue's order has nobody to wait for."""

from itertools import permutations

from poller.policy.attendance import ANSWERED_SECONDS, CALM_SECONDS, GAP_SECONDS, Attendance, before


def attending(now: float = 100.0) -> Attendance:
    """It has received for long without anything in its way."""
    one = Attendance(now - 2 * CALM_SECONDS)
    for begun in (now - 60, now - 40, now - 20):
        one.began(begun)
        one.ended(begun + 20, answered=True)
    assert one.attends(now)
    return one


def test_it_attends_once_a_receive_was_answered_and_all_was_calm_for_a_while() -> None:
    one = Attendance(0.0)
    one.began(0.0)
    assert not one.attends(CALM_SECONDS)
    one = Attendance(0.0)
    one.began(0.0)
    one.ended(20.0, answered=True)
    one.began(20.0)
    assert not one.attends(CALM_SECONDS - 1)
    assert one.attends(CALM_SECONDS)


def test_what_keeps_it_from_receiving_ends_it() -> None:
    failed, idle, hindered, silent = attending(), attending(), attending(), attending()
    failed.began(100.0)
    failed.ended(100.1, answered=False)
    assert not failed.attends(100.1)
    assert idle.attends(100.0 + GAP_SECONDS / 2)
    assert not idle.attends(100.0 + GAP_SECONDS)
    idle.began(110.0)
    assert not idle.attends(110.0)
    hindered.hindered(100.0)
    assert not hindered.attends(100.0)
    silent.began(100.0)
    assert silent.attends(99.0 + ANSWERED_SECONDS)
    assert not silent.attends(101.0 + ANSWERED_SECONDS)


def test_a_receive_that_runs_beside_one_that_ended_is_no_gap() -> None:
    one = attending()
    one.began(100.0)
    one.began(100.0)
    one.ended(101.0, answered=True)
    assert one.attends(110.0)


def test_of_any_members_one_has_nobody_before_it_and_all_agree_which() -> None:
    members = ["a", "b", "c", "d"]
    for order in permutations(members):
        places = {member: len(before(member, [one for one in order if one != member], "uuid")) for member in order}
        assert sorted(places.values()) == [0, 1, 2, 3]
    firsts = {min(members, key=lambda one: len(before(one, members, f"uuid {number}"))) for number in range(50)}
    assert firsts == {*members}, "the queues are spread over the members"
