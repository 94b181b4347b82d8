"""The HTTP server against those who need no token: too many connections, slow ones, and requests that are none."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from poller.configuration import ApiSettings, Secret
from poller.daemon.api import connections
from poller.daemon.api.server import serve
from tests.daemon.samples import STARTED_AT, Reloading, Steered, a_daemon, a_mapping

pytestmark = pytest.mark.real_time
TOKEN = Secret.text("s3cret")
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


@asynccontextmanager
async def listening(tmp_path=None):
    listen = "127.0.0.1:0" if tmp_path is None else f"unix:{tmp_path}/api.sock"
    status = a_daemon(a_mapping(), started=asyncio.get_running_loop().time())
    opened = []
    async with serve(
        status, ApiSettings(listen=listen, token=TOKEN), Steered(status), Reloading(), wall=lambda: STARTED_AT
    ) as address:

        async def connect():
            if tmp_path is not None:
                opened.append(await asyncio.open_unix_connection(address.removeprefix("unix:")))
            else:
                opened.append(await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2])))
            return opened[-1]

        yield connect
        for _, writer in opened:
            writer.close()


async def answer(reader) -> tuple[int, str]:
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode()
    length = next(int(line.split(":")[1]) for line in head.splitlines() if line.lower().startswith("content-length"))
    return int(head.split()[1]), (await asyncio.wait_for(reader.readexactly(length), 10)).decode()


@pytest.mark.parametrize("socket", [False, True])
async def test_a_thousand_connections_of_one_byte_leave_room_for_the_next_request(tmp_path, socket):
    """They use up the descriptors of a server without a bound, which then answers nobody."""
    with capture_logs() as log:
        async with listening(tmp_path if socket else None) as connect:
            idle = []
            for _ in range(1000):
                reader, writer = await connect()
                writer.write(b"G")
                idle.append(reader)
            reader, writer = await connect()
            writer.write(HEALTH)
            assert await answer(reader) == (200, '{"status": "healthy"}')
            closed = sum(reader.at_eof() or reader.exception() is not None for reader in idle)
            assert closed >= 1000 - connections.MOST_CONNECTIONS
    crowded = [line for line in log if line["event"] == "api_crowded"]
    assert len(crowded) == 1
    assert len(log) < 5


async def test_a_request_that_is_being_answered_is_not_cut_for_newcomers():
    async with listening() as connect:
        reader, writer = await connect()
        body = b"POST /mappings/orders/pause HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer s3cret\r\n"
        writer.write(body + b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{")
        await writer.drain()
        # answered once the server has begun with the one above
        other, ask = await connect()
        ask.write(HEALTH)
        await answer(other)
        for _ in range(2 * connections.MOST_CONNECTIONS):
            _, idle = await connect()
            idle.write(b"G")
        writer.write(b"}")
        code, text = await answer(reader)
        assert (code, json.loads(text)["state"]) == (200, "paused")


@pytest.mark.parametrize("sent", [b"", b"GET /hea", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: "])
async def test_a_request_that_does_not_come_is_waited_for_only_so_long(monkeypatch, sent):
    monkeypatch.setattr("poller.daemon.api.server.REQUEST_SECONDS", 0.2)
    async with listening() as connect:
        reader, writer = await connect()
        writer.write(sent)
        assert await asyncio.wait_for(reader.read(), 10) == b""


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /status HTTP/9.9\r\n\r\n",
        b"GET /status HTTP/1.1\r\nno colon\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 \r\n\r\n",
        b"GET /status HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /status HTTP/1.1\r\nX: \x1b[2J\x00\r\n\r\n",
    ],
)
async def test_requests_that_are_none_cost_one_line_in_the_log(sent):
    with capture_logs() as log:
        async with listening() as connect:
            for _ in range(20):
                reader, writer = await connect()
                writer.write(sent)
                assert await answer(reader) != (200, "")
    lines = [line for line in log if line["event"] == "api_request_malformed"]
    assert len(lines) == 1
    assert "exc_info" not in lines[0]
    assert len(lines[0]["problem"]) <= connections.SHOWN
    assert len(log) == 1


async def test_a_body_that_is_broken_is_the_client_s_mistake():
    request = (
        b"POST /mappings/orders/pause HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer s3cret\r\n"
        b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
    )
    with capture_logs() as log:
        async with listening() as connect:
            reader, writer = await connect()
            writer.write(request)
            assert (await answer(reader))[0] == 400
    assert [line["event"] for line in log] == ["api_request_malformed"]
