"""The page in a real browser: what a person sees, does with mouse and keyboard, and hears of it."""

import pytest

from poller.ports.status import MappingState, Reason, ReasonCode
from tests.page.browser import browsing, in_a_browser, shop, waits_long, watched

pytestmark = [*in_a_browser, pytest.mark.heavy]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_serious_on_any_screen(scheme: str) -> None:
    from axe_playwright_python.async_playwright import Axe

    async with shop() as (house, address), browsing(color_scheme=scheme, bypass_csp=True) as context:
        page, problems = await watched(context)
        found: list[str] = []

        async def look(where: str) -> None:
            results = await Axe().run(page)
            found.extend(
                f"{where}: {one['id']}: {one['nodes'][0]['html']}"
                for one in results.response["violations"]
                if one["impact"] in ("serious", "critical")
            )

        await page.goto(address)
        await page.get_by_text("degraded").first.wait_for()
        await look("mappings")
        await page.get_by_role("link", name="clicks").click()
        await waits_long(house)
        await page.get_by_role("button", name="Skip to its destination").click()
        await page.get_by_text("Given up").wait_for()
        await look("order")
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Hand over once").click()
        await page.get_by_label("Function").select_option("ship-orders")
        await page.get_by_text("is invoked at once").wait_for()
        await look("hand-over")
        await page.keyboard.press("Escape")
        for details in ("Look at records", "Deliver once more", "Move the position"):
            await page.get_by_text(details, exact=True).click()
        await look("mapping")
        await page.get_by_role("button", name="Look at what is next").first.click()
        await page.get_by_text("no position moves").wait_for()
        await look("records")
        await page.keyboard.press("Escape")
        await page.get_by_role("link", name="Failures").click()
        await page.get_by_text("order 4711 has no customer").wait_for()
        await look("failures")
        await page.get_by_role("link", name="Actions").click()
        await look("actions")
        assert (found, problems) == ([], [])
        assert house.of("clicks").account.destination == 0


async def test_a_stuck_shard_is_freed_by_the_keyboard_alone_after_a_preview_and_the_log_knows() -> None:
    async with shop() as (house, address), browsing() as context:
        page, problems = await watched(context)
        await page.goto(address)
        await page.get_by_role("link", name="clicks").focus()
        await page.keyboard.press("Enter")
        await waits_long(house)
        await page.get_by_role("button", name="Skip to its destination").focus()
        await page.keyboard.press("Enter")
        impact = page.locator("#impact li")
        await impact.wait_for()
        assert "gets an invocation record of it" in await impact.inner_text()
        assert house.of("clicks").account.destination == 0, "a preview changes nothing"
        await page.get_by_label("Why").fill("customer is gone")
        await page.get_by_label("Your name").fill("ann")
        await page.keyboard.press("Enter")
        await page.locator("#batches:empty").wait_for(state="attached")
        await page.locator(".state.running").wait_for()
        await page.locator("#done").get_by_text("failed gets an invocation record of it").wait_for()
        assert (house.of("clicks").account.destination, house.of("clicks").account.delivered) == (1, 4)
        await page.get_by_role("link", name="Actions").click()
        row = page.locator("tbody tr")
        assert [text in await row.inner_text() for text in ("Skip", "ann, page", "customer is gone")] == [True] * 3
        assert problems == []


async def test_a_position_is_moved_after_a_preview_and_the_way_back_is_one_button() -> None:
    async with shop() as (house, address), browsing() as context:
        page, problems = await watched(context)
        house.aws.functions["count-clicks"].handler = lambda _: None
        await page.goto(f"{address}/mappings/clicks")
        await page.locator("#batches:empty").wait_for(state="attached")
        await page.get_by_text("Move the position").click()
        assert await page.get_by_role("button", name="Undo the last seek").count() == 0, "there is none yet"
        await page.locator("#seek").get_by_label("Read on from").select_option("an instant (UTC)")
        await page.locator("#seek").get_by_label("Instant or number").fill("soon")
        await page.get_by_role("button", name="Seek", exact=True).click()
        await page.get_by_text("Not done: timestamp: must be epoch seconds").wait_for()
        problems.clear()
        await page.keyboard.press("Escape")
        await page.locator("#seek").get_by_label("Instant or number").fill("10 min ago")
        await page.get_by_role("button", name="Seek", exact=True).click()
        await page.get_by_text("2 shards are read from 20").wait_for()
        await page.keyboard.press("Escape")
        await page.locator("#seek").get_by_label("Read on from").select_option("the oldest record")
        for button, said in (
            ("Seek", "2 shards are read from the oldest record"),
            ("Undo the last seek", "was read up to"),
        ):
            await page.get_by_role("button", name=button, exact=True).click()
            await page.get_by_text(said).first.wait_for()
            await page.get_by_role("dialog").get_by_role("button", name=button, exact=True).click()
            await page.locator("#done").get_by_text(f"{button}: done. The position was moved").wait_for()
            await page.locator(".state.running").wait_for()
        await page.locator("#undo:empty").wait_for(state="attached")
        undone, sought = await house.steering.actions()
        assert (undone.undoes, sought.via, problems) == (sought.id, "page", [])


async def test_a_batch_that_has_moved_on_is_not_skipped_in_its_place() -> None:
    async with shop() as (house, address), browsing() as context:
        page, _ = await watched(context)
        await page.goto(f"{address}/mappings/clicks")
        await waits_long(house)
        await page.get_by_role("button", name="Skip to its destination").click()
        await page.locator("#impact li").wait_for()
        house.aws.functions["count-clicks"].handler = lambda _: None
        await page.locator("#batches:empty").wait_for(state="attached")
        await page.get_by_role("button", name="Skip to its destination", exact=True).last.click()
        await page.get_by_text("Not done: no batch waits").wait_for()
        assert house.of("clicks").account.destination == 0


async def test_it_is_live_and_says_aloud_what_changes_and_keeps_the_focus() -> None:
    async with shop() as (house, address), browsing() as context:
        page, problems = await watched(context)
        await page.goto(address)
        await page.locator("tr[data-state=degraded]").wait_for()
        link = page.get_by_role("link", name="orders")
        await link.focus()
        status = house.of("orders")
        status.state, status.reason = MappingState.PROBLEM, Reason(ReasonCode.ACCESS_DENIED, "no sqs:ReceiveMessage")
        await page.get_by_text("no sqs:ReceiveMessage").wait_for()
        assert await page.locator("#said").inner_text() == "orders is now problem"
        assert await link.evaluate("link => link === document.activeElement")
        assert await page.locator("#rows tr").first.get_attribute("data-name") == "orders", "problems come first"
        status.state, status.reason = MappingState.RUNNING, None
        assert problems == []


async def test_a_read_token_shows_everything_and_no_button_and_a_session_ends_at_sign_out() -> None:
    async with shop(token="steer-me", read_token="look-only") as (_, address), browsing() as context:
        page, problems = await watched(context)
        await page.goto(f"{address}/mappings/clicks")
        await page.get_by_label("Token").fill("wrong")
        await page.keyboard.press("Enter")
        await page.get_by_text("This token is not known here.").wait_for()
        problems.clear()
        await page.get_by_label("Token").fill("look-only")
        await page.keyboard.press("Enter")
        await page.get_by_text("order 4711 has no customer").first.wait_for()
        await page.get_by_text("look only", exact=True).wait_for()
        # those that copy a number give no order
        assert await page.locator("button:not([data-copy])").all_inner_texts() == ["Sign out"]
        await page.get_by_role("button", name="Sign out").click()
        await page.get_by_label("Token").fill("steer-me")
        await page.keyboard.press("Enter")
        await page.get_by_role("link", name="clicks").click()
        await page.get_by_role("button", name="Retry now").wait_for()
        assert problems == []


HOSTILE = "<img src=x onerror='window.hacked=1'>\"'`</td><script>window.hacked=1</script>"


async def test_no_name_or_error_of_others_becomes_code() -> None:
    async with shop() as (house, address), browsing() as context:
        page, problems = await watched(context)
        for status in house.status.mappings:
            status.name = f"{status.name} {HOSTILE}"
            status.function = status.event_source_arn = HOSTILE
            for group in status.failures.newest_first():
                group.error = HOSTILE
        status = house.status.mappings[0]
        status.state, status.reason = MappingState.PROBLEM, Reason(ReasonCode.ERROR, HOSTILE)
        for path in ("/", f"/mappings/{status.uuid}", "/failures", "/actions"):
            await page.goto(address + path)
            if path != "/actions":
                await page.get_by_text("live", exact=True).wait_for()
                await page.get_by_text("window.hacked=1").first.wait_for()
            assert await page.evaluate("window.hacked") is None
            assert await page.locator("img").count() == 0
        status.state, status.reason = MappingState.RUNNING, None
        assert problems == []


async def test_no_payload_or_key_that_is_looked_at_becomes_code() -> None:
    async with shop() as (house, address), browsing() as context:
        page, problems = await watched(context)
        house.aws.streams.streams["clicks"].put(HOSTILE, HOSTILE)
        await page.goto(f"{address}/mappings/clicks")
        for look in await page.get_by_role("button", name="Look at what is next").all():
            await look.click()
            await page.get_by_text("no position moves").wait_for()
            assert await page.evaluate("window.hacked") is None
            assert await page.locator("img").count() == 0
            await page.keyboard.press("Escape")
        assert problems == []


async def test_a_key_is_isolated_by_its_button_whatever_the_keys_are() -> None:
    async with shop(keys=(HOSTILE, "good", "fine", "well")) as (house, address), browsing() as context:
        page, problems = await watched(context)
        await page.goto(f"{address}/mappings/clicks")
        await page.get_by_role("button", name="Isolate <img").wait_for()
        await page.get_by_role("button", name="Look at its records").click()
        await page.get_by_text("5 records shown").wait_for()
        await page.keyboard.press("Escape")
        await page.get_by_text("Isolate another key").click()
        await page.get_by_role("button", name="Isolate well").click()
        await page.get_by_text("1 record with the key well").wait_for()
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Isolate poison").click()
        await page.get_by_text("1 record with the key poison").wait_for()
        await page.locator("#confirm").click()
        await page.locator("#batches:empty").wait_for(state="attached")
        await page.locator(".state.running").wait_for()
        account = house.of("clicks").account
        assert (account.destination, account.delivered) == (1, 4)
        assert await page.evaluate("window.hacked") is None
        assert await page.locator("img").count() == 0
        assert problems == []


async def test_a_page_of_another_origin_can_neither_frame_it_nor_order_anything() -> None:
    async with shop() as (house, address), browsing() as context:
        page = await context.new_page()
        # the same machine by another name is another origin
        await page.goto(address.replace("127.0.0.1", "localhost"))
        sent = f"""fetch({address!r} + "/mappings/clicks/skip", {{method: "POST", mode: MODE, credentials: "include",
            headers: {{"Content-Type": TYPE}}, body: "{{}}"}}).then(answer => answer.status, () => "refused")"""
        for mode, kind in (("cors", "application/json"), ("no-cors", "text/plain")):
            script = sent.replace("MODE", repr(mode)).replace("TYPE", repr(kind))
            # its own policy forbids the call already; a page of an attacker has none
            assert await page.evaluate(script) in ("refused", 0)
        framed = await context.new_page()
        await framed.set_content(f"<iframe src='{address}'></iframe>")
        inside = framed.frames[1]
        assert await inside.get_by_text("Mappings").count() == 0
        assert house.of("clicks").account.destination == 0
