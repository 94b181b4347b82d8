"""Exchanges that go well, and what becomes of their connections."""

import asyncio
import socket

import pytest

from poller.http import Origin
from tests.http.conftest import Client
from tests.http.scripted import OK, REQUEST, Peer, Script, Server, always_ok, answering, serving, until

pytestmark = pytest.mark.real_time
MOST = 1_000_000


def in_pieces(*pieces: bytes) -> Script:
    """The pieces as they are, each in a read of its own as far as sockets allow; then close."""

    async def script(peer: Peer) -> None:
        await peer.request()
        for piece in pieces:
            await peer.send(piece)
            await asyncio.sleep(0)

    return script


GOOD = {
    "fixed length": (answering(OK), b"ok"),
    "byte by byte": (in_pieces(*(OK[at : at + 1] for at in range(len(OK)))), b"ok"),
    "no body": (answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), b""),
    "no reason phrase": (answering(b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok"), b"ok"),
    "chunked": (
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n"),
        b"ok",
    ),
    "chunked with extensions and trailers": (
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nX: y\r\n\r\n"),
        b"ok",
    ),
    "chunked in pieces": (
        in_pieces(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2", b"\r", b"\no", b"k\r", b"\n0\r\n", b"\r\n"
        ),
        b"ok",
    ),
    "until the end of the stream": (in_pieces(b"HTTP/1.1 200 OK\r\n\r\no", b"k"), b"ok"),
    "HTTP/1.0": (in_pieces(b"HTTP/1.0 200 OK\r\n\r\nok"), b"ok"),
    "HTTP/1.0 with a length": (in_pieces(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"), b"ok"),
    "after 100": (answering(b"HTTP/1.1 100 Continue\r\n\r\n" + OK), b"ok"),
    "after several 1xx": (
        in_pieces(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", b"HTTP/1.1 102 Processing\r\n\r\n", OK),
        b"ok",
    ),
    "as large as allowed": (
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % MOST + b"x" * MOST),
        b"x" * MOST,
    ),
}


@pytest.mark.parametrize(("script", "body"), GOOD.values(), ids=GOOD)
def test_every_way_to_frame_an_answer_is_understood(client: Client, script: Script, body: bytes) -> None:
    async def main() -> None:
        async with serving(script) as server, client.pool(server) as pool:
            reply = await pool.exchange(REQUEST, 10, MOST)
            assert (reply.status, reply.body) == (200, body)
            assert type(reply.body) is bytes

    client.run(main())


def test_headers_are_found_by_lower_case_name_and_hold_only_the_final_answers(client: Client) -> None:
    async def main() -> None:
        answer = (
            b"HTTP/1.1 103 Early Hints\r\nEarly: 1\r\n\r\n"
            b"HTTP/1.1 200 OK\r\nX-Amz-Function-Error:  Unhandled \r\nTransfer-Encoding: chunked\r\nLatin: \xe9\r\n\r\n"
            b"0\r\nTrailer: 1\r\n\r\n"
        )
        async with serving(answering(answer)) as server, client.pool(server) as pool:
            headers = (await pool.exchange(REQUEST, 10, MOST)).headers
            assert headers["x-amz-function-error"] == "Unhandled"
            assert headers.get("latin") == "é"
            assert set(headers) == {"x-amz-function-error", "transfer-encoding", "latin"}
            assert "early" not in headers
            assert len(headers) == 3

    client.run(main())


def test_a_connection_serves_one_exchange_after_the_other(client: Client) -> None:
    async def main() -> None:
        async with serving(always_ok) as server, client.pool(server) as pool:
            for _ in range(20):
                assert (await pool.exchange(REQUEST, 10, MOST)).body == b"ok"
            assert (server.connections, pool.connections) == (1, 1)

    client.run(main())


def test_nothing_of_an_answer_is_left_for_the_next(client: Client) -> None:
    async def main() -> None:
        first = b"HTTP/1.1 500 No\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbad\r\n0\r\nX-T: 1\r\n\r\n"
        async with serving(answering(first, OK)) as server, client.pool(server) as pool:
            assert (await pool.exchange(REQUEST, 10, MOST)).status == 500
            reply = await pool.exchange(REQUEST, 10, MOST)
            assert (reply.status, reply.body, set(reply.headers)) == (200, b"ok", {"content-length"})
            assert server.connections == 1

    client.run(main())


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ],
)
def test_a_connection_the_server_will_close_is_not_used_again(client: Client, answer: bytes) -> None:
    async def main() -> None:
        async with serving(answering(answer)) as server, client.pool(server) as pool:
            for _ in range(2):
                assert (await pool.exchange(REQUEST, 10, MOST)).body == b"ok"
                assert pool.idle == []
                assert [connection for connection in pool.open if connection.usable] == []
            assert server.connections == 2

    client.run(main())


def test_a_connection_closed_while_idle_is_replaced(client: Client) -> None:
    async def main() -> None:
        async def closes_after_one(peer: Peer) -> None:
            await peer.request()
            await peer.send(OK)

        async with serving(closes_after_one, always_ok) as server, client.pool(server) as pool:
            await pool.exchange(REQUEST, 10, MOST)
            await until(lambda: not pool.connections)
            assert (await pool.exchange(REQUEST, 10, MOST)).body == b"ok"
            assert server.connections == 2

    client.run(main())


def test_a_close_that_the_loop_has_not_seen_yet_is_found_before_a_request_is_trusted_to_it(client: Client) -> None:
    async def main() -> None:
        # a server of its own thread, so that it can close while the loop of the client stands still
        with socket.create_server(("127.0.0.1", 0)) as listening:
            origin = Origin("http", "127.0.0.1", listening.getsockname()[1])
            ends: list[socket.socket] = []

            def serve() -> None:
                ends.append(listening.accept()[0])
                ends[-1].recv(1000)
                ends[-1].sendall(OK)

            async with client.pool(Server(origin)) as pool:
                serving = asyncio.create_task(asyncio.to_thread(serve))
                await pool.exchange(REQUEST, 10, MOST)
                await serving
                (connection,) = pool.idle
                assert not connection.stale()
                ends[0].close()
                assert connection.stale()
                connection.idle_since = float("-inf")
                serving = asyncio.create_task(asyncio.to_thread(serve))
                assert (await pool.exchange(REQUEST, 10, MOST)).body == b"ok"
                await serving
                assert len(ends) == 2
            ends[1].close()

    client.run(main())


def test_an_early_answer_to_a_large_request_does_not_leave_its_rest_for_the_next(client: Client) -> None:
    async def main() -> None:
        async def answers_early(peer: Peer) -> None:
            await peer.head()
            await peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
            await peer.gone()

        large = b"POST / HTTP/1.1\r\ncontent-length: 50000000\r\n\r\n" + b"x" * 50_000_000
        async with serving(answers_early, always_ok) as server, client.pool(server) as pool:
            assert (await pool.exchange(large, 10, MOST)).status == 413
            assert (await pool.exchange(REQUEST, 10, MOST)).body == b"ok"
            assert server.connections == 2

    client.run(main())


def test_small_writes_go_out_at_once(client: Client) -> None:
    async def main() -> None:
        async with serving(always_ok) as server, client.pool(server) as pool:
            await pool.exchange(REQUEST, 10, MOST)
            (connection,) = pool.open
            assert connection.transport is not None
            assert connection.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    client.run(main())
