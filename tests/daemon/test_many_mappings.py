"""Status and metrics of thousands of mappings: sent in pieces, with the loop free between them."""

import asyncio
import json
from contextlib import asynccontextmanager

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from poller.configuration import ApiSettings
from poller.daemon.api import streaming
from poller.daemon.api.server import serve
from poller.ports.status import Account, ReasonCode
from tests.daemon.samples import STARTED_AT, Reloading, Steered, a_daemon, a_lane, with_lanes

pytestmark = pytest.mark.real_time
COUNT = 1000


@asynccontextmanager
async def serving():
    """A function that asks for a path of a server with many mappings; headers and text out."""
    status = a_daemon(
        *(
            with_lanes(a_lane(ReasonCode.NO_DATA), name=f"mapping-{number}", account=Account(polled=number))
            for number in range(COUNT)
        )
    )
    async with (
        serve(
            status, ApiSettings(listen="127.0.0.1:0"), Steered(status), Reloading(), wall=lambda: STARTED_AT
        ) as address,
        aiohttp.ClientSession(address) as session,
    ):

        async def ask(path, method="GET"):
            async with session.request(method, path) as answered:
                return answered.headers, await answered.text()

        yield ask


async def test_the_status_of_many_mappings_comes_whole():
    async with serving() as ask:
        headers, text = await ask("/status")
    assert "Content-Length" not in headers
    mappings = json.loads(text)["mappings"]
    assert [mapping["counters"]["polled"] for mapping in mappings] == list(range(COUNT))


async def test_the_metrics_of_many_mappings_come_whole():
    async with serving() as ask:
        headers, text = await ask("/metrics")
    assert "Content-Length" not in headers
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert [sample.value for sample in families["poller_polled_events"].samples] == list(range(COUNT))
    assert "process_cpu_seconds" in families


async def test_who_asks_for_the_head_alone_gets_no_body():
    async with serving() as ask:
        assert [(await ask(path, "HEAD"))[1] for path in ("/status", "/metrics")] == ["", ""]


@pytest.mark.parametrize("path", ["/status", "/metrics"])
async def test_a_long_answer_leaves_the_loop_to_others_while_it_is_made(monkeypatch, path):
    """Made in one go it keeps the loop for seconds, and every mapping of the process waits."""
    monkeypatch.setattr(streaming, "SLICE", 0.0)
    turns = 0

    async def others():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with serving() as ask:
        beside = asyncio.create_task(others())
        await asyncio.sleep(0)
        before = turns
        await ask(path)
        taken = turns - before
        beside.cancel()
    assert taken >= COUNT
