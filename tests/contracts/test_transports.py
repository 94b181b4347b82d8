"""What every transport promises where there is no answer to compare: one suite over both."""

import asyncio
from functools import partial

import pytest
from aiobotocore.credentials import AioCredentials
from botocore.exceptions import CredentialRetrievalError

from poller.aws.chain import open_session
from poller.aws.lean import build_lean_transport
from poller.aws.port import Operation, Transport
from poller.aws.sdk_transport import ReferenceTransport
from poller.values.errors import NoCredentials, NotSent
from tests.aws.conversation import EITHER, NewTransport, Replay, conversation, reference, result_of, says, told
from tests.aws.recorded import INVOKE, READ_OR_INVOKE, RECEIVE, body_for, chunked, raw
from tests.aws.service import answer
from tests.aws.settings import Settings
from tests.http.scripted import Peer, answering, serving

pytestmark = [pytest.mark.real_time, pytest.mark.usefixtures("sdk_does_not_sleep")]


@READ_OR_INVOKE
@EITHER
async def test_nobody_listening_means_not_sent(transport: NewTransport, operation: Operation) -> None:
    async with serving(answering()) as server:
        pass
    pauses: list[float] = []
    calls = transport(str(server.origin), pauses)
    assert await result_of(calls, operation, body_for(operation)) == {"error": "NotSent"}
    assert len(pauses) == (2 if operation.resend else 0)
    await calls.close()


@EITHER
async def test_a_name_that_nobody_has_means_not_sent(transport: NewTransport) -> None:
    calls = transport("http://nobody.invalid", [])
    assert await result_of(calls, INVOKE, b"{}") == {"error": "NotSent"}
    await calls.close()


@pytest.mark.parametrize("certificate", ["expired", "wrong_name", "valid"])
@EITHER
async def test_a_certificate_that_does_not_hold_means_not_sent(transport: NewTransport, certificate: str) -> None:
    """`valid` is signed by an authority that this machine does not trust."""
    replay = Replay([says(answer(200, {}))])
    async with serving(replay, certificate=certificate, scheme_host="localhost") as server:
        calls = transport(str(server.origin), [])
        assert await result_of(calls, INVOKE, b"{}") == {"error": "NotSent"}
        await calls.close()
    assert replay.requests == []


@EITHER
async def test_a_connection_reset_within_the_tls_handshake_means_not_sent(transport: NewTransport) -> None:
    async def resets_at_once(peer: Peer) -> None:
        peer.reset()

    async with serving(resets_at_once) as server:
        calls = transport(str(server.origin).replace("http://", "https://"), [])
        assert await result_of(calls, INVOKE, b"{}") == {"error": "NotSent"}
        await calls.close()


@EITHER
async def test_a_reset_within_a_large_request_is_a_lost_answer(transport: NewTransport) -> None:
    async def resets_after_the_head(peer: Peer) -> None:
        await peer.head()
        peer.reset()

    async with serving(resets_after_the_head) as server:
        calls = transport(str(server.origin), [])
        result = await result_of(calls, INVOKE, b"x" * 6_000_000)
        await calls.close()
    assert result == {"error": "AnswerLost"}
    assert server.connections == 1


@EITHER
async def test_a_connection_reset_on_arrival_never_counts_as_answered(transport: NewTransport) -> None:
    """Whether a byte of the request was written by then is chance, so either error is right."""

    async def resets_at_once(peer: Peer) -> None:
        peer.reset()

    async with serving(resets_at_once) as server:
        calls = transport(str(server.origin), [])
        assert await result_of(calls, INVOKE, b"{}") in ({"error": "NotSent"}, {"error": "AnswerLost"})
        assert server.connections == 1
        await calls.close()


@pytest.mark.parametrize("framing", ["length", "chunks"])
@EITHER
async def test_an_answer_over_the_operations_limit_is_lost(transport: NewTransport, framing: str) -> None:
    small = Operation("lambda", "Invoke", path=INVOKE.path, resend=False, max_reply_bytes=1000)
    for size, result in ((1000, 200), (1001, "AnswerLost")):
        data = b"x" * size
        turn = says(raw(200, data) if framing == "length" else chunked(data))
        got = (await conversation(transport, small, b"{}", turn)).result
        assert got.get("status", got.get("error")) == result


@EITHER
async def test_a_slow_drip_ends(transport: NewTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service is never silent for long, and never done."""
    monkeypatch.setattr("poller.http.bounded.CONNECT_TIMEOUT", 1.0)

    async def drips(peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        gone = asyncio.create_task(peer.gone())
        while not gone.done():
            await peer.send(b"x")
            await asyncio.wait([gone], timeout=0.01)

    assert (await conversation(transport, INVOKE, b"{}", drips, limit=0.1)).result == {"error": "AnswerLost"}


async def test_all_first_calls_at_once_make_one_client_of_the_sdk() -> None:
    replay = Replay([says(answer(200, {}))])
    async with serving(replay) as server:
        transport = reference(str(server.origin), [])
        await asyncio.gather(*(transport.call(RECEIVE, body_for(RECEIVE)) for _ in range(20)))
        assert isinstance(transport, ReferenceTransport)
        assert len(transport.clients) == 1
        await transport.close()
    assert len(replay.requests) == 20


@EITHER
async def test_a_cancelled_call_closes_its_connection(transport: NewTransport) -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def silent(peer: Peer) -> None:
        await peer.request()
        asked.set()
        await peer.gone()
        gone.set()

    async with serving(silent) as server:
        calls = transport(str(server.origin), [])
        running = asyncio.create_task(calls.call(INVOKE, b"{}"))
        await asked.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await asyncio.wait_for(gone.wait(), 10)
        await calls.close()
    assert server.connections == 1


@EITHER
async def test_closing_loses_the_answers_of_running_calls_and_refuses_new_ones(transport: NewTransport) -> None:
    asked = asyncio.Event()

    async def silent(peer: Peer) -> None:
        await peer.request()
        asked.set()
        await peer.gone()

    async with serving(silent) as server:
        calls = transport(str(server.origin), [])
        running = asyncio.create_task(result_of(calls, INVOKE, b"{}"))
        await asked.wait()
        await calls.close()
        assert await running == {"error": "AnswerLost"}
        assert await result_of(calls, RECEIVE, body_for(RECEIVE)) == {"error": "NotSent"}
    assert server.connections == 1


@EITHER
async def test_one_connection_serves_calls_one_after_the_other(transport: NewTransport) -> None:
    async with serving(Replay([says(answer(200, {})), says(answer(400, {}))])) as server:
        calls = transport(str(server.origin), [])
        results = [await result_of(calls, INVOKE, b"{}") for _ in range(3)]
        await calls.close()
    assert [result["status"] for result in results] == [200, 400, 400]
    assert server.connections == 1


async def _built(kind: str, settings: Settings, region: str) -> Transport:
    if kind == "lean":
        return await build_lean_transport(settings, region)
    return ReferenceTransport(partial(open_session, settings, region), region, settings.for_service)


BUILT = pytest.mark.parametrize("kind", ["lean", "reference"])


@BUILT
@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize(
    ("region", "variable", "value"),
    [
        ("no region", "", ""),
        ("eu-west-1", "AWS_ENDPOINT_URL", "nowhere"),
        ("eu-west-1", "AWS_CA_BUNDLE", "missing.pem"),
    ],
)
async def test_a_setting_that_cannot_be_used_is_named_at_the_call(
    monkeypatch: pytest.MonkeyPatch, kind: str, region: str, variable: str, value: str
) -> None:
    if variable:
        monkeypatch.setenv(variable, value)
    transport = await _built(kind, Settings(), region)
    with pytest.raises(NotSent, match=value or region):
        await transport.call(INVOKE, b"{}")
    await transport.close()


@BUILT
@pytest.mark.parametrize(("profile", "reason"), [("nobody", "nobody"), (None, "no AWS credentials found")])
async def test_without_credentials_nothing_is_sent(kind: str, profile: str | None, reason: str) -> None:
    replay = Replay([says(answer(200, {}))])
    async with serving(replay) as server:
        transport = await _built(kind, Settings(profile=profile, endpoint_url=str(server.origin)), "eu-west-1")
        with pytest.raises(NoCredentials, match=reason):
            await transport.call(INVOKE, b"{}")
        await transport.close()
    assert replay.requests == []


@BUILT
@pytest.mark.usefixtures("credentials")
async def test_a_role_that_may_not_be_assumed_is_missing_credentials_not_a_refusal_of_the_service(kind: str) -> None:
    denied = b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
    replay = Replay([says(raw(403, denied))])
    async with serving(replay) as server:
        settings = Settings(role_arn="arn:aws:iam::123456789012:role/r", endpoint_url=str(server.origin))
        transport = await _built(kind, settings, "eu-west-1")
        with pytest.raises(NoCredentials, match="AccessDenied"):
            await transport.call(INVOKE, b"{}")
        await transport.close()
    assert [b"AssumeRole" in request for request in replay.requests] == [True]


@BUILT
@pytest.mark.usefixtures("credentials")
async def test_a_resource_of_another_region_is_called_there_unless_an_endpoint_is_configured(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    replay = Replay([says(answer(200, {}))])
    async with serving(replay) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", str(server.origin))
        transport = await _built(kind, Settings(regions={"sqs": "eu-north-1"}), "us-east-1")
        await transport.call(RECEIVE, body_for(RECEIVE))
        await transport.close()
        scope = told(replay.requests[0], str(server.origin).partition("//")[2])["scope"]
    assert scope == ["us-east-1", "sqs", "aws4_request"]


@BUILT
@pytest.mark.usefixtures("credentials")
async def test_a_service_has_its_own_endpoint_and_region_where_they_are_set(kind: str) -> None:
    replay, other = Replay([says(answer(200, {}))]), Replay([says(answer(200, {}))])
    async with serving(replay) as server, serving(other) as another:
        settings = Settings(
            endpoint_url=str(server.origin),
            endpoints={"lambda": str(another.origin)},
            regions={"lambda": "us-east-1"},
        )
        transport = await _built(kind, settings, "eu-west-1")
        await transport.call(RECEIVE, body_for(RECEIVE))
        await transport.call(INVOKE, b"{}")
        await transport.close()
        scopes = [
            told(requests[0], str(place.origin).partition("//")[2])["scope"]
            for requests, place in ((replay.requests, server), (other.requests, another))
        ]
    assert scopes == [["eu-west-1", "sqs", "aws4_request"], ["us-east-1", "lambda", "aws4_request"]]


async def test_credentials_that_the_sdk_cannot_renew_while_it_signs_are_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """We ask its provider once a minute; it asks at each call."""
    replay = Replay([says(answer(200, {}))])
    async with serving(replay) as server:
        calls = reference(str(server.origin), [])
        assert (await result_of(calls, INVOKE, b"{}"))["status"] == 200

        async def fail(_: AioCredentials) -> None:
            raise CredentialRetrievalError(provider="test", error_msg="gone")

        monkeypatch.setattr(AioCredentials, "get_frozen_credentials", fail)
        assert await result_of(calls, INVOKE, b"{}") == {"error": "NoCredentials"}
        await calls.close()
    assert len(replay.requests) == 1
