"""HTTP faces called by pages of other origins: what a real browser's fetch lets them send and read, by every payload."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.daemon.functions_served import Served, python, served
from tests.page.browser import browsing, in_a_browser

pytestmark = [*in_a_browser, pytest.mark.heavy]
SERVICES = ("function_url", "api_gateway_v2", "api_gateway_v1", "alb")
FETCH = """async ([url, options]) => {
    try {
        const answer = await fetch(url, options);
        return {status: answer.status, of: answer.headers.get("x-of"), hidden: answer.headers.get("x-hidden"),
                body: await answer.text()};
    } catch (error) { return error.name; }
}"""
"""`TypeError` is all that a browser tells a page of what it did not let through."""
BODY = '{"do": "answer", "answer": {"statusCode": 201, "headers": {"x-of": "it", "x-hidden": "no"}, "body": "é"}}'


@asynccontextmanager
async def a_site() -> AsyncIterator[str]:
    """The origin of an empty page."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        writer.write(head.encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def faces(tmp_path: Any, **cors: Any) -> AsyncIterator[Served]:
    """A function with a face of each kind; its events are the requests' bodies where those are read as JSON."""
    (tmp_path / "behind.py").write_text(
        "import json\nfrom app import handler as inner\n"
        "def handler(event, context):\n"
        "    return inner(json.loads(event.get('body') or '{}') or {'do': 'answer', 'answer': {'statusCode': 200, "
        "'headers': {'Access-Control-Allow-Origin': 'http://evil.example'}, 'body': 'plain'}}, context)\n"
    )
    functions = {
        service: python(handler="behind.handler", http_face={"path": f"/{service}", "payload": service, **cors})
        for service in SERVICES
    }
    async with served(tmp_path, functions) as world:
        yield world


async def test_a_page_of_an_allowed_origin_sends_and_reads_what_it_is_allowed_to(tmp_path: Any) -> None:
    async with a_site() as site, a_site() as other, browsing() as context:
        cors: dict[str, Any] = {
            "allow_origins": [site],
            "allow_methods": ["PUT", "GET"],
            "allow_headers": ["content-type", "x-a"],
        }
        cors |= {"expose_headers": ["x-of"], "allow_credentials": True, "max_age": 60}
        async with faces(tmp_path, auth="none", cors=cors) as world:
            allowed, foreign = await context.new_page(), await context.new_page()
            await allowed.goto(site)
            await foreign.goto(other)
            put = {"method": "PUT", "body": BODY, "headers": {"Content-Type": "application/json", "X-A": "1"}}
            for service in SERVICES:
                url = f"{world.url}/{service}/x"
                expected = {"status": 201, "of": "it", "hidden": None, "body": "é"}
                for credentials in ("omit", "include"):
                    options = {**put, "credentials": credentials}
                    assert await allowed.evaluate(FETCH, [url, options]) == expected, service
                assert await allowed.evaluate(FETCH, [url, {**put, "method": "DELETE"}]) == "TypeError"
                assert await allowed.evaluate(FETCH, [url, {**put, "headers": {"X-B": "1"}}]) == "TypeError"
                # a request that needs no preflight reaches the function; the page may not read what it answers
                assert await foreign.evaluate(FETCH, [url, {}]) == "TypeError"
                assert await foreign.evaluate(FETCH, [url, put]) == "TypeError"
                plain = await allowed.evaluate(FETCH, [url, {}])
                assert (plain["status"], plain["body"]) == (200, "plain")


async def test_without_cors_no_page_of_another_origin_reads_anything_and_with_a_star_every_one_does(
    tmp_path: Any,
) -> None:
    async with a_site() as site, browsing() as context:
        page = await context.new_page()
        await page.goto(site)
        async with faces(tmp_path, auth="none") as world:
            for service in SERVICES:
                assert await page.evaluate(FETCH, [f"{world.url}/{service}", {}]) == "TypeError"
        every = {"allow_origins": ["*"], "allow_methods": ["*"], "allow_headers": ["*"], "expose_headers": ["*"]}
        async with faces(tmp_path, auth="none", cors=every) as world:
            for service in SERVICES:
                options = {"method": "PATCH", "body": BODY, "headers": {"X-Any": "1"}}
                found = await page.evaluate(FETCH, [f"{world.url}/{service}/y", options])
                assert (found["status"], found["of"], found["hidden"]) == (201, "it", "no"), service
