"""A function behind HTTP is reached through the proxy that the environment names, with the same outcomes."""

import contextlib
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from poller.configuration import FunctionConfig
from poller.functions.web.building import web_function
from poller.functions.web.http import HttpFunction
from poller.functions.web.options import WebOptions
from poller.policy.response import Failed, NotInvoked, Succeeded, TooLarge
from poller.values.errors import ConfigurationError
from tests.aws.service import answer
from tests.functions.building import plain
from tests.http.forwarding import Forward, drops
from tests.http.scripted import CERTIFICATES, OK, Peer, Script, Server, answering, serving

pytestmark = pytest.mark.real_time
EVENT = '{"Records": ["é"]}'.encode()


@contextlib.asynccontextmanager
async def through(
    proxy: Script, server: Server, *, user: str = "", limit: float = 5.0
) -> AsyncIterator[tuple[HttpFunction, Server]]:
    async with serving(proxy) as place:
        function = plain(
            f"{server.origin}/a%2Fb?c=%7E",
            headers=lambda: {"X-Env": "prod", "Authorization": "secret"},
            timeout=limit,
            proxy=str(place.origin).replace("http://", f"http://{user}"),
        )
        try:
            yield function, place
        finally:
            await function.close()


class Recorder:
    def __init__(self, *answers: bytes) -> None:
        self._answers = list(answers)
        self.requests: list[bytes] = []

    async def __call__(self, peer: Peer) -> None:
        while request := await peer.request():
            self.requests.append(request)
            await peer.send(self._answers[0] if len(self._answers) == 1 else self._answers.pop(0))


@pytest.fixture
def _trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATES / "authority.pem"))


async def test_plain_http_goes_to_the_proxy_in_absolute_form() -> None:
    recorder, proxy = Recorder(OK), Forward()
    async with serving(recorder) as server, through(proxy, server, user="me:pass@") as (function, _):
        assert await function.invoke(EVENT) == Succeeded(b"ok")
        assert proxy.lines == [f"POST {server.origin}/a%2Fb?c=%7E HTTP/1.1"]
    assert proxy.authorizations == ["Basic bWU6cGFzcw=="]
    [request] = recorder.requests
    assert request.startswith(b"POST /a%2Fb?c=%7E HTTP/1.1\r\n")
    assert request.endswith(b"\r\n\r\n" + EVENT)
    assert b"\r\nx-env: prod\r\n" in request
    assert b"\r\nauthorization: secret\r\n" in request
    assert request.lower().count(b"content-length:") == 1


@pytest.mark.usefixtures("_trusting")
async def test_https_goes_through_a_tunnel_that_the_proxy_cannot_read() -> None:
    recorder, proxy = Recorder(OK), Forward()
    async with (
        serving(recorder, certificate="valid", scheme_host="localhost") as server,
        through(proxy, server) as (function, place),
    ):
        assert [await function.invoke(EVENT) for _ in range(2)] == [Succeeded(b"ok")] * 2
        assert proxy.lines == [f"CONNECT localhost:{server.origin.port} HTTP/1.1"]
        assert place.connections == 1, "the tunnel is kept"
    assert [request.endswith(EVENT) for request in recorder.requests] == [True, True]


async def test_a_certificate_that_does_not_hold_ends_before_the_request() -> None:
    recorder = Recorder(OK)
    async with (
        serving(recorder, certificate="valid", scheme_host="localhost") as server,
        through(Forward(), server) as (function, _),
    ):
        assert getattr(await function.invoke(EVENT), "code", None) == "unreachable"
    assert recorder.requests == []


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_is_not_there_means_not_invoked(scheme: str) -> None:
    async with serving(answering()) as gone:
        pass
    function = plain(f"{scheme}://127.0.0.1:1/", proxy=str(gone.origin))
    found = await function.invoke(EVENT)
    await function.close()
    assert isinstance(found, NotInvoked)
    assert found.code == "unreachable"


@pytest.mark.parametrize(("scheme", "status"), [("http", 407), ("https", 407), ("https", 403), ("https", 502)])
async def test_a_proxy_that_refuses_means_not_invoked(scheme: str, status: int) -> None:
    async with serving(Forward(refusal=answer(status))) as proxy:
        function = plain(f"{scheme}://127.0.0.1:1/", proxy=str(proxy.origin))
        found = await function.invoke(EVENT)
        await function.close()
    assert isinstance(found, NotInvoked)
    assert str(status) in found.detail


async def test_a_connection_lost_after_the_request_has_failed_and_is_not_tried_again() -> None:
    async with serving(answering(OK)) as server, through(drops, server) as (function, place):
        found = await function.invoke(EVENT)
        assert isinstance(found, Failed)
        assert found.error == "answer_lost"
        assert place.connections == 1


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n123\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 6291557\r\n\r\n" + b"x" * 6_291_557,
    ],
    ids=["cut", "cut chunks", "too large"],
)
async def test_an_answer_that_is_not_whole_has_failed(sent: bytes) -> None:
    async def cut(peer: Peer) -> None:
        await peer.request()
        await peer.send(sent)
        await peer.close()

    async with serving(cut) as server, through(Forward(), server) as (function, _):
        found = await function.invoke(EVENT)
    assert isinstance(found, Failed)
    assert found.error == "answer_lost"


async def test_a_function_that_hangs_has_failed_within_its_timeout() -> None:
    async def hang(peer: Peer) -> None:
        await peer.request()
        await peer.gone()

    async with serving(hang) as server, through(Forward(), server, limit=0.05) as (function, _):
        found = await function.invoke(EVENT)
    assert isinstance(found, Failed)
    assert found.error == "answer_lost"


@pytest.mark.parametrize(
    ("sent", "outcome"),
    [
        (answer(204), Succeeded(b"")),
        (answer(307, Location="/elsewhere"), Failed("http_307", status=307)),
        (answer(413), TooLarge("")),
        (answer(429, Retry_After="3"), NotInvoked("throttled", "HTTP 429", 3.0)),
        (
            answer(503, Date="Thu, 01 Jan 2026 00:00:00 GMT", Retry_After="Thu, 01 Jan 2026 00:01:30 GMT"),
            NotInvoked("unavailable", "HTTP 503", 90.0),
        ),
        (answer(200, {}, Set_Cookie="a=b"), Succeeded(b"{}")),
    ],
)
async def test_answers_mean_what_they_mean_without_a_proxy_and_are_not_remembered(sent: bytes, outcome: object) -> None:
    recorder = Recorder(sent)
    async with serving(recorder) as server, through(Forward(), server) as (function, _):
        assert [await function.invoke(EVENT) for _ in range(2)] == [outcome] * 2
    assert len(recorder.requests) == 2
    assert recorder.requests[0] == recorder.requests[1]


async def test_an_event_of_six_megabytes_goes_through() -> None:
    recorder = Recorder(OK)
    async with serving(recorder) as server, through(Forward(), server) as (function, _):
        assert await function.invoke(b"x" * 6_000_000) == Succeeded(b"ok")
    assert recorder.requests[0].endswith(b"x" * 6_000_000)


async def test_after_close_nothing_is_sent() -> None:
    recorder = Recorder(OK)
    async with serving(recorder) as server, through(Forward(), server) as (function, _):
        await function.close()
        assert isinstance(await function.invoke(EVENT), NotInvoked)
    assert recorder.requests == []


async def test_a_proxy_of_another_kind_is_refused_without_telling_its_password() -> None:
    with pytest.raises(ConfigurationError, match="has to be an http") as refused:
        plain("http://h/", proxy="socks5://me:pass@p:1")
    assert "pass" not in str(refused.value)


@pytest.mark.parametrize(
    ("no_proxy", "proxied"), [("", True), ("127.0.0.2,.example.com", True), ("127.0.0.1", False), ("*", False)]
)
async def test_the_environment_decides_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, no_proxy: str, *, proxied: bool
) -> None:
    recorder, proxy = Recorder(OK), Forward()
    async with serving(recorder) as server, serving(proxy) as place:
        monkeypatch.setenv("http_proxy", str(place.origin))
        monkeypatch.setenv("NO_PROXY", no_proxy)
        config = FunctionConfig(
            key="audit", type="http", options=WebOptions(url=f"{server.origin}/"), timeout_seconds=5
        )
        with capture_logs() as logged:
            function = web_function(config)
        assert await function.invoke(EVENT) == Succeeded(b"ok")
        await function.close()
    assert len(proxy.lines) == proxied
    chosen = {"event": "transport_chosen", "function": "audit", "transport": "aiohttp", "because": "a proxy applies"}
    assert logged == ([chosen | {"log_level": "info"}] if proxied else [])
