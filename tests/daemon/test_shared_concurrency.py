"""A mapping's maximum_concurrency holds for all daemons of a fleet together, while they come and go."""

import asyncio
from contextlib import AsyncExitStack

from poller.ports.status import ReasonCode
from poller.state.memory.fleet import MemoryFleet, Rows
from tests.daemon.mapping_world import FUNCTION, an_account, mapping_world
from tests.fakes.queue import loop_time

LIMIT = 4
SETTLED_SECONDS = 30.0


def mapping(account, limit=LIMIT):
    return {
        "name": "orders",
        "event_source_arn": account.queues["orders"].arn,
        "function_name": FUNCTION,
        "batch_size": 1,
        "scaling_config": {"maximum_concurrency": limit},
    }


async def test_daemons_that_come_and_go_never_run_more_than_the_limit_together(tmp_path):
    rows, aws = Rows(), an_account()
    function, queue = aws.functions[FUNCTION], aws.queues["orders"]
    function.delay = 2.0
    for number in range(600):
        queue.send(str(number))

    async def daemon(stack, name):
        place = tmp_path / name
        place.mkdir()
        world = mapping_world(place, aws=aws, fleet=MemoryFleet(rows), event_source_mappings=[mapping(aws)])
        return await stack.enter_async_context(world)

    async with AsyncExitStack() as first:
        await daemon(first, "one")
        await asyncio.sleep(SETTLED_SECONDS)
        assert function.invocations.running == LIMIT
        async with AsyncExitStack() as others:
            await daemon(others, "two")
            await asyncio.sleep(1.0)
            await daemon(others, "three")
            await asyncio.sleep(SETTLED_SECONDS)
            assert function.invocations.running == LIMIT
        await asyncio.sleep(SETTLED_SECONDS)
        assert function.invocations.running == LIMIT
    assert function.invocations.peak == LIMIT


async def test_a_daemon_without_a_part_receives_nothing_and_says_why(tmp_path):
    rows, aws = Rows(), an_account()
    async with AsyncExitStack() as stack:
        worlds = []
        for name in ("one", "two", "three"):
            (tmp_path / name).mkdir()
            world = mapping_world(
                tmp_path / name, aws=aws, fleet=MemoryFleet(rows), event_source_mappings=[mapping(aws, limit=2)]
            )
            worlds.append(await stack.enter_async_context(world))
        await asyncio.sleep(SETTLED_SECONDS)
        statuses = [world.running.mappings.find("orders").status for world in worlds]
        for status in statuses:
            status.sample(loop_time())
        [without] = [status.reason for status in statuses if status.reason is not None]
        assert without.code is ReasonCode.WAITING_FOR_SLOT
        assert "other daemons of the fleet" in without.text
