"""The parts of a limit that members use never add up to more than the limit, and soon add up to all of it."""

import random
from dataclasses import replace
from typing import Any

import pytest

from poller.engine.fleet.shares import Shares
from poller.ports.fleet import MemberRow, MemberState
from poller.runtime.slots import Slots

UUID = "aaaaaaaa-0000-4000-8000-000000000000"


class Life:
    """A member's life as its shares know it."""

    def __init__(self, member: str) -> None:
        self.id = member

    def hurry(self) -> None:
        """The test beats when it likes."""


class One:
    """A member: it reads the rows, beats, invokes, and dies when the test says so."""

    def __init__(self, rows: dict[str, MemberRow], member: str, limit: int) -> None:
        self.id = member
        self.rows = rows
        self.slots = Slots(None)
        self.read: list[MemberRow] = []
        life: Any = Life(member)
        self.shares = Shares(life, lambda: None)
        rows[member] = MemberRow(member, 0, MemberState.ACTIVE, 0, {})
        self.limit = limit
        self.begin()

    def begin(self) -> None:
        self.end = self.shares.add(UUID, self.limit, self.slots)
        self.runs = True

    def begin_again(self) -> None:
        """The mapping ends once nothing of it runs, and begins some time after that, as at a reload."""
        if not self.runs:
            self.begin()
        elif not self.slots.taken:
            self.slots.resize(0)
            self.end()
            self.runs = False

    def beat(self) -> None:
        self.rows[self.id] = replace(self.rows[self.id], facts=dict(self.shares.facts()))

    def look(self) -> None:
        """Read, and act on what was read a moment ago: time passes between the two."""
        self.shares.note(self.read)
        self.read = [*self.rows.values()]

    def invoke(self) -> None:
        self.slots.take_now()

    def answer(self) -> None:
        if self.slots.taken:
            self.slots.release()


def settle(members: list[One]) -> None:
    for _ in range(8):
        for one in members:
            one.look()
            one.beat()


@pytest.mark.parametrize("seed", range(200))
def test_no_order_of_reading_saying_and_dying_lets_more_run_than_the_limit(seed: int) -> None:
    chance = random.Random(seed)
    limit = chance.randint(1, 9)
    rows: dict[str, MemberRow] = {}
    members = [One(rows, f"member {number}", limit) for number in range(chance.randint(1, 3))]
    for number in range(200):
        one = chance.choice(members)
        match chance.random():
            case low if low < 0.02 and len(members) < 5:
                members.append(One(rows, f"newcomer {number}", limit))
            case low if low < 0.03 and len(members) > 1:
                members.remove(one)
                rows[one.id] = replace(rows[one.id], state=MemberState.DEAD)
            case low if low < 0.15:
                one.begin_again()
            case low:
                chance.choice([one.look, one.look, one.beat, one.invoke, one.invoke, one.answer])()
                assert low < 1
        assert sum(each.slots.taken for each in members) <= limit
    for one in members:
        while one.slots.taken:
            one.answer()
        if not one.runs:
            one.begin_again()
    settle(members)
    assert sum(each.slots.limit or 0 for each in members) == limit


def test_a_member_that_was_taken_for_dead_begins_nothing_until_it_is_reckoned_with_again() -> None:
    rows: dict[str, MemberRow] = {}
    one, other = (One(rows, member, 4) for member in ("one", "other"))
    settle([one, other])
    assert (one.slots.limit, other.slots.limit) == (2, 2)
    one.shares.life_ended()
    assert one.slots.limit == 0
    rows["one"] = replace(rows["one"], state=MemberState.DEAD)
    settle([other])
    assert other.slots.limit == 4


def test_one_that_has_no_limit_takes_no_part() -> None:
    rows: dict[str, MemberRow] = {}
    one = One(rows, "one", 4)
    rows["unlimited"] = MemberRow("unlimited", 0, MemberState.ACTIVE, 0, {"mappings": {UUID: "arn"}})
    rows["nonsense"] = MemberRow("nonsense", 0, MemberState.ACTIVE, 0, {"shares": {UUID: 3}})
    settle([one])
    assert one.slots.limit == 4
