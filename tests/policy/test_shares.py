"""Parts of a limit add up to it, and the order of workers is the same for all and differs from key to key."""

import pytest

from poller.policy.shares import part, ranking


@pytest.mark.parametrize("whole", [0, 1, 2, 5, 7, 1250])
@pytest.mark.parametrize("parts", [1, 2, 3, 8])
def test_the_parts_add_up_and_differ_by_one_at_most(whole: int, parts: int) -> None:
    shares = [part(whole, place, parts) for place in range(parts)]
    assert sum(shares) == whole
    assert max(shares) - min(shares) <= 1


def test_every_key_ranks_all_workers_and_not_always_the_same_first() -> None:
    rankings = [ranking(4, f"key {number}") for number in range(50)]
    assert all(sorted(one) == [1, 2, 3, 4] for one in rankings)
    assert {one[0] for one in rankings} == {1, 2, 3, 4}
    assert ranking(4, "key 7") == rankings[7]
