"""Services whose clocks are wrong: nothing is given up for an age it does not have."""

import asyncio
from dataclasses import replace
from email.utils import formatdate, parsedate_to_datetime

import pytest

from tests.fakes.lambda_service import function_error
from tests.journeys.streams.test_fan_out import FanOutWorld
from tests.journeys.streams.world import DAY, StreamLife, StreamWorld

WORLDS = {"kinesis": StreamWorld, "fan_out": FanOutWorld, "dynamodb": lambda: StreamWorld(table=True)}
EVERY_WAY = pytest.mark.parametrize("way", WORLDS)


def dated(world, ahead):
    """The account's answers are dated so many seconds ahead of the clock by which records arrive."""
    call, subscribe = world.aws.call, world.aws.subscribe

    async def dating(operation, body, timeout=None, **rest):  # noqa: ASYNC109
        reply = await call(operation, body, timeout, **rest)
        if "date" not in reply.headers:
            return reply
        date = parsedate_to_datetime(reply.headers["date"]).timestamp() + ahead
        return replace(reply, headers=reply.headers | {"date": formatdate(date, usegmt=True)})

    async def subscribing(operation, body):
        events = await subscribe(operation, body)
        events.date += ahead
        return events

    world.aws.call, world.aws.subscribe = dating, subscribing


@EVERY_WAY
@pytest.mark.parametrize("ahead", [7200.0, 400 * DAY], ids=["two hours", "a year"])
async def test_fresh_records_are_dropped_untried_as_too_old_where_the_service_dates_its_answers_ahead(way, ahead):
    world = WORLDS[way]()
    dated(world, ahead)
    world.put("a", 0)
    life = StreamLife(world, world.mapping(maximum_record_age_in_seconds=3600, destination=True))
    for number in range(1, 20):
        world.put(f"k{number}", number)
        await asyncio.sleep(7 * number)
    await world.until_done(within=60)
    await life.end()
    world.check()
    assert life.account.delivered == 20
    assert all(entry.succeeded for entry in world.ledger.entries.values())


@EVERY_WAY
async def test_a_record_that_fails_is_given_up_when_it_is_too_old_though_the_dates_are_ahead(way):
    world = WORLDS[way]()
    dated(world, 7200.0)
    world.function.handler = lambda _: function_error()
    life = StreamLife(world, world.mapping(maximum_record_age_in_seconds=600, destination=True))
    await asyncio.sleep(100)
    poison = world.put("a", 0)
    await asyncio.sleep(590)
    assert not life.account.destination
    assert len(world.ledger[poison].invoked) > 5
    await asyncio.sleep(120)
    assert life.account.destination == 1
    await life.end()
    world.check()


async def test_a_backlog_that_is_too_old_is_given_up_untried_where_the_dates_are_right():
    world = StreamWorld()
    for number in range(10):
        world.put("k", number)
    await asyncio.sleep(7200)
    for number in range(10, 3010):
        world.put("k", number)
    life = StreamLife(world, world.mapping(maximum_record_age_in_seconds=3600, destination=True))
    await world.until_done(within=600)
    await life.end()
    world.check()
    assert (life.account.destination, life.account.delivered) == (10, 3000)
