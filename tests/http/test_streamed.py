"""Answers that keep coming, over HTTP/1.1 and HTTP/2: in order, no faster than they are taken, and errors are told."""

import asyncio
import contextlib
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest

from poller.http import Origin, tls_context
from poller.http.http2 import WINDOW
from poller.http.streamed import connect
from poller.values.errors import AnswerLost, NotSent
from tests.http.scripted import CERTIFICATES, Peer, answering, serving

pytestmark = pytest.mark.real_time
REQUEST = b"POST /path HTTP/1.1\r\nhost: service.test\r\nx-amz-target: T\r\ncontent-length: 4\r\n\r\nbody"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n"


def trusting():
    return tls_context(str(CERTIFICATES / "authority.pem"))


@contextlib.asynccontextmanager
async def answer_of(*scripts, protocols=()):
    """The answer to one request; over TLS where protocols are offered in its handshake."""
    certificate = "valid" if protocols else None
    async with serving(*scripts, certificate=certificate, protocols=protocols) as server:
        answer = await connect(server.origin, trusting() if protocols else None, 10.0)
        try:
            async with asyncio.timeout(10):
                await answer.send(REQUEST)
                yield answer
        finally:
            answer.close()


async def taken(answer):
    found = b""
    while chunk := await answer.chunk():
        found += chunk
    return found


class Http2Peer:
    """The other side of an HTTP/2 connection: waits for the request, then sends what a test says."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self.connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.headers: dict[bytes, bytes] = {}
        self.body = b""
        self.stream = 0

    async def flush(self) -> None:
        await self._peer.send(self.connection.data_to_send())

    async def hear(self) -> bool:
        """False once the client is gone."""
        data = await self._peer.receive()
        for event in self.connection.receive_data(data) if data else ():
            if isinstance(event, h2.events.RequestReceived):
                self.headers, self.stream = dict(event.headers), event.stream_id
            elif isinstance(event, h2.events.DataReceived):
                self.body += event.data
        await self.flush()
        return bool(data)

    async def request(self) -> None:
        self.connection.initiate_connection()
        await self.flush()
        while not self.body:
            await self.hear()

    async def answer(self, content_type: str = "a/b") -> None:
        self.connection.send_headers(self.stream, [(":status", "200"), ("content-type", content_type)])
        await self.flush()

    async def send(self, data: bytes) -> int:
        """As much as the windows allow, and waits for no more. The bytes that went."""
        sent = 0
        while data and (room := self.connection.local_flow_control_window(self.stream)):
            part = data[: min(room, self.connection.max_outbound_frame_size)]
            self.connection.send_data(self.stream, part)
            sent, data = sent + len(part), data[len(part) :]
        await self.flush()
        return sent


async def test_http2_is_spoken_where_the_handshake_offers_it_with_the_signed_host_as_authority():
    heard: dict[Any, Any] = {}

    async def script(peer):
        other = Http2Peer(peer)
        await other.request()
        heard.update(other.headers | {"body": other.body})
        await other.answer()
        await other.send(b"one")
        await other.send(b"two")
        other.connection.end_stream(other.stream)
        await other.flush()
        await peer.gone()

    async with answer_of(script, protocols=("h2", "http/1.1")) as answer:
        assert (answer.http2, answer.status, answer.headers["content-type"]) == (True, 200, "a/b")
        assert await taken(answer) == b"onetwo"
    assert heard[b":authority"] == b"service.test"
    assert (heard[b":method"], heard[b":path"], heard[b":scheme"]) == (b"POST", b"/path", b"https")
    assert (heard[b"x-amz-target"], heard["body"]) == (b"T", b"body")


async def test_what_is_not_taken_is_not_sent_and_what_was_taken_makes_room():
    sent, more = [], asyncio.Event()

    async def script(peer):
        other = Http2Peer(peer)
        await other.request()
        await other.answer()
        rest = bytes(3 * WINDOW)
        while rest:
            sent.append(await other.send(rest))
            rest = rest[sent[-1] :]
            if not sent[-1] and not await other.hear():
                return
            more.set()
        other.connection.end_stream(other.stream)
        await other.flush()
        await peer.gone()

    async with answer_of(script, protocols=("h2",)) as answer:
        await more.wait()
        for _ in range(50):
            await asyncio.sleep(0)
        assert sum(sent) <= WINDOW
        assert len(await taken(answer)) == 3 * WINDOW


@pytest.mark.parametrize("how", ["reset", "goaway", "end", "nonsense"])
async def test_an_http2_answer_that_breaks_off_is_lost(how):
    async def script(peer):
        other = Http2Peer(peer)
        await other.request()
        await other.answer()
        await other.send(b"part")
        if how == "reset":
            other.connection.reset_stream(other.stream, 2)
        elif how == "goaway":
            other.connection.close_connection(1)
        await other.flush()
        if how == "nonsense":
            # data for stream 0, of which there is none
            await peer.send(b"\0\0\1\0\0\0\0\0\0x")
        if how != "end":
            await peer.gone()

    with pytest.raises(AnswerLost):
        async with answer_of(script, protocols=("h2",)) as answer:
            await taken(answer)


async def test_http1_is_spoken_where_the_handshake_offers_nothing_else():
    chunked = answering(HEAD + b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")
    async with answer_of(chunked, protocols=("http/1.1",)) as answer:
        assert (answer.http2, answer.headers["content-type"]) == (False, "a/b")
        assert await taken(answer) == b"onetwo"


async def test_an_answer_of_a_known_length_ends_there():
    async with answer_of(answering(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nwhy")) as answer:
        assert answer.status == 400
        assert await answer.body(1000) == b"why"


@pytest.mark.parametrize("sent", [HEAD + b"3\r\none\r\n", b"HTTP/1.1 200", b"nonsense\r\n\r\n"])
async def test_an_answer_that_breaks_off_or_is_none_is_lost(sent):
    async def script(peer):
        await peer.request()
        await peer.send(sent)

    with pytest.raises(AnswerLost):
        async with answer_of(script) as answer:
            await taken(answer)


async def test_a_head_without_end_is_lost():
    async def script(peer):
        await peer.request()
        await peer.flood(b"HTTP/1.1 200 OK\r\n" + b"".join(b"x-%d: %b\r\n" % (n, b"x" * 1000) for n in range(200)))

    with pytest.raises(AnswerLost):
        async with answer_of(script):
            pass


async def test_a_server_that_floods_has_to_wait_over_http1_too():
    flooded = []

    async def script(peer):
        await peer.request()
        await peer.send(HEAD)
        while not peer.writer.is_closing():
            await peer.send(b"10000\r\n" + bytes(0x10000) + b"\r\n")
            flooded.append(1)

    async with answer_of(script) as answer:
        await answer.chunk()
        for _ in range(2000):
            await asyncio.sleep(0)
        # what the two sockets hold, and not without end
        assert len(flooded) < 1000


async def test_nobody_there_means_not_sent():
    async with serving(answering()) as server:
        origin = server.origin
    with pytest.raises(NotSent, match="no connection"):
        await connect(origin, None, 10.0)


async def test_a_certificate_that_is_not_trusted_means_not_sent():
    async with serving(answering(), certificate="expired", scheme_host="localhost") as server:
        with pytest.raises(NotSent, match="expired"):
            await connect(Origin("https", "localhost", server.origin.port), trusting(), 10.0)
