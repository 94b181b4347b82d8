"""Batches that are handed over, records that are looked at, and redrives, from the page in a real browser."""

import asyncio
import json
from typing import Any

import pytest

from tests.page.browser import browsing, in_a_browser, poisoned, shop, waits_long, watched

pytestmark = [*in_a_browser, pytest.mark.heavy]


async def confirmed(page: Any, said: str) -> None:
    """The preview says so, and the order is given."""
    await page.locator("#impact").get_by_text(said).first.wait_for()
    await page.locator("#confirm").click()


async def skipped(house: Any, page: Any, address: str) -> None:
    """The batch that fails is in the destination, and nothing fails from now on."""
    await page.goto(f"{address}/mappings/clicks")
    await waits_long(house)
    await page.get_by_role("button", name="Skip to its destination").click()
    await confirmed(page, "gets an invocation record of it")
    await page.locator("#batches:empty").wait_for(state="attached")
    house.aws.functions["count-clicks"].handler = lambda _: None


async def test_a_batch_is_handed_over_to_the_function_that_is_chosen() -> None:
    async with shop() as (house, address), browsing() as context:
        page, problems = await watched(context)
        await page.goto(f"{address}/mappings/clicks")
        await waits_long(house)
        await page.get_by_role("button", name="Hand over once").click()
        assert await page.locator("#confirm").is_disabled(), "there is nothing to be done yet"
        await page.get_by_label("Function").select_option("ship-orders")
        await page.get_by_label("Why").fill("the old code")
        await confirmed(page, "ship-orders is invoked at once")
        await page.locator("#batches:empty").wait_for(state="attached")
        await page.locator(".state.running").wait_for()
        while house.of("clicks").account.delivered < 5:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.1)
        assert house.of("clicks").account.destination == 0
        assert await page.locator("#ask").is_hidden()
        (action,) = await house.steering.actions()
        assert (action.what, action.why, action.via, problems) == ("handover", "the old code", "page", [])


async def test_a_failed_event_is_run_again_with_another_function() -> None:
    from poller.configuration.model.failed_events import FailedEventsSettings

    async with shop() as (house, address), browsing() as context:
        house.failed_events.apply(FailedEventsSettings(keep=5))
        page, problems = await watched(context)
        await page.goto(f"{address}/failures")
        await page.get_by_role("button", name="Run again once").click()
        await page.locator("#impact").get_by_text("count-clicks is invoked once").wait_for()
        await page.get_by_label("Function").select_option("ship-orders")
        await confirmed(page, "ship-orders is invoked once")
        await page.get_by_text("would settle the whole batch").wait_for()
        assert (house.of("clicks").account.destination, problems) == (0, [])


async def test_records_are_found_by_a_pattern_from_a_place_and_copied_as_an_event() -> None:
    async with shop() as (house, address), browsing() as context:
        await context.grant_permissions(["clipboard-read", "clipboard-write"])
        page, problems = await watched(context)
        wanted = house.aws.streams.streams["clicks"].put("wanted", json.dumps({"n": 4711}))
        await page.goto(f"{address}/mappings/clicks")
        await page.get_by_text("Look at records", exact=True).click()
        form = page.locator("#peek")
        await form.get_by_label("From").select_option("the oldest record")
        await form.get_by_label("Only what matches").fill('{"data": {"n": [4711]}}')
        found = 0
        for shard in await page.locator("#partitions th").all_inner_texts():
            await form.get_by_label("Shard").fill(shard)
            await form.get_by_role("button", name="Look").click()
            await page.get_by_text("are read from the oldest record").wait_for()
            copying = page.get_by_role("button", name="Copy as event")
            if await copying.count():
                found += 1
                await copying.click()
                await page.get_by_role("button", name="Copied").wait_for()
                event = json.loads(await page.evaluate("navigator.clipboard.readText()"))
                assert event["Records"][0]["kinesis"]["sequenceNumber"] == wanted
            await page.get_by_role("button", name="Close").click()
        assert (found, house.of("clicks").account.destination, problems) == (1, 0, [])


async def test_what_the_destination_holds_is_looked_at_and_redriven_and_the_list_tells_how_far_it_came() -> None:
    async with shop() as (house, address), browsing() as context:
        page, problems = await watched(context)
        await skipped(house, page, address)
        await page.get_by_role("button", name="Look at its destination").click()
        await page.get_by_text("1 record shown; failed holds about 1 invocation record").wait_for()
        await page.get_by_text("key poison").wait_for()
        await page.get_by_text("Given up: SkippedByHand, function error Unhandled, attempt").wait_for()
        await page.get_by_text("of count-clicks, from stream/clicks, shard shardId-").wait_for()
        await page.get_by_role("button", name="Close").click()
        await page.get_by_text("Deliver once more", exact=True).click()
        form = page.locator("#redrive")
        await form.locator("select").select_option("its on-failure destination")
        await form.get_by_label("From (UTC)").fill("2026-01-01")
        await form.get_by_role("button", name="Redrive").click()
        await page.get_by_text("Not done: begin, end and partition are of an interval").wait_for()
        problems.clear()
        await page.keyboard.press("Escape")
        await form.get_by_label("From (UTC)").fill("")
        await form.get_by_label("Most records per second").fill("100")
        await form.get_by_role("button", name="Redrive").click()
        await confirmed(page, "100 records per second at most")
        card = page.locator("#redrives > li")
        await card.get_by_text("finished; 1 record taken: 1 done").wait_for()
        assert await card.get_by_role("button").count() == 0, "what is finished cannot be resumed"
        assert (len(house.queue("failed").messages), problems) == (0, [])


async def test_a_redrive_that_stops_says_so_and_its_two_ways_on_are_told_apart() -> None:
    async with shop() as (house, address), browsing() as context:
        page, problems = await watched(context)
        await skipped(house, page, address)
        house.aws.functions["count-clicks"].handler = poisoned
        await page.get_by_role("button", name="Redrive its destination").click()
        await confirmed(page, "10 records per second at most")
        await page.get_by_role("heading", name="Redrive its destination: stopped").wait_for()
        await page.locator("#impact").get_by_text("1 failed again and stays where it was").wait_for()
        await page.keyboard.press("Escape")
        card = page.locator("#redrives > li")
        await card.get_by_role("button", name="Resume without what failed").click()
        await page.locator("#impact").get_by_text("It passes over the record that failed again").wait_for()
        await page.keyboard.press("Escape")
        await card.get_by_role("button", name="Resume: ").click()
        await page.locator("#impact").get_by_text("It tries the record that failed again once more").wait_for()
        assert problems == []


async def test_an_interval_is_redriven_stopped_and_resumed_by_its_buttons() -> None:
    async with shop(token="steer-me", read_token="look-only") as (house, address), browsing() as context:
        page, problems = await watched(context)
        await page.goto(f"{address}/mappings/clicks")
        await page.get_by_label("Token").fill("steer-me")
        await page.keyboard.press("Enter")
        await page.get_by_role("button", name="Sign out").wait_for()
        await skipped(house, page, address)
        await page.get_by_text("Deliver once more", exact=True).click()
        form = page.locator("#redrive")
        await form.get_by_label("From (UTC)").fill("2020-01-01")
        await form.get_by_label("Most records per second").fill("0.5")
        await form.get_by_role("button", name="Redrive").click()
        await confirmed(page, "0.5 records per second at most")
        card = page.locator("#redrives > li")
        await card.get_by_text("the interval from 2020-01-01T00:00:00.000Z until 20").wait_for()
        await card.get_by_role("button", name="Stop the redrive").click()
        await confirmed(page, "stops behind the batch")
        await page.locator("#done").get_by_text("Stop the redrive: asked to stop").wait_for()
        await card.get_by_text("stopped: by hand").wait_for()
        async with browsing() as other:
            looking, wrong = await watched(other)
            await looking.goto(f"{address}/mappings/clicks")
            await looking.get_by_label("Token").fill("look-only")
            await looking.keyboard.press("Enter")
            await looking.get_by_text("stopped: by hand").wait_for()
            assert (await looking.locator("button:not([data-copy])").all_inner_texts(), wrong) == (["Sign out"], [])
        await card.get_by_role("button", name="Resume").click()
        await confirmed(page, "0.5 records per second at most")
        await card.get_by_text("5 records taken: 5 done").wait_for()
        (one,) = await house.steering.redrives()
        assert (one.done, house.of("clicks").account.delivered, problems) == (5, 4, [])
