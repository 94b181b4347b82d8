"""What a broken or hostile server can do ends in one classified error, in time, and never in a success."""

import asyncio

import pytest

from poller.values.errors import AnswerLost, NotSent
from tests.http.conftest import Client
from tests.http.scripted import OK, REQUEST, Peer, Script, answering, serving

MOST = 100_000
HEAD = b"HTTP/1.1 200 OK\r\n"


def closing_after(answer: bytes) -> Script:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer)

    return script


def flooding(start: bytes, endless: bytes) -> Script:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(start)
        await peer.flood(endless)

    return script


async def resets_at_once(peer: Peer) -> None:
    await peer.request()
    peer.reset()


async def resets_in_the_body(peer: Peer) -> None:
    await peer.request()
    await peer.send(HEAD + b"Content-Length: 100\r\n\r\nabc")
    peer.reset()


async def resets_a_body_without_length(peer: Peer) -> None:
    await peer.request()
    await peer.send(HEAD + b"\r\nabc")
    peer.reset()


async def drips(peer: Peer) -> None:
    await peer.request()
    await peer.send(HEAD + b"Content-Length: 1000000\r\n\r\n")
    while True:
        await peer.send(b"x")
        await asyncio.sleep(0.01)


async def drips_a_head(peer: Peer) -> None:
    await peer.request()
    await peer.send(HEAD)
    while True:
        await peer.send(b"x: y\r\n")
        await asyncio.sleep(0.01)


HOSTILE: dict[str, Script] = {
    "garbage": answering(b"\x00\xff\x13garbage" * 100),
    "another protocol": answering(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "a protocol that looks like it": answering(b"RTSP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    "HTTP/2": answering(b"HTTP/2 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    "HTTP/2 with a minor version": answering(b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    "a TLS alert": answering(b"\x15\x03\x01\x00\x02\x02\x28"),
    "no status": answering(b"HTTP/1.1 OK\r\nContent-Length: 2\r\n\r\nok"),
    "a status too small": answering(b"HTTP/1.1 042 OK\r\nContent-Length: 2\r\n\r\nok"),
    "a blank head": closing_after(b"\r\n\r\n"),
    "close without an answer": closing_after(b""),
    "close in the status line": closing_after(b"HTTP/1.1 20"),
    "close in the headers": closing_after(HEAD + b"Content-Le"),
    "close before the body": closing_after(HEAD + b"Content-Length: 5\r\n\r\n"),
    "close in the body": closing_after(HEAD + b"Content-Length: 5\r\n\r\nabc"),
    "close in a chunk": closing_after(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc"),
    "close before the last chunk": closing_after(HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
    "close in the trailers": closing_after(HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n"),
    "close after 100": closing_after(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "reset instead of an answer": resets_at_once,
    "reset in the body": resets_in_the_body,
    "reset in a body that runs to the end": resets_a_body_without_length,
    "two answers": answering(OK + OK),
    "an answer and half another": answering(OK + OK[:12]),
    "an answer and garbage": answering(OK + b"xyz"),
    "an answer longer than its length": answering(HEAD + b"Content-Length: 2\r\n\r\nokay"),
    "a body where none may be": answering(b"HTTP/1.1 204 No Content\r\n\r\nok"),
    "two lengths": answering(HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nokk"),
    "length and chunked": answering(
        HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    ),
    "a negative length": answering(HEAD + b"Content-Length: -2\r\n\r\nok"),
    "a length that overflows": answering(HEAD + b"Content-Length: 99999999999999999999999999\r\n\r\nok"),
    "a length in hex": answering(HEAD + b"Content-Length: 0x2\r\n\r\nok"),
    "a chunk size that is none": answering(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n"),
    "a chunk size that overflows": answering(
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nok\r\n0\r\n\r\n"
    ),
    "a chunk longer than its size": answering(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nok\r\n0\r\n\r\n"),
    "an unknown encoding": closing_after(HEAD + b"Transfer-Encoding: gzip\r\n\r\nok"),
    "chunked not last": closing_after(HEAD + b"Transfer-Encoding: chunked, gzip\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
    "a folded header": answering(HEAD + b"X: a\r\n b\r\nContent-Length: 2\r\n\r\nok"),
    "a space before the colon": answering(HEAD + b"Content-Length : 2\r\n\r\nok"),
    "a null in a header": answering(HEAD + b"X: a\x00b\r\nContent-Length: 2\r\n\r\nok"),
    "bare line feeds": answering(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok"),
    "a change of protocol": answering(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nok"),
}


SILENT: dict[str, Script] = {
    "never an answer": answering(b""),
    "a slow drip": drips,
    "a slow drip of headers": drips_a_head,
}
ENDLESS: dict[str, Script] = {
    "1xx without end": flooding(b"", b"HTTP/1.1 102 Processing\r\n\r\n" * 100),
    "a gigabyte declared": flooding(HEAD + b"Content-Length: 1073741824\r\n\r\n", b"x" * 65536),
    "a gigabyte in chunks": flooding(
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 65536 + b"\r\n"
    ),
    "a gigabyte in chunks of a byte": flooding(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 10000),
    "a gigabyte to the end of the stream": flooding(HEAD + b"\r\n", b"x" * 65536),
    "just over the limit": answering(HEAD + b"Content-Length: %d\r\n\r\n" % (MOST + 1) + b"x" * (MOST + 1)),
    "endless headers": flooding(HEAD, b"x-header: " + b"v" * 1000 + b"\r\n"),
    "an endless header": flooding(HEAD + b"x: ", b"v" * 65536),
    "an endless status line": flooding(b"HTTP/1.1 200 ", b"v" * 65536),
    "an endless chunk extension": flooding(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;", b"v" * 65536),
    "endless trailers": flooding(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"x: " + b"v" * 1000 + b"\r\n"),
    "an endless trailer": flooding(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nx: ", b"v" * 65536),
}


@pytest.mark.real_time
@pytest.mark.parametrize("script", HOSTILE.values(), ids=HOSTILE)
def test_ends_in_an_answer_lost_and_a_closed_connection(client: Client, script: Script) -> None:
    assert "in time" not in lost(client, script, timeout=10)


@pytest.mark.real_time
@pytest.mark.parametrize("script", SILENT.values(), ids=SILENT)
def test_a_server_that_never_ends_is_cut_off_by_the_timeout(client: Client, script: Script) -> None:
    assert "in time" in lost(client, script, timeout=0.15)


@pytest.mark.real_time
@pytest.mark.parametrize("script", ENDLESS.values(), ids=ENDLESS)
def test_an_answer_without_end_is_cut_off_by_its_size(client: Client, script: Script) -> None:
    reason = lost(client, script, timeout=10)
    assert "larger than" in reason or "without end" in reason


def lost(client: Client, script: Script, *, timeout: float) -> str:
    """Why the answer was lost."""
    reasons = []

    async def main() -> None:
        async with serving(script) as server, client.pool(server) as pool:
            with pytest.raises(AnswerLost) as caught:
                await pool.exchange(REQUEST, timeout, MOST)
            assert server.connections == 1
            assert pool.connections == 0
            reasons.append(str(caught.value))

    client.run(main())
    return reasons[0]


@pytest.mark.real_time
def test_the_next_exchange_after_a_hostile_answer_gets_a_connection_of_its_own(client: Client) -> None:
    async def main() -> None:
        async with serving(answering(OK + OK[:9]), answering(OK)) as server, client.pool(server) as pool:
            with pytest.raises(AnswerLost):
                await pool.exchange(REQUEST, 5, MOST)
            assert (await pool.exchange(REQUEST, 5, MOST)).body == b"ok"
            assert server.connections == 2

    client.run(main())


@pytest.mark.real_time
def test_an_answer_to_nothing_is_never_the_answer_to_the_next_request(client: Client) -> None:
    async def main() -> None:
        answered, noticed = asyncio.Event(), asyncio.Event()

        async def talks_unasked(peer: Peer) -> None:
            await peer.request()
            await peer.send(OK)
            await answered.wait()
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
            await peer.gone()
            noticed.set()

        async with serving(talks_unasked, answering(OK)) as server, client.pool(server) as pool:
            assert (await pool.exchange(REQUEST, 5, MOST)).body == b"ok"
            answered.set()
            await noticed.wait()
            assert (await pool.exchange(REQUEST, 5, MOST)).body == b"ok"
            assert server.connections == 2

    client.run(main())


@pytest.mark.real_time
def test_a_redirect_is_an_answer_and_is_not_followed(client: Client) -> None:
    async def main() -> None:
        moved = b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
        async with serving(answering(moved)) as server, client.pool(server) as pool:
            reply = await pool.exchange(REQUEST, 5, MOST)
            assert (reply.status, reply.headers["location"]) == (301, "http://127.0.0.1:1/")
            assert server.connections == 1

    client.run(main())


@pytest.mark.real_time
def test_a_port_where_nobody_listens_means_not_sent(client: Client) -> None:
    async def main() -> None:
        async with serving(answering()) as server:
            pass
        async with client.pool(server) as pool:
            with pytest.raises(NotSent, match="no connection to http:"):
                await pool.exchange(REQUEST, 5, MOST)

    client.run(main())


@pytest.mark.real_time
def test_a_server_that_closes_what_it_accepts_is_not_tried_over_and_over(client: Client) -> None:
    async def main() -> None:
        async def closes(peer: Peer) -> None:
            await peer.close()

        async with serving(closes) as server, client.pool(server) as pool:
            # seen before or after the request was written
            with pytest.raises((NotSent, AnswerLost)):
                await pool.exchange(REQUEST, 5, MOST)
            assert server.connections == 1

    client.run(main())


@pytest.mark.real_time
def test_a_name_that_does_not_exist_means_not_sent(client: Client) -> None:
    async def main() -> None:
        async with serving(answering(), scheme_host="no-such-host.invalid") as server, client.pool(server) as pool:
            with pytest.raises(NotSent, match="no connection to http://no-such-host"):
                await pool.exchange(REQUEST, 5, MOST)

    client.run(main())


@pytest.mark.real_time
def test_a_label_too_long_for_a_name_means_not_sent(client: Client) -> None:
    async def main() -> None:
        async with serving(answering(), scheme_host="x" * 70 + ".invalid") as server, client.pool(server) as pool:
            with pytest.raises(NotSent, match="no connection to"):
                await pool.exchange(REQUEST, 5, MOST)

    client.run(main())
