"""A real browser, and a daemon's page on the fake AWS for it to look at."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from poller.configuration import ApiSettings
from poller.daemon.api.server import serve
from tests.daemon.samples import Reloading
from tests.engine.house import House
from tests.fakes.lambda_service import function_error

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
BROWSER_MISSING = "needs Chromium: apt-get install chromium, or name it in CHROMIUM"
WAIT = 60_000
"""Milliseconds in which what is waited for has to be there; far above what it takes."""

in_a_browser = [pytest.mark.real_time, pytest.mark.skipif(CHROMIUM is None, reason=BROWSER_MISSING)]


@asynccontextmanager
async def browsing(**context: Any) -> AsyncIterator[Any]:
    """A fresh profile of the browser; `context` as Playwright takes it."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            opened = await browser.new_context(viewport={"width": 1280, "height": 800}, **context)
            opened.set_default_timeout(WAIT)
            yield opened
        finally:
            await browser.close()


async def waits_long(house: Any) -> None:
    """The batch that fails is not tried again for a while, so that an order meets it at rest."""
    time = asyncio.get_running_loop().time
    while not any(  # noqa: ASYNC110 - nobody tells
        lane.held is not None and lane.next_try is not None and lane.next_try - time() > 5
        for partition in house.of("clicks").partitions
        for lane in partition.lanes
    ):
        await asyncio.sleep(0.1)


async def watched(context: Any) -> tuple[Any, list[str]]:
    """A tab, and what goes wrong in it."""
    page, problems = await context.new_page(), []
    page.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    return page, problems


def poisoned(event: Any) -> Any:
    """The function fails what has the key `poison`."""
    keys = [record.get("kinesis", {}).get("partitionKey") for record in event["Records"]]
    if "poison" in keys:
        return function_error("KeyError", "order 4711 has no customer")
    return None


@asynccontextmanager
async def shop(*, keys: tuple[str, ...] = (), **settings: Any) -> AsyncIterator[tuple[House, str]]:
    """A queue that is worked off, and a stream whose first record fails; and the address of their page.
    With `keys` that record is in one batch with others of these keys.
    """
    house = House()
    stream = house.aws.stream("clicks", 1 if keys else 2)
    orders = house.mapping("orders", queue="orders", function="ship-orders", receive_wait_seconds=1)
    clicks = house.mapping(
        "clicks",
        stream=stream,
        function="count-clicks",
        batch_size=1 + len(keys),
        starting_position="TRIM_HORIZON",
        on_failure_destination=house.queue("failed").arn,
    )
    await house.open()
    house.mappings.apply([orders, clicks])
    house.declare(orders)
    house.aws.functions["count-clicks"].handler = poisoned
    for number in range(1 if keys else 5):
        stream.put("poison" if number == 0 else f"key {number}", str(number))
        house.queue("orders").send(f"order {number}")
    for key in keys:
        stream.put(key, key)
    house.start()
    api = ApiSettings(listen="127.0.0.1:0", **settings)
    try:
        async with serve(house.status, api, house.steering, Reloading(), wall=house.wall) as address:
            yield house, address
    finally:
        hard = asyncio.Event()
        hard.set()
        await house.stop(hard)
        await house.close()
