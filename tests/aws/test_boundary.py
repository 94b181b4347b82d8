"""Whatever a credential provider, an endpoint or a parser raises inside the SDK comes out as a reason with words."""

import asyncio
import datetime as dt
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiobotocore.credentials import AioCredentials, AioRefreshableCredentials
from aiobotocore.endpoint import AioEndpoint

from poller.aws.chain import open_session
from poller.aws.credentials import LONGEST_LOAD, PATIENCE, CredentialSource
from poller.aws.lean import build_lean_transport
from poller.aws.sdk_calls import SdkCalls
from poller.aws.sdk_transport import ReferenceTransport
from poller.values.errors import AnswerLost, CallError, NoCredentials, NotSent, ServiceError
from tests.aws.recorded import RECEIVE, body_for
from tests.aws.settings import Settings
from tests.http.scripted import Peer, serving, until

REGION = "eu-west-1"
RAISED = [
    KeyError("Expiration"),
    RuntimeError("still expired"),
    TypeError("NoneType"),
    AttributeError("x"),
    Exception(),
]


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the SDK's attempts."""

    async def sleep(_: AioEndpoint, _seconds: float) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(AioEndpoint, "_sleep", sleep)


class Provider:
    """A session whose chain raises, or finds what it is given."""

    def __init__(self, found: Any) -> None:
        self.found = found

    async def get_credentials(self) -> Any:
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    def source(self) -> CredentialSource:
        return CredentialSource(lambda: self, asyncio.get_running_loop().time)


@pytest.mark.parametrize("raised", RAISED, ids=lambda raised: type(raised).__name__)
async def test_whatever_a_credential_provider_raises_is_a_reason(raised: Exception) -> None:
    provider = Provider(raised)
    source = provider.source()
    with pytest.raises(NoCredentials, match=type(raised).__name__):
        await source.current()
    provider.found = AioCredentials("key", "secret")
    assert (await source.current()).access_key == "key"


@pytest.mark.parametrize("raised", RAISED, ids=lambda raised: type(raised).__name__)
async def test_whatever_a_renewal_raises_after_the_end_is_a_reason(raised: Exception) -> None:
    async def renew() -> dict[str, str]:
        raise raised

    past = (dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)).isoformat()
    old = {"access_key": "k", "secret_key": "s", "token": "t", "expiry_time": past}
    source = Provider(AioRefreshableCredentials.create_from_metadata(old, refresh_using=renew, method="role")).source()
    with pytest.raises(NoCredentials, match=type(raised).__name__):
        await source.current()
    assert source.ends_in() == 0


async def test_an_end_without_a_time_zone_is_a_reason_and_breaks_no_status() -> None:
    end = dt.datetime(2099, 1, 1)  # noqa: DTZ001 - that is the point

    async def never() -> dict[str, str]:
        raise AssertionError("nothing is to be renewed")

    found = AioRefreshableCredentials("k", "s", "t", end, never, "role")
    source = Provider(found).source()
    with pytest.raises(NoCredentials, match="offset-naive"):
        await source.current()
    assert source.ends_in() == 0


@pytest.mark.parametrize(("key", "secret", "token"), [(None, "s", None), ("k", 5, None), ("k", "s", "a\r\nx-evil: 1")])
async def test_credentials_that_are_no_text_are_a_reason(key: Any, secret: Any, token: Any) -> None:
    found = AioCredentials("k", "s")
    found.access_key, found.secret_key, found.token = key, secret, token
    with pytest.raises(NoCredentials, match="no printable text"):
        await Provider(found).source().current()


@pytest.mark.real_time
async def test_credentials_of_the_environment_that_are_over_are_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    now = dt.datetime.now(dt.UTC)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", (now - dt.timedelta(seconds=1)).isoformat())
    async with _transports("http://127.0.0.1:1") as calls:
        for call in calls:
            with pytest.raises(NoCredentials, match="expired"):
                await call()


@pytest.mark.real_time
@pytest.mark.parametrize(
    "answer",
    [
        b'{"AccessKeyId": "k", "SecretAccessKey": "s", "Token": "t"}',
        b'{"AccessKeyId": "k", "SecretAccessKey": "s", "Token": "t", "Expiration": "next week"}',
        b'{"AccessKeyId": "k", "SecretAccessKey": "s", "Token": "t", "Expiration": 5}',
        b'{"Expiration": "2099-01-01T00:00:00Z"}',
        b"[]",
    ],
)
async def test_a_container_s_credential_endpoint_that_answers_something_else_is_a_reason(
    monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    async def endpoint(peer: Peer) -> None:
        while await peer.request():
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer))

    async with serving(endpoint) as server:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{server.origin}/")
        async with _transports("http://127.0.0.1:1") as calls:
            for call in calls:
                with pytest.raises(NoCredentials, match="no AWS credentials: "):
                    await call()


async def test_a_provider_that_never_ends_is_a_reason_within_seconds_and_is_asked_again_later() -> None:
    ended: list[Any]
    begun, ended = [], []

    class Hanging:
        async def get_credentials(self) -> Any:
            begun.append(time())
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(time())

    time = asyncio.get_running_loop().time
    source = CredentialSource(Hanging, time)
    while time() < LONGEST_LOAD + PATIENCE:
        before = time()
        with pytest.raises(NoCredentials, match="their provider gave none within"):
            await source.current()
        assert time() - before <= PATIENCE
    assert (begun, ended) == ([0, LONGEST_LOAD], [LONGEST_LOAD]), "one at a time"
    await source.close()
    assert len(ended) == 2


@pytest.mark.real_time
@pytest.mark.parametrize("source_profile", [False, True])
async def test_a_credential_process_ends_with_the_wait_for_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, source_profile: bool
) -> None:
    started = tmp_path / "pid"
    script = tmp_path / "never"
    script.write_text(f"#!/bin/sh\necho $$ > {started}.new\nmv {started}.new {started}\nexec sleep 1000\n")
    script.chmod(0o755)
    config = tmp_path / "config"
    config.write_text(
        f"[profile keys]\ncredential_process = {script}\n"
        "[profile role]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = keys\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    session = open_session(Settings(profile="role" if source_profile else "keys"), REGION)
    source = CredentialSource(lambda: session, asyncio.get_running_loop().time)
    waiting = asyncio.create_task(source.current())
    await until(started.exists)
    await source.close()
    with pytest.raises(NoCredentials, match="closed"):
        await waiting
    await until(lambda: not _runs(int(started.read_text())))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIG_DFL)
    except ProcessLookupError:
        return False
    return True


HTML = b"<html><head><title>403 Forbidden</title></head><body><h1>Forbidden by the proxy</h1><br></body></html>"
ANSWERS = {
    "a proxy's page": (b"403 Forbidden", b"text/html", HTML),
    "a page as success": (b"200 OK", b"text/html", HTML),
    "nothing": (b"403 Forbidden", b"text/plain", b""),
    "JSON": (b"400 Bad Request", b"application/json", b'["no", "object"]'),
    "cut XML": (b"200 OK", b"text/xml", b"<PublishResponse><PublishResu"),
    "binary": (b"418 Odd", b"application/octet-stream", bytes(range(256))),
}
CALLS: dict[str, tuple[str, str, dict[str, str]]] = {
    "sns": ("sns", "publish", {"TopicArn": "arn:aws:sns:eu-west-1:1:t", "Message": "m"}),
    "s3": ("s3", "put_object", {"Bucket": "bucket", "Key": "k", "Body": "b"}),
    "head of s3": ("s3", "head_bucket", {"Bucket": "bucket"}),
    "stepfunctions": ("stepfunctions", "describe_state_machine", {"stateMachineArn": "arn"}),
}


@pytest.mark.real_time
@pytest.mark.usefixtures("credentials", "no_pauses")
@pytest.mark.parametrize("call", CALLS)
async def test_a_rare_call_answered_by_something_else_is_a_value_for_its_caller(call: str) -> None:
    """All answers through one session, which reads the service's model once: that is what takes long."""
    current = b""

    async def endpoint(peer: Peer) -> None:
        # answers before it has the body, for which S3's client waits to be asked
        await peer.receive()
        await peer.send(current)

    service, method, arguments = CALLS[call]
    async with serving(endpoint) as server:
        calls = SdkCalls(Settings(endpoint_url=str(server.origin)), REGION)
        for kind, (status, content_type, body) in ANSWERS.items():
            head = b"HTTP/1.1 %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n" % (status, content_type, len(body))
            current = head + body
            try:
                answer: object = await calls.call(service, method, **arguments)
            except CallError as error:
                answer = error
            # Step Functions' client alone takes a success for one without asking what is in it
            taken = call == "stepfunctions" and kind in ("a page as success", "cut XML")
            assert isinstance(answer, dict if taken else ServiceError | AnswerLost), (kind, answer)
            assert len(str(answer)) < 1000, kind


@pytest.mark.real_time
@pytest.mark.usefixtures("credentials")
async def test_a_call_that_cannot_be_made_is_a_value_for_its_caller() -> None:
    calls = SdkCalls(Settings(endpoint_url="http://127.0.0.1:1"), REGION)
    for arguments in ({}, {"TopicArn": 5}, {"TopicArn": "t", "Message": "m", "Odd": "o"}):
        with pytest.raises(NotSent):
            await calls.call("sns", "publish", **arguments)


@pytest.mark.real_time
@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("which", range(3), ids=["lean", "aiobotocore", "sdk"])
async def test_keys_replaced_in_the_shared_credentials_file_are_used_once_the_old_ones_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, which: int
) -> None:
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))

    refused = b'{"__type": "UnrecognizedClientException"}', b"<ErrorResponse><Error><Code>InvalidClientTokenId</Code>"
    taken = b"{}", b"<PublishResponse><PublishResult/>"
    ends = b"", b"</Error></ErrorResponse>", b"</PublishResponse>"

    async def service(peer: Peer) -> None:
        while request := await peer.request():
            known, of_sns = b"Credential=new/" in request, b"Action=Publish" in request
            body = (taken if known else refused)[of_sns] + ends[of_sns and 1 + known]
            status = b"200 OK" if known else b"403 Forbidden"
            await peer.send(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))

    _write_keys(file, "old")
    async with serving(service) as server, _transports(str(server.origin)) as calls:
        with pytest.raises(ServiceError, match=r"InvalidClientTokenId|UnrecognizedClientException"):
            await calls[which]()
        _write_keys(file, "new")
        await calls[which]()
        await calls[which]()


def _write_keys(file: Path, key: str) -> None:
    file.write_text(f"[default]\naws_access_key_id = {key}\naws_secret_access_key = s\n")


@pytest.mark.real_time
@pytest.mark.parametrize("region", ["eu-west-1", "eusc-de-east-1"])
async def test_a_profile_that_assumes_a_role_does_so_in_the_configured_region_and_at_the_configured_endpoint(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, region: str
) -> None:
    config = tmp_path / "config"
    config.write_text(
        "[profile keys]\naws_access_key_id = k\naws_secret_access_key = s\n"
        "[profile role]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = keys\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    asked = []

    async def sts(peer: Peer) -> None:
        while request := await peer.request():
            asked.append(request)
            body = b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error></ErrorResponse>"
            await peer.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    async with serving(sts) as server:
        settings = Settings(profile="role", endpoint_url=str(server.origin), regions={"sts": region})
        source = CredentialSource(partial(open_session, settings, "us-west-2"), lambda: 0.0)
        with pytest.raises(NoCredentials, match="AccessDenied"):
            await source.current()
    assert len(asked) == 1
    assert f"/{region}/sts/aws4_request".encode() in asked[0]


Call = Callable[[], Awaitable[object]]


class _transports:  # noqa: N801 - used as a function
    """A receive through either transport, and a call of the SDK."""

    def __init__(self, endpoint_url: str) -> None:
        self._settings = Settings(endpoint_url=endpoint_url)

    async def __aenter__(self) -> list[Call]:
        settings = self._settings
        self._lean = await build_lean_transport(settings, REGION)
        self._reference = ReferenceTransport(partial(open_session, settings, REGION), REGION, settings.for_service)
        sdk = SdkCalls(settings, REGION)
        service, method, arguments = CALLS["sns"]
        return [
            partial(self._lean.call, RECEIVE, body_for(RECEIVE)),
            partial(self._reference.call, RECEIVE, body_for(RECEIVE)),
            partial(sdk.call, service, method, **arguments),
        ]

    async def __aexit__(self, *_: object) -> None:
        with suppress(CallError):
            await self._lean.close()
        await self._reference.close()
