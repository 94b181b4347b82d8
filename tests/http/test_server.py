"""The server's side of HTTP, what a client may send, and what it may not."""

import asyncio
import contextlib

import pytest

from poller.http import server as module
from poller.http.server import HttpServer

pytestmark = pytest.mark.real_time
PATIENCE = 60.0
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Seen:
    def __init__(self, answers=True):
        self.requests = []
        self.answers = answers
        self.arrived = asyncio.Event()

    def __call__(self, request):
        self.requests.append(request)
        self.arrived.set()
        if self.answers:
            request.answer(200, b"ok")


@contextlib.asynccontextmanager
async def talking(seen, max_body=100, patience=PATIENCE):
    server = HttpServer(seen, max_body, patience)
    await server.listen("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        await server.close()


async def exchange(*pieces, max_body=100):
    """What was understood, and everything that came back until the end."""
    seen = Seen()
    async with talking(seen, max_body) as (reader, writer):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        writer.write_eof()
        return seen.requests, await reader.read()


async def test_a_request_is_understood_with_its_body_and_headers():
    sent = b"POST /a/b?c=d HTTP/1.1\r\nHost: x\r\nX-Name: value\r\nContent-Length: 4\r\n\r\nbody"
    [request], answer = await exchange(sent)
    assert (request.method, request.target, request.body) == ("POST", "/a/b?c=d", b"body")
    assert request.headers["x-name"] == "value"
    assert (request.complete, request.oversized) == (True, False)
    assert answer == OK


async def test_in_whatever_pieces_it_comes():
    sent = (
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\nX-End: z\r\n\r\n"
    )
    [request], answer = await exchange(*(sent[at : at + 1] for at in range(len(sent))))
    assert (request.body, request.headers["x-end"]) == (b"body", "z")
    assert answer == OK


async def test_one_connection_serves_one_request_after_the_other():
    async with talking(Seen()) as (reader, writer):
        for _ in range(3):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await reader.readexactly(len(OK)) == OK


@pytest.mark.parametrize("head", [b"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"])
async def test_a_connection_that_is_to_end_is_closed_after_the_answer(head):
    async with talking(Seen()) as (reader, writer):
        writer.write(head)
        answer = await reader.read()
    assert answer.endswith(b"\r\n\r\nok")
    assert b"connection: close\r\n" in answer


async def test_a_body_over_the_limit_is_read_and_not_kept():
    [request], answer = await exchange(b"POST / HTTP/1.1\r\nContent-Length: 300\r\n\r\n" + b"x" * 300)
    assert (request.oversized, request.body) == (True, b"")
    assert answer == OK


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello from TLS\r\n\r\n",
        b"GET / HTTP/1.1\r\nno header\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"get / HTTP/1.1\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_refused_and_the_connection_closed(sent):
    requests, answer = await exchange(sent)
    assert requests == []
    assert answer.startswith(b"HTTP/1.1 400 ")


async def test_a_head_without_end_is_refused():
    line = b"X-Padding: " + b"x" * 65_000 + b"\r\n"
    seen = Seen()
    async with talking(seen) as (reader, writer):
        with contextlib.suppress(ConnectionError):
            writer.write(b"GET / HTTP/1.1\r\n")
            for _ in range(60):
                writer.write(line)
                await writer.drain()
        with contextlib.suppress(ConnectionError):
            assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
    assert seen.requests == []


async def test_a_second_request_before_the_first_answer_is_refused():
    seen = Seen(answers=False)
    async with talking(seen) as (reader, writer):
        writer.write(b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
    assert [request.target for request in seen.requests] == ["/1"]


async def test_a_client_that_goes_while_it_waits_is_noticed():
    seen, lost = Seen(answers=False), asyncio.Event()
    async with talking(seen) as (_, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await seen.arrived.wait()
        [request] = seen.requests
        request.on_lost = lost.set
        writer.close()
        await lost.wait()
        assert request.gone
        request.answer(200, b"into the void")


async def test_a_request_cut_within_its_body_is_told_as_incomplete():
    [request], _ = await exchange(b"POST /x HTTP/1.1\r\nContent-Length: 10\r\n\r\n12345")
    assert (request.target, request.complete, request.gone) == ("/x", False, True)


async def test_one_cut_within_its_head_is_nothing():
    requests, _ = await exchange(b"POST /x HTTP/1.1\r\nContent-Le")
    assert requests == []


async def test_a_request_has_to_come_to_its_end_in_time():
    seen = Seen()
    async with talking(seen, patience=0.05) as (reader, writer):
        writer.write(b"POST /x HTTP/1.1\r\nContent-Length: 10\r\n\r\n12345")
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
    assert [request.complete for request in seen.requests] == [False]


async def patience_is_over(writer):
    """Another connection to the same server, which says half a line and is cut when its time is over."""
    reader, another = await asyncio.open_connection(*writer.get_extra_info("peername")[:2])
    another.write(b"GET / HT")
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b""
    another.close()


async def test_who_waits_for_an_answer_or_says_nothing_is_waited_for():
    seen = Seen(answers=False)
    async with talking(seen, patience=0.05) as (reader, writer):
        for piece in (b"GET / HTTP/1.1\r\n", b"Host: x\r\n\r\n"):
            writer.write(piece)
            await asyncio.sleep(0)
        await seen.arrived.wait()
        await patience_is_over(writer)
        seen.requests[0].answer(200, b"ok")
        assert await reader.readexactly(len(OK)) == OK
        await patience_is_over(writer)
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        while len(seen.requests) < 2:
            seen.arrived.clear()
            await seen.arrived.wait()


async def test_of_connections_without_end_only_so_many_are_held(monkeypatch):
    monkeypatch.setattr(module, "MAX_CONNECTIONS", 2)
    async with talking(Seen()) as (_, writer):
        port = writer.get_extra_info("peername")[1]
        others = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        with contextlib.suppress(ConnectionResetError):
            assert await others[1][0].read() == b""
        others[0][1].write(b"GET / HTTP/1.1\r\n\r\n")
        assert await others[0][0].readexactly(len(OK)) == OK
        for _, other in others:
            other.close()
