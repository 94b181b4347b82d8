"""Only what changes is sent, once computed for all viewers, and one that has missed something gets everything."""

import asyncio
import json
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from poller.configuration import ApiSettings
from poller.daemon.api.page.history import History, curve, rate
from poller.daemon.api.page.html import Markup
from poller.daemon.api.page.live import MOST_VIEWERS, Feed
from poller.daemon.api.page.overview import Rows
from poller.daemon.api.page.screen import NOTHING, Screen, changes
from poller.daemon.api.server import serve
from poller.ports.status import MappingState
from tests.daemon.samples import Reloading, Steered, a_daemon, a_mapping


def screen(**lists: dict[str, str]) -> Screen:
    return Screen({name: {key: Markup(html) for key, html in parts.items()} for name, parts in lists.items()})


def test_a_change_has_what_is_new_or_other_and_the_order_where_that_changed():
    before = screen(rows={"a": "1", "b": "2", "c": "3"}, head={"x": "0"})
    after = screen(rows={"c": "3", "a": "4", "d": "5"}, head={"x": "0"})
    assert changes(before, after) == {"rows": {"set": {"a": "4", "d": "5"}, "order": ["c", "a", "d"]}}
    assert changes(before, screen(rows={"a": "1", "b": "9", "c": "3"}, head={"x": "0"})) == {
        "rows": {"set": {"b": "9"}}
    }
    assert changes(before, before) == {}


def test_whoever_has_seen_nothing_is_told_of_every_list_also_of_empty_ones():
    assert changes(NOTHING, screen(rows={}, head={"x": "0"})) == {
        "rows": {"order": []},
        "head": {"set": {"x": "0"}, "order": ["x"]},
    }


async def test_a_feed_tells_its_viewers_of_each_tick():
    turn = 0

    async def make() -> Screen:
        return screen(rows={"a": str(turn)})

    feed = Feed(make)
    waiting = asyncio.ensure_future(feed.after(0))
    await feed.update()
    await waiting
    turn = 1
    await feed.update()
    assert (feed.tick, feed.changes) == (2, {"rows": {"set": {"a": "1"}}})
    await feed.after(1)


def test_the_pace_is_what_the_last_ten_seconds_show_and_its_curve_that_of_minutes():
    history, mapping = History(), a_mapping()
    assert (history.rates(mapping.uuid), rate([]), curve([])) == ([], None, "")
    for number, done in enumerate((0, 50, 100, 300, 300)):
        mapping.account.delivered = done
        history.sample([mapping], 100.0 + 5 * number)
    rates = history.rates(mapping.uuid)
    assert (rates, rate(rates)) == ([10.0, 10.0, 40.0, 0.0], 20.0)
    assert len(curve(rates).split()) == 4
    assert curve(rates).endswith("118,1 120,23")
    history.sample([], 130.0)
    assert history.rates(mapping.uuid) == []


@asynccontextmanager
async def watching(*mappings: Any, viewers: int = 1) -> Any:
    status = a_daemon(*mappings)
    async with (
        serve(status, ApiSettings(listen="127.0.0.1:0"), Steered(status), Reloading()) as address,
        aiohttp.ClientSession(address) as session,
    ):
        streams = [await session.get("/page/live/mappings") for _ in range(viewers)]
        yield status, streams
        for stream in streams:
            stream.close()


async def message(stream: aiohttp.ClientResponse) -> Any:
    async for line in stream.content:
        if line.startswith(b"data: "):
            return json.loads(line.removeprefix(b"data: "))
    raise AssertionError("the stream ended")


@pytest.mark.real_time
async def test_every_viewer_gets_the_screen_and_then_what_changes():
    mapping, other = a_mapping(), a_mapping("idle", uuid="idle")
    async with watching(mapping, other, viewers=2) as (_, streams):
        for stream in streams:
            assert [*(await message(stream))["lists"]["rows"]["set"]] == [f"m-{mapping.uuid}", "m-idle"]
        mapping.state = MappingState.PAUSED
        for stream in streams:
            rows = (await message(stream))["lists"]["rows"]
            assert ("paused" in rows["set"][f"m-{mapping.uuid}"], "m-idle" in rows["set"], "order" in rows) == (
                True,
                False,
                False,
            )


@pytest.mark.real_time
async def test_the_number_of_viewers_is_bounded_and_a_stop_ends_their_streams():
    async with aiohttp.ClientSession() as session:
        status = a_daemon(a_mapping())
        async with serve(status, ApiSettings(listen="127.0.0.1:0"), Steered(status), Reloading()) as address:
            streams = [await session.get(f"{address}/page/live/mappings") for _ in range(MOST_VIEWERS + 1)]
            assert [stream.status for stream in streams] == [200] * MOST_VIEWERS + [503]
            assert (await message(streams[0]))["lists"]
        await streams[0].content.read()
        assert streams[0].content.at_eof()
        for stream in streams:
            stream.close()


def test_a_row_is_made_anew_only_where_it_shows_something_else():
    rows, made = Rows(), []

    def make():
        made.append("row")
        return Markup("row")

    for shown in ("a", "a", "b", "b"):
        assert rows.row("u", shown, make) == "row"
    assert len(made) == 2
    rows.keep({"another"})
    rows.row("u", "b", make)
    assert len(made) == 3
