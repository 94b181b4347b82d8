"""Takes the pictures of docs/how-to/page.md anew:  python -m tests.page."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

from tests.engine.house import House
from tests.page.browser import browsing, shop

FOLDER = Path(__file__).parents[2] / "docs/page"
SHOWN = ("mappings-light", "mapping-dark", "order-light", "failures-dark")
SECONDS = 75.0
"""Until the curves have something to show."""


async def pictures() -> None:
    FOLDER.mkdir(exist_ok=True)
    async with shop() as (house, address):
        working = asyncio.ensure_future(_work(house))
        await asyncio.sleep(SECONDS)
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
                await page.goto(f"{address}/failures")
                await take("failures")
        working.cancel()


async def _take(page: Any, scheme: str, name: str) -> None:
    if f"{name}-{scheme}" in SHOWN:
        await page.get_by_text("live", exact=True).wait_for()
        await page.screenshot(path=FOLDER / f"{name}-{scheme}.png")


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
