"""What a member of another version may write into its row as requests and answers: it is refused, and nothing suffers."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from poller.policy.actions import Seek, Skip
from poller.policy.seeking import Target
from poller.ports.fleet import MemberRow, MemberState
from poller.support import codec
from poller.values.errors import NotPossible
from tests.engine.test_fleet_orders import Fleet, order, stuck

STRANGE: list[Any] = [
    7,
    [],
    {"a": 7},
    {"a": {"of": 7}},
    {"a": {"of": None}},
    {"a": {"of": None, "hold": 7}},
    {"a": {"of": None, "order": None}},
    {"a": {"of": None, "order": {"order": "skip"}}},
    {"a": {"of": [7, None], "hold": "uuid of a"}},
]


def a_stranger(fleet: Fleet, **facts: Any) -> None:
    fleet.rows.members["stranger"] = MemberRow("stranger", 1, MemberState.ACTIVE, 0, {"name": "stranger", **facts})


async def beats(fleet: Fleet, seconds: int) -> None:
    """The stranger stays alive for so long."""
    for _ in range(seconds):
        row = fleet.rows.members["stranger"]
        fleet.rows.members["stranger"] = replace(row, beat=row.beat + 1)
        await asyncio.sleep(1)


@pytest.mark.parametrize("requests", STRANGE)
async def test_a_strange_request_is_refused_and_delivery_goes_on(requests):
    fleet = Fleet(4, daemons=2)
    async with fleet.live():
        a_stranger(fleet, requests=requests)
        await beats(fleet, 10)
        numbers = fleet.put(range(8))
        await beats(fleet, 10)
        assert sorted(fleet.delivered()) == sorted(numbers)
        assert {house.of("a").state.value for house in fleet.houses} == {"running"}
        answers = [row.facts.get("answers", {}) for row in fleet.rows.members.values() if row.id != "stranger"]
        assert all("refused" in answer for answer in answers for answer in answer.values())


async def test_a_request_of_a_member_that_dies_holds_nothing():
    fleet = Fleet(4, daemons=2)
    async with fleet.live():
        a_stranger(fleet, requests={"a": {"of": None, "hold": "uuid of a"}})
        await beats(fleet, 10)
        assert {house.of("a").state.value for house in fleet.houses} == {"stopping"}
        numbers = fleet.put(range(8))
        await asyncio.sleep(60)
        assert fleet.rows.members["stranger"].state is MemberState.DEAD
        assert sorted(fleet.delivered()) == sorted(numbers)


def answered(fleet: Fleet) -> list[dict[str, Any]]:
    """The answers in the row of each member."""
    return [dict(row.facts.get("answers", {})) for row in fleet.rows.members.values() if row.id != "stranger"]


async def test_what_is_answered_at_once_is_bounded_and_the_rest_is_answered_once_there_is_room():
    fleet = Fleet(4, daemons=2)
    text = "x" * 600
    asked = {f"{number}": {"of": None, "order": {"order": text}} for number in range(200)}
    async with fleet.live():
        a_stranger(fleet, requests=asked | {"last": {"of": None, "hold": "uuid of a"}})
        await beats(fleet, 10)
        before = answered(fleet)
        assert all(len(codec.dumps(answers)) < 110_000 for answers in before)
        row = fleet.rows.members["stranger"]
        left = {key: about for key, about in row.facts["requests"].items() if key not in before[0]}
        assert left, "not all could be answered"
        fleet.rows.members["stranger"] = replace(row, facts={"name": "stranger", "requests": left})
        await beats(fleet, 10)
        assert all(answers.keys() >= left.keys() for answers in answered(fleet))


async def test_a_member_asks_no_more_at_once_than_its_row_has_room_for():
    async with stuck() as fleet:
        asking = fleet.others()[0]
        outcomes = await asyncio.gather(
            *(order(asking, Skip(), dry_run=True) for _ in range(30)), return_exceptions=True
        )
        refused = [one for one in outcomes if isinstance(one, NotPossible)]
        assert len(refused) == 20
        assert "10 orders of this daemon wait for other daemons: try again in a moment" in str(refused[0])
        assert (await order(asking, Skip(), dry_run=True)).batch is not None


@pytest.mark.parametrize("answer", [None, 7, [], {}, {"refused": "I will not", "held": None}])
async def test_an_answer_that_is_not_that_it_rests_stops_a_seek(answer):
    fleet = Fleet(4, daemons=1)
    async with fleet.live():
        (house,) = fleet.houses
        a_stranger(fleet)

        (own,) = fleet.rows.members.keys() - {"stranger"}

        async def answering() -> None:
            while True:
                keys = [*fleet.rows.members[own].facts.get("requests", {})]
                row = fleet.rows.members["stranger"]
                facts = {"name": "stranger", "answers": dict.fromkeys(keys, answer)}
                fleet.rows.members["stranger"] = replace(row, beat=row.beat + 1, facts=facts)
                await asyncio.sleep(1)

        stranger = asyncio.get_running_loop().create_task(answering())
        await asyncio.sleep(5)
        seek = order(house, Seek(Target("TRIM_HORIZON")))
        with pytest.raises(
            NotPossible, match=r"stranger does not let the mapping rest: (I will not|its answer is not)"
        ):
            await seek
        stranger.cancel()
