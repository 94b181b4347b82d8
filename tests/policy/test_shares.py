"""The shares of a limit: never more than the limit at one moment, and all of it once everybody knows everybody."""

import itertools

import pytest

from poller.policy.shares import share


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 20])
@pytest.mark.parametrize("members", ["A", "AB", "ABC", "ABCD"])
def test_members_that_know_each_other_share_the_whole_limit(members: str, limit: int) -> None:
    reckoned = dict.fromkeys(members, members)
    shares = [share(member, reckoned, limit, "orders") for member in members]
    assert sum(shares) == limit
    assert max(shares) - min(shares) <= 1


def test_a_newcomer_has_none_until_every_other_reckons_with_it() -> None:
    assert share("C", {"A": "AB", "B": "ABC", "C": "ABC"}, 9, "orders") == 0
    assert share("C", {"A": "ABC", "B": "ABC", "C": "C"}, 9, "orders") == 3


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
@pytest.mark.parametrize("key", ["orders", "clicks", "payments"])
def test_no_order_of_reading_and_saying_adds_up_to_more_than_the_limit(limit: int, key: str) -> None:
    """A and B share; C joins, and one of them dies. Each reads what all said at any moment, and says so later."""
    for steps in itertools.product(*["ABC"] * 5, "-ab"):
        said = {"A": "AB", "B": "AB"}
        uses = {member: share(member, said, limit, key) for member in "AB"}
        dead = {"-": "", "a": "A", "b": "B"}[steps[5]]
        joined = False
        for number, member in enumerate(steps[:5]):
            if number == 2 and dead:
                del said[dead], uses[dead]
            if member == dead and number >= 2:
                continue
            if member == "C" and not joined:
                said["C"], uses["C"], joined = "C", 0, True
                continue
            view = {other: said[other] if other != member else "".join(said) for other in said}
            uses[member] = share(member, view, limit, key)
            said[member] = "".join(said)
            assert sum(uses.values()) <= limit, (steps, uses)
