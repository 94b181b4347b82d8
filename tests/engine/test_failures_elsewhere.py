"""What functions failed of anywhere in a fleet is told by each of its members."""

import asyncio
from typing import Any

from poller.daemon.api.failures import failures_json
from poller.engine.failures_elsewhere import ANSWER_SECONDS, GOOD_SECONDS
from poller.engine.fleet.requests import unknown
from poller.policy.failures import Failure
from tests.engine.house import House
from tests.engine.test_fleet_orders import Fleet
from tests.fakes.queue import loop_time

SHARDS = 6


async def asked(house: House, *, waits: bool = True) -> Any:
    others = await house.steering.failures_elsewhere(waits=waits)
    return failures_json(house.status.mappings, None, [], loop_time(), house.wall(), others=others)


def failed(house: House, text: str, times: int = 1) -> None:
    """Its function has failed so often."""
    for _ in range(times):
        house.of("a").failures.add(Failure("KeyError", text, 2, 1, "100"), "shard-0", loop_time())


def of_a(told: Any) -> list[Any]:
    return [(one["template"], one["count"], one["members"]) for one in told["mappings"][0]["groups"]]


async def test_every_member_tells_what_failed_on_all_of_them_and_where():
    fleet = Fleet(SHARDS)
    async with fleet.live():
        one, two, three = fleet.houses
        failed(one, "order 1", 2)
        failed(two, "order 2", 3)
        failed(three, "no money")
        begun = loop_time()
        for number, house in enumerate(fleet.houses):
            told = await asked(house)
            ((_, count, members), money) = sorted(of_a(told), key=lambda one: one[1], reverse=True)
            assert (count, sorted(members), money[2]) == (5, ["m0", "m1"], ["m2"])
            assert (told["silent"], told["more"], told["asking"]) == ([], [], False)
            group = next(group for group in told["mappings"][0]["groups"] if group["count"] == 5)
            assert (group["records"], group["last"]["partition"]) == (5, "shard-0"), number
        assert loop_time() - begun <= len(fleet.houses) * ANSWER_SECONDS
        await asyncio.sleep(10)
        # nothing stands in the rows any more
        assert not [row for row in fleet.rows.members.values() if {"requests", "answers"} & row.facts.keys()]


async def test_a_member_that_cannot_answer_is_named():
    fleet = Fleet(SHARDS)
    async with fleet.live():
        failed(fleet.houses[1], "no money")
        fleet.stores[2].away = True
        told = await asked(fleet.houses[0])
        assert (of_a(told), told["silent"]) == ([("no money", 1, ["m1"])], ["m2"])
        fleet.stores[2].away, fleet.stores[0].away = False, True
        failed(fleet.houses[0], "here")
        told = await asked(fleet.houses[0])
        assert (of_a(told), told["silent"]) == ([("here", 1, ["m0"])], ["m1", "m2"])


async def test_whatever_another_version_answers_is_no_answer():
    fleet = Fleet(SHARDS)
    async with fleet.live():
        requests: Any = fleet.houses[1].neighbours.requests
        requests.carry_out = unknown
        assert (await asked(fleet.houses[0]))["silent"] == ["m1"]


async def test_a_screen_has_the_others_asked_beside_it_now_and_then():
    fleet = Fleet(SHARDS)
    async with fleet.live():
        house = fleet.houses[0]
        failed(fleet.houses[1], "no money")
        assert (await asked(house, waits=False))["asking"]
        requests: Any = fleet.houses[1].neighbours.requests
        carry_out, times = requests.carry_out, []

        def counted(*given: Any) -> Any:
            times.append(loop_time())
            return carry_out(*given)

        requests.carry_out = counted
        for _ in range(round(3 * GOOD_SECONDS)):
            told = await asked(house, waits=False)
            await asyncio.sleep(1)
        assert of_a(told) == [("no money", 1, ["m1"])]
        assert len(times) == 3


async def test_several_who_ask_at_once_ask_the_others_once():
    fleet = Fleet(SHARDS)
    async with fleet.live():
        failed(fleet.houses[1], "no money")
        told = await asyncio.gather(*(asked(fleet.houses[0]) for _ in range(20)))
        assert [len(of_a(one)) for one in told] == [1] * 20


async def test_a_daemon_by_itself_asks_nobody():
    house = House()
    async with asyncio.timeout(1):
        await house.open()
        found = await house.steering.failures_elsewhere(waits=True)
        assert (found.member, found.told, found.asking) == (None, (), False)
        await house.close()
