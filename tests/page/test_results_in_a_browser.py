"""What the page says after an order: where it can be seen and covers nothing, with the way back, until it is put away."""

from typing import Any

import pytest

from tests.page.browser import browsing, in_a_browser, shop, watched

pytestmark = [*in_a_browser, pytest.mark.heavy]

COVERED = """() => {
    const line = document.getElementById("done").getBoundingClientRect();
    return [...document.querySelectorAll("main :is(a, button, input, select, summary), header a")]
        .filter(one => !one.closest("#done") && one.checkVisibility())
        .filter(one => [one.getBoundingClientRect()].some(box => box.width && box.bottom > line.top
            && box.top < line.bottom && box.right > line.left && box.left < line.right))
        .map(one => one.textContent);
}"""


async def covered(page: Any) -> list[str]:
    """The controls over which the line with the result lies."""
    found: list[str] = await page.evaluate(COVERED)
    return found


async def test_the_way_back_from_a_seek_is_offered_with_its_result_which_can_be_put_away() -> None:
    async with shop() as (house, address), browsing() as context:
        page, problems = await watched(context)
        await page.clock.install()
        house.aws.functions["count-clicks"].handler = lambda _: None
        await page.goto(f"{address}/mappings/clicks")
        await page.locator("#batches:empty").wait_for(state="attached")
        await page.get_by_text("Move the position").click()
        done = page.locator("#done")

        async def seek() -> None:
            await page.get_by_role("button", name="Seek", exact=True).click()
            await page.get_by_text("That is back").wait_for()
            await page.locator("#confirm").click()
            await done.get_by_role("button", name="Undo this seek").wait_for()

        await seek()
        assert await covered(page) == []
        await page.keyboard.press("Escape")
        assert await done.is_hidden()
        await seek()
        await done.get_by_role("button", name="Dismiss").click()
        assert await done.is_hidden()
        await page.get_by_role("button", name="Undo the last seek").wait_for()
        await page.reload()
        await page.get_by_role("button", name="Undo the last seek").wait_for()
        await seek()
        await done.get_by_role("button", name="Undo this seek").click()
        await page.locator("#impact").get_by_text("from where the last seek left off").wait_for()
        await page.locator("#confirm").click()
        await done.get_by_text("Undo this seek: done").wait_for()
        await page.mouse.move(0, 0)
        await page.clock.run_for(60_000)
        assert await done.is_hidden()
        assert ([one.what for one in await house.steering.actions()], problems) == (["undo", *["seek"] * 3], [])


async def test_a_look_by_sequence_number_asks_for_the_shard_before_anything_is_sent() -> None:
    async with shop() as (house, address), browsing() as context:
        page, problems = await watched(context)
        await page.goto(f"{address}/mappings/clicks")
        await page.get_by_text("Look at records", exact=True).click()
        form = page.locator("#peek")
        await form.get_by_label("From").select_option("a sequence number")
        await form.get_by_label("Instant or number").fill("4711")
        await form.get_by_role("button", name="Look").click()
        shard = form.get_by_label("Shard")
        text = await shard.evaluate("field => field.validationMessage")
        assert text == "A sequence number is a place in one shard: say in which."
        assert (await page.locator("#dialog").is_hidden(), await house.steering.actions(), problems) == (True, [], [])
        await shard.fill("shardId-000000000000")
        assert await form.evaluate("form => form.checkValidity()")
