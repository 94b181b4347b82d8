"""Healthy and ready, as an orchestrator asks, while things outside of us go wrong for long."""

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest

from poller.daemon.api import health
from poller.daemon.api.shown_reasons import mapping_reason
from poller.ports.status import MappingState
from poller.values.errors import ServiceError
from tests.engine.house import House, living
from tests.fakes.faults import LOST_AFTER, NOT_SENT
from tests.fakes.lambda_service import function_error
from tests.fakes.queue import loop_time
from tests.present import present

HOUR = 3600


@asynccontextmanager
async def watched(*mappings, house):
    """With the daemon's own watch of itself; what an orchestrator finds wrong that asks every five seconds."""
    found = []

    async def judge():
        while True:
            found.extend(health.problems(house.status, loop_time()))
            await asyncio.sleep(5)

    async with living(*mappings, house=house):
        tasks = [asyncio.create_task(work) for work in (health.watch(house.status), judge())]
        try:
            yield found
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


OUTAGES = {
    "it cannot be reached": lambda house: house.aws.faults.always("Invoke", NOT_SENT),
    "answers are lost": lambda house: house.aws.faults.always("Invoke", LOST_AFTER),
    "it is throttled": lambda house: setattr(house.aws.functions["fn"], "concurrency", 0),
    "it fails": lambda house: setattr(house.aws.functions["fn"], "handler", lambda _: function_error()),
    "it may not be invoked": lambda house: house.aws.faults.always(
        "Invoke", ServiceError(403, "AccessDeniedException", "not yours")
    ),
}


OFTEN = ("it cannot be reached", "it is throttled", "it fails")


@pytest.mark.parametrize(
    "outage", [outage if outage in OFTEN else pytest.param(outage, marks=pytest.mark.slow) for outage in OUTAGES]
)
async def test_an_hours_outage_of_the_function_is_told_and_never_makes_us_unhealthy(outage):
    house = House()
    stream = house.aws.stream("s")
    a, b = house.mapping("a"), house.mapping("b", stream=stream, starting_position="TRIM_HORIZON")
    async with watched(a, b, house=house) as unhealthy:
        OUTAGES[outage](house)
        for number in range(50):
            house.queue("a").send(str(number))
            stream.put("key", str(number))
        for _ in range(60):
            await asyncio.sleep(HOUR / 60)
            # a queue has its messages back meanwhile, and hides them
            assert present(mapping_reason(house.of("b"), loop_time())).code not in ("no_data", "starting")
        assert unhealthy == []
        assert health.is_ready(house.status, loop_time())
        house.aws.faults.clear()
        house.aws.functions["fn"].handler = lambda _: None
        house.aws.functions["fn"].concurrency = None
        await asyncio.sleep(HOUR / 6)
        assert (house.queue("a").messages, house.aws.streams.ledger.lost()) == ({}, set())
        assert unhealthy == []


async def test_a_lane_that_hangs_in_its_step_makes_us_unhealthy_and_is_named():
    """As it would by a bug of ours: the function's timeout passes, and nothing comes back."""
    house = House()
    never = asyncio.get_running_loop().create_future()
    async with watched(house.mapping("a", function_timeout_seconds=30), house=house) as unhealthy:

        async def hanging(call, operation, body, timeout=None, **more):  # noqa: ASYNC109
            return await (never if operation.name == "Invoke" else call(operation, body, timeout, **more))

        house.aws.intercept(hanging)
        house.queue("a").send("1")
        await asyncio.sleep(59)
        assert unhealthy == []
        await asyncio.sleep(60)
        assert "mapping a, partition a, lane 0: invoking is" in unhealthy[0]
        never.set_result(None)
        house.aws.intercept(None)
        house.status.died.clear()
        await asyncio.sleep(60)


@pytest.mark.parametrize("state", ["missing", "hanging"])
async def test_one_source_that_cannot_be_reached_does_not_keep_the_others_from_being_ready(state):
    house = House()
    a, b = house.mapping("a"), house.mapping("mistyped")
    if state == "missing":
        house.aws.delete_queue("mistyped")
    else:

        async def hanging(call, operation, body, timeout=None, **more):  # noqa: ASYNC109
            if b"mistyped" in body:
                await asyncio.sleep(600)
            return await call(operation, body, timeout, **more)

        house.aws.intercept(hanging)
    async with watched(a, b, house=house) as unhealthy:
        async with asyncio.timeout_at(house.status.started + health.READY_WITHIN + 0.5):
            while not health.is_ready(house.status, loop_time()):  # noqa: ASYNC110 - virtual time
                await asyncio.sleep(0.1)
        assert house.of("a").state is MappingState.RUNNING
        if state == "missing":
            assert loop_time() < 3
            assert house.of("mistyped").reason.code == "source_missing"
        assert unhealthy == []
