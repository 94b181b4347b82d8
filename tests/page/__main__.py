"""Takes the pictures of docs/how-to/page.md anew:  python -m tests.page."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

from poller.policy.actions import Asked, Redrive
from tests.engine.house import House
from tests.page.browser import browsing, shop

FOLDER = Path(__file__).parents[2] / "docs/page"
SHOWN = ("mappings-light", "mapping-dark", "order-light", "records-light", "redrives-dark", "failures-dark")
SECONDS = 75.0
"""Until the curves have something to show."""


async def pictures() -> None:
    FOLDER.mkdir(exist_ok=True)
    async with shop() as (house, address):
        working = asyncio.ensure_future(_work(house))
        await asyncio.sleep(SECONDS)
        await _redrive(house)
        for scheme in ("light", "dark"):
            async with browsing(color_scheme=scheme) as context:
                page = await context.new_page()

                take = partial(_take, page, scheme)
                await page.goto(address)
                await take("mappings")
                await page.get_by_role("link", name="clicks").click()
                await take("mapping")
                await page.get_by_role("button", name="Skip to its destination").click()
                await page.locator("#impact li").wait_for()
                await take("order")
                await page.keyboard.press("Escape")
                await page.get_by_role("button", name="Look at what is next").first.click()
                await page.get_by_role("button", name="Copy as event").first.wait_for()
                await take("records")
                await page.keyboard.press("Escape")
                await page.get_by_text("Deliver once more", exact=True).click()
                await page.locator("#redrives").evaluate("list => list.scrollIntoView({block: 'end'})")
                await take("redrives")
                await page.goto(f"{address}/failures")
                await take("failures")
        working.cancel()


async def _take(page: Any, scheme: str, name: str) -> None:
    if f"{name}-{scheme}" in SHOWN:
        await page.get_by_text("live", exact=True).wait_for()
        # with the first message comes the daemon's clock
        await asyncio.sleep(2.0)
        await page.screenshot(path=FOLDER / f"{name}-{scheme}.png")


async def _redrive(house: House) -> None:
    """One redrive has stopped at the record that fails again, and one of the other shard runs."""
    by = Asked("ann", "page", "customer 4711 is there now")
    await house.steering.act("clicks", Redrive(begin=0.0, rate=100.0), by, dry_run=False)
    shards = [one.id for one in house.of("clicks").partitions if not any(lane.held for lane in one.lanes)]
    for number in range(40):
        house.aws.streams.streams["clicks"].put(f"key {number}", f"click {number}")
    await house.steering.act("clicks", Redrive(partition=shards[0], begin=0.0, rate=0.3, batch=1), by, dry_run=False)


async def _work(house: House) -> None:
    """Orders come in, more of them each minute."""
    number = 0
    while True:
        number += 1
        for part in range(1 + (number // 4) % 7):
            house.queue("orders").send(f"order {number}-{part}")
        await asyncio.sleep(0.5)


if __name__ == "__main__":
    asyncio.run(pictures())
