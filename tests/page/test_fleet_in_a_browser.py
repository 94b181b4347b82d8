"""A batch that waits on one member of a fleet, on the page of another one: it is shown, and freed by a button there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from poller.configuration import ApiSettings
from poller.daemon.api.server import serve
from poller.state.memory.fleet import MemoryFleet, Rows
from tests.daemon.samples import Reloading
from tests.engine.house import House
from tests.fakes.aws import FakeAws
from tests.page.browser import browsing, in_a_browser, poisoned, watched

pytestmark = [*in_a_browser, pytest.mark.heavy]


@asynccontextmanager
async def two() -> AsyncIterator[tuple[House, House]]:
    """The member that reads a shard whose first record fails, and the other one."""
    rows, aws = Rows(), FakeAws()
    stream = aws.stream("clicks", 1)
    houses = [House(aws=aws, fleet=MemoryFleet(rows)) for _ in range(2)]
    try:
        for house in houses:
            mapping = house.mapping(
                "clicks",
                stream=stream,
                starting_position="TRIM_HORIZON",
                on_failure_destination=house.queue("failed").arn,
            )
            await house.open()
            house.mappings.apply([mapping])
            house.start()
        aws.functions["fn"].handler = poisoned
        stream.put("poison", "1")
        while not (reading := [house for house in houses if house.of("clicks").in_flight()]):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.1)
        [other] = [house for house in houses if house not in reading]
        yield reading[0], other
    finally:
        hard = asyncio.Event()
        hard.set()
        for house in houses:
            await house.stop(hard)
            await house.close()


async def test_what_failed_elsewhere_comes_to_the_screen_of_failures() -> None:
    async with two() as (_, other), browsing() as context:
        api = ApiSettings(listen="127.0.0.1:0")
        async with serve(other.status, api, other.steering, Reloading(), wall=other.wall) as address:
            page, problems = await watched(context)
            await page.goto(f"{address}/failures")
            await page.locator("#causes").get_by_text("(fn) on ").wait_for()
            await page.locator("#members p").wait_for(state="detached")
            assert ([*other.of("clicks").failures.newest_first()], problems) == ([], [])


async def test_a_batch_elsewhere_is_shown_and_skipped_by_the_button() -> None:
    async with two() as (holder, other), browsing() as context:
        api = ApiSettings(listen="127.0.0.1:0")
        async with serve(other.status, api, other.steering, Reloading(), wall=other.wall) as address:
            page, problems = await watched(context)
            await page.goto(address)
            await page.get_by_text("stuck").wait_for()
            own = other.status.fleet
            assert own is not None
            [there] = [one.name for one in own.members if one.id != own.id]
            assert await page.locator("#daemon").inner_text() == f"{own.member} of fleet {own.name}, with {there}"
            await page.get_by_role("link", name="clicks").click()
            await page.locator("#batches").get_by_text("lane 0 on ").wait_for()
            await page.locator("#batches").get_by_role("button", name="Skip to its destination").click()
            await page.locator("#impact").get_by_text("Given up: 1 record").wait_for()
            await page.locator("#confirm").click()
            await page.locator("#batches li").wait_for(state="detached")
            assert (holder.of("clicks").account.destination, problems) == (1, [])
