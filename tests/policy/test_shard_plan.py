"""The plan of a fleet: complete, balanced, sticky, and reached by members that act one after the other in any order."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poller.policy.shard_plan import Plan, plan

MEMBERS = "ABC"
SHARDS = "wxyz"


def after(plans: dict[str, Plan], owners: dict[str, str | None]) -> dict[str, str | None]:
    """The owners once everybody did what its plan says."""
    new = dict(owners)
    for member, its in plans.items():
        new.update(dict.fromkeys(its.claim, member))
        new.update(its.give)
    return new


def counts(owners: dict[str, str | None], live: tuple[str, ...]) -> list[int]:
    return [sum(owner == member for owner in owners.values()) for member in live]


def every_state(members: str, shards: str) -> list[tuple[tuple[str, ...], dict[str, str | None]]]:
    """Every set of live members with every assignment of the shards, to members that are gone too."""
    states: list[tuple[tuple[str, ...], dict[str, str | None]]] = []
    for number in range(1, len(members) + 1):
        for live in itertools.combinations(members, number):
            owned = itertools.product([None, *members], repeat=len(shards))
            states.extend((live, dict(zip(shards, owners, strict=True))) for owners in owned)
    return states


@pytest.mark.parametrize("key", ["orders", "clicks"])
def test_all_members_together_plan_every_shard_once_balanced_and_without_another_move(key: str) -> None:
    for live, owners in every_state(MEMBERS, SHARDS):
        plans = {member: plan(member, live, owners, key) for member in live}
        claims = [shard for its in plans.values() for shard in its.claim]
        assert sorted(claims) == sorted(shard for shard, owner in owners.items() if owner not in live)
        for member, its in plans.items():
            assert all(owners[shard] == member and to != member for shard, to in its.give.items())
        planned = after(plans, owners)
        held = counts(planned, live)
        assert sum(held) == len(SHARDS)
        assert max(held) - min(held) <= 1
        assert all(plan(member, live, planned, key) == Plan() for member in live)


def test_only_shards_of_members_with_too_many_move() -> None:
    for live, owners in every_state(MEMBERS, SHARDS):
        most = -(-len(owners) // len(live))
        for member in live:
            its = plan(member, live, owners, "orders")
            held = sum(owner == member for owner in owners.values())
            assert len(its.give) <= max(0, held - len(owners) // len(live))
            assert held + len(its.claim) <= most or not its.claim


def test_a_member_that_leaves_gives_everything_to_those_that_would_have_taken_it() -> None:
    for live, owners in every_state(MEMBERS, SHARDS):
        for leaving in set(MEMBERS) - set(live):
            given = plan(leaving, live, owners, "orders")
            assert not given.claim
            assert set(given.give) == {shard for shard, owner in owners.items() if owner == leaving}
            for shard, to in given.give.items():
                assert shard in plan(to, live, owners, "orders").claim


def test_nobody_is_planned_without_members() -> None:
    assert plan("A", (), {"x": "A", "y": None}, "orders") == Plan()


def test_single_shards_of_many_mappings_are_spread() -> None:
    first = [plan("A", "AB", {"shardId-000000000000": None}, f"mapping {number}").claim for number in range(200)]
    assert 60 < sum(map(len, first)) < 140


@given(st.integers(1, 6), st.integers(0, 40), st.randoms(use_true_random=False))
def test_members_that_act_one_by_one_on_stale_rows_converge(members: int, shards: int, chance: random.Random) -> None:
    live = tuple(f"m{number}" for number in range(members))
    owners: dict[str, str | None] = {f"s{number}": chance.choice([None, "gone", *live]) for number in range(shards)}
    for _ in range(5):
        stale = dict(owners)
        for member in chance.sample(live, len(live)):
            its = plan(member, live, stale if chance.random() < 0.5 else owners, "orders")
            for shard in its.claim:
                if owners[shard] not in live:
                    owners[shard] = member
            for shard, to in its.give.items():
                if owners[shard] == member:
                    owners[shard] = to
    for member in live:
        its = plan(member, live, owners, "orders")
        for shard in its.claim:
            owners[shard] = member
        owners.update(its.give)
    held = counts(owners, live)
    assert max(held) - min(held) <= 1
    assert sum(held) == shards
