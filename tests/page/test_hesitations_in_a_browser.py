"""What kept a person waiting who knew nothing but the page: it acts at once where nothing is at stake, and is plain."""

import re
from typing import Any

import pytest

from tests.page.browser import browsing, in_a_browser, shop, waits_long, watched

pytestmark = [*in_a_browser, pytest.mark.heavy]

AN_HOUR_BEHIND = "const now = Date.now; Date.now = () => now() - 3_600_000;"


async def test_a_look_needs_no_confirmation_and_says_what_it_did_beside_what_it_shows() -> None:
    async with shop() as (house, address), browsing() as context:
        page, problems = await watched(context)
        await page.goto(f"{address}/mappings/orders")
        await page.locator("#orders").get_by_text("It counts as a receive of each message").wait_for()
        await page.get_by_role("button", name="Look at messages").click()
        await page.locator("#impact").get_by_text("are received and given back at once").wait_for()
        found = page.locator("#impact li").first
        assert re.match(r"\d+ messages? shown; orders holds about \d+ message", await found.inner_text())
        assert await found.evaluate("found => found === document.activeElement"), "it is said aloud"
        assert await page.locator("#confirm").is_hidden()
        assert await page.get_by_label("Why").is_hidden()
        await page.get_by_role("button", name="Close").click()
        assert [one.what for one in await house.steering.actions()] == ["peek"]
        await page.get_by_role("button", name="Look at dead letters").click()
        await page.get_by_text("Not shown: the queue has no dead-letter queue").wait_for()
        problems.clear()
        # another order after a look is asked about again
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Pause").click()
        await page.locator("#impact").get_by_text("nothing is received until it is resumed").wait_for()
        assert await page.locator("#confirm").is_visible()
        assert (house.of("orders").state.value, problems) == ("running", [])


async def test_a_sequence_number_is_short_and_is_copied_whole() -> None:
    async with shop() as (house, address), browsing() as context:
        await context.grant_permissions(["clipboard-read", "clipboard-write"])
        page, problems = await watched(context)
        await page.goto(f"{address}/mappings/clicks")
        await waits_long(house)
        whole = next(
            lane.held.first for shard in house.of("clicks").partitions for lane in shard.lanes if lane.held is not None
        )
        short = f"{whole[:4]}…{whole[-4:]}"
        number = page.locator("#batches").get_by_role("button", name=f"{short}, copy the whole")
        assert whole not in await page.locator("main").inner_text()
        assert await number.get_attribute("title") == whole
        await number.click()
        await page.locator("#said").get_by_text("Copied").wait_for(state="attached")
        assert await page.evaluate("navigator.clipboard.readText()") == whole
        await page.get_by_role("button", name="Skip to its destination").click()
        impact = page.locator("#impact li")
        await impact.wait_for()
        assert (short in await impact.inner_text(), whole in await impact.inner_text()) == (True, False)
        assert problems == []


@pytest.mark.parametrize("path", ["/actions", "/failures"])
async def test_times_are_right_at_once_where_the_browser_has_another_clock(path: str) -> None:
    async with shop() as (house, address), browsing() as context:
        page = await context.new_page()
        await page.goto(f"{address}/mappings/orders")
        await page.get_by_role("button", name="Pause").click()
        await page.locator("#confirm").click()
        await page.locator("#done").get_by_text("Pause: done").wait_for()
        await waits_long(house)
        late: Any = await context.new_page()
        await late.add_init_script(AN_HOUR_BEHIND)
        # no message comes that could correct it
        await late.route("**/page/live/**", lambda route: route.abort())
        await late.goto(address + path)
        await late.get_by_text(re.compile(r"\d+ s ago")).first.wait_for()
        assert await late.get_by_text(re.compile(r"h ago|min ago")).count() == 0


async def test_the_overview_says_that_a_shard_is_stuck_and_since_when() -> None:
    async with shop() as (_, address), browsing() as context:
        page, problems = await watched(context)
        await page.goto(address)
        row = page.locator("tr[data-name=clicks]")
        await row.get_by_text(re.compile(r"stuck: 1 of 2 shards, for \d+ s")).wait_for()
        assert await page.locator("tr[data-name=orders]").get_by_text("stuck").count() == 0
        assert problems == []


async def test_an_instant_that_is_typed_is_meant_whatever_the_choice_beside_it_says() -> None:
    async with shop() as (_house, address), browsing() as context:
        page, problems = await watched(context)
        await page.goto(f"{address}/mappings/clicks")
        await page.get_by_text("Move the position", exact=True).click()
        seek = page.locator("#seek")
        await seek.get_by_label("Instant or number").fill("10 min ago")
        assert await seek.get_by_label("Read on from").input_value() == "timestamp"
        await seek.get_by_role("button", name="Seek").click()
        await page.locator("#impact").get_by_text(re.compile(r"read from \d{4}-")).wait_for()
        assert problems == []


async def test_the_focus_goes_back_to_what_was_pressed_although_it_was_drawn_anew_meanwhile() -> None:
    async with shop() as (house, address), browsing() as context:
        page, problems = await watched(context)
        await page.goto(f"{address}/mappings/clicks")
        await waits_long(house)
        await page.get_by_role("button", name="Skip to its destination").press("Enter")
        await page.locator("#impact li").wait_for()
        await page.evaluate(
            "for (const one of document.querySelectorAll('#batches > *')) one.replaceWith(one.cloneNode(true))"
        )
        await page.keyboard.press("Escape")
        await page.wait_for_function("document.activeElement.textContent === 'Skip to its destination'")
        assert problems == []
