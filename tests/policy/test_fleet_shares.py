"""The parts of a limit: all of it together, and none grows with the number of members."""

import itertools

import pytest

from poller.policy.fleet_shares import is_reckoned_with, part_of

MEMBERS = "ABCDE"


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 20])
@pytest.mark.parametrize("members", ["A", "AB", "ABC", "ABCD"])
def test_members_share_the_whole_limit(members: str, limit: int) -> None:
    parts = [part_of(member, members, limit, "orders") for member in members]
    assert sum(parts) == limit
    assert max(parts) - min(parts) <= 1


@pytest.mark.parametrize("key", ["orders", "clicks"])
def test_no_part_grows_with_the_number_of_members(key: str) -> None:
    for limit, size in itertools.product(range(1, 12), range(1, 5)):
        for members in itertools.combinations(MEMBERS, size):
            for more in set(MEMBERS) - {*members}:
                assert all(
                    part_of(me, {*members, more}, limit, key) <= part_of(me, members, limit, key) for me in members
                )


def test_a_newcomer_is_reckoned_with_once_all_others_say_so() -> None:
    assert not is_reckoned_with("C", {"A": "AB", "B": "ABC"})
    assert is_reckoned_with("C", {"A": "ABC", "B": "ABC"})
    assert is_reckoned_with("C", {})
