"""What proves to a function behind a URL who sends the event, and what happens when it does not believe it."""

import asyncio
import contextlib
import hashlib
import hmac
import os
import shutil
import socket
import ssl
import threading

import pytest
from botocore.credentials import ReadOnlyCredentials

from poller.aws.credentials import CredentialSource
from poller.configuration import FunctionConfig
from poller.configuration.reading.secrets import Secret
from poller.functions.web.building import web_function
from poller.functions.web.http import HttpFunction
from poller.functions.web.options import BasicAuth, HmacSignature, SigV4, WebOptions
from poller.functions.web.requests import Hmac, PlainRequests, SignedRequests
from poller.http import Reply, TlsFiles
from poller.policy.response import Failed, NotInvoked, Succeeded, TooLarge
from poller.ports.function import FENCE
from poller.values.errors import ConfigurationError
from tests.aws.test_signature_on_arrival import Verifier, _Session
from tests.functions.building import plain
from tests.http.scripted import CERTIFICATES, OK, always_ok, answering, serving

pytestmark = pytest.mark.real_time
EVENT = '{"Records": ["é"]}'.encode()
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793"


def headers_of(request):
    head = request.partition(b"\r\n\r\n")[0].decode()
    return dict(line.split(": ", 1) for line in head.split("\r\n")[1:])


async def test_the_hmac_is_of_the_time_and_the_body_as_webhooks_do_it():
    secrets = ["s3cret"]
    signature = Hmac(lambda: secrets[0], "X-Signature", "X-Signature-Timestamp", "sha256")
    requests = PlainRequests("f", "http://h/", dict, signature, now=lambda: 1767225600.9)
    sent = headers_of(await requests.build(EVENT, TRACE))
    expected = hmac.new(b"s3cret", b"1767225600." + EVENT, hashlib.sha256).hexdigest()
    assert (sent["x-signature"], sent["x-signature-timestamp"]) == (expected, "1767225600")
    assert sent["x-amzn-trace-id"] == TRACE
    secrets[0] = "new"
    assert headers_of(await requests.build(EVENT, None))["x-signature"] == expected
    await requests.refused(Reply(401, {}, b""))
    renewed = headers_of(await requests.build(EVENT, None))
    assert renewed["x-signature"] != expected
    assert "x-amzn-trace-id" not in renewed


async def test_the_shard_and_its_fence_are_told_where_daemons_share_it():
    requests = PlainRequests("f", "http://h/", dict)
    assert "x-poller-fence" not in headers_of(await requests.build(EVENT, TRACE))
    FENCE.set(b"x-poller-shard: shard-1\r\nx-poller-fence: 7\r\n")
    for trace in (TRACE, None):
        sent = headers_of(await requests.build(EVENT, trace))
        assert (sent["x-poller-shard"], sent["x-poller-fence"]) == ("shard-1", "7")
        assert sent.get("x-amzn-trace-id") == trace


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"bearer_token": Secret.text("abc")}, "Bearer abc"),
        ({"basic_auth": BasicAuth(username=Secret.text("mé"), password=Secret.text("p:w"))}, "Basic bcOpOnA6dw=="),
        ({"headers": {"Authorization": Secret.text("Own x")}}, "Own x"),
    ],
)
async def test_the_authorization_header_is_as_configured(more, expected):
    seen = []

    async def script(peer):
        seen.append(await peer.request())
        await peer.send(OK)

    async with serving(script) as server:
        web = WebOptions(url=f"{server.origin}/", **more)
        function = web_function(FunctionConfig(key="f", type="http", options=web))
        assert await function.invoke(EVENT) == Succeeded(b"ok")
        await function.close()
    assert headers_of(seen[0])["authorization"] == expected


async def test_an_hmac_that_is_configured_is_sent():
    seen = []

    async def script(peer):
        seen.append(await peer.request())
        await peer.send(OK)

    async with serving(script) as server:
        own = HmacSignature(
            secret=Secret.text("s"), header="X-Hub-Signature", timestamp_header="X-Time", algorithm="sha512"
        )
        web = WebOptions(url=f"{server.origin}/", hmac=own)
        function = web_function(FunctionConfig(key="f", type="http", options=web))
        await function.invoke(EVENT)
        await function.close()
    sent = headers_of(seen[0])
    assert sent["x-hub-signature"] == hmac.new(b"s", f"{sent['x-time']}.".encode() + EVENT, "sha512").hexdigest()


def signed(url, key, *, path="", headers=dict, secrets=None, service="lambda"):
    secrets = secrets or ["secret"]

    def session():
        return _Session(ReadOnlyCredentials(key, secrets[0], None, None))

    source = CredentialSource(session, asyncio.get_running_loop().time)
    requests = SignedRequests("f", url + path, headers, source, service=service, region="eu-west-3")
    return HttpFunction("f", url + path, requests, timeout=5, payload_limit=100, aws=True)


@pytest.mark.parametrize("path", ["/", "/stage/a%20b/~c?z=1&a=%2F&a=&B"])
async def test_what_is_signed_is_taken_by_a_service_that_checks_signatures(path):
    verifier = Verifier(ReadOnlyCredentials("KEY", "secret", None, None))
    async with serving(verifier) as server:
        own = {"X-Api-Key": "a  b", "Content-Type": "application/cloudevents+json"}
        function = signed(str(server.origin), "KEY", path=path, headers=lambda: own, service="execute-api")
        for trace in (None, TRACE):
            assert isinstance(await function.invoke(EVENT, trace), Succeeded)
        await function.close()
    assert verifier.accepted == 2


async def test_credentials_are_read_again_after_a_403():
    secrets = ["old", "secret"]
    verifier = Verifier(ReadOnlyCredentials("KEY", "secret", None, None))
    async with serving(verifier) as server:
        function = signed(str(server.origin), "KEY", secrets=secrets)
        assert isinstance(await function.invoke(EVENT), Failed)
        secrets.pop(0)
        await function.invoke(EVENT)
        assert isinstance(await function.invoke(EVENT), Succeeded)
        await function.close()


async def test_a_clock_that_is_wrong_is_put_right_by_the_service_s():
    source = CredentialSource(
        lambda: _Session(ReadOnlyCredentials("K", "s", None, None)), asyncio.get_running_loop().time
    )
    requests = SignedRequests("f", "http://h/", dict, source, service="lambda", region="r", now=lambda: 1767225600.0)
    await requests.build(EVENT, None)
    await requests.refused(Reply(403, {"date": "Thu, 01 Jan 2026 01:00:00 GMT"}, b""))
    assert headers_of(await requests.build(EVENT, None))["x-amz-date"] == "20260101T010000Z"


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (403, "AccessDeniedException", NotInvoked("access_denied", "AccessDeniedException (403): no")),
        (403, "ExpiredTokenException:http://x/", NotInvoked("credentials", "ExpiredTokenException (403): no")),
        (404, "ResourceNotFoundException", NotInvoked("function_missing", "ResourceNotFoundException (404): no")),
        (429, "TooManyRequestsException", NotInvoked("throttled", "TooManyRequestsException (429): no")),
        (413, "RequestTooLargeException", TooLarge("RequestTooLargeException (413): no")),
        (502, "InternalServerErrorException", Failed("http_502", "InternalServerErrorException (502): no", status=502)),
        (502, None, Failed("http_502", "no", status=502)),
        (403, None, Failed("http_403", "no", status=403)),
    ],
)
async def test_what_the_service_in_front_refuses_by_name_was_not_invoked(status, code, expected):
    named = f"x-amzn-ErrorType: {code}\r\n" if code else ""
    reply = f"HTTP/1.1 {status} X\r\nContent-Length: 2\r\n{named}\r\nno".encode()
    async with serving(answering(reply)) as server:
        function = signed(str(server.origin), "KEY")
        assert await function.invoke(EVENT) == expected
        await function.close()


async def test_without_credentials_nothing_is_sent():
    class Nothing:
        async def get_credentials(self):
            return None

    source = CredentialSource(Nothing, asyncio.get_running_loop().time)
    requests = SignedRequests("f", "http://127.0.0.1:9/", dict, source, service="lambda", region="r")
    function = HttpFunction("f", "http://127.0.0.1:9/", requests, timeout=5, payload_limit=1)
    outcome = await function.invoke(EVENT)
    assert isinstance(outcome, NotInvoked)
    assert outcome.code == "credentials"
    await function.close()


AUTHORITY = str(CERTIFICATES / "authority.pem")


async def test_a_client_certificate_opens_the_door():
    tls = TlsFiles(AUTHORITY, str(CERTIFICATES / "valid.pem"))
    async with serving(always_ok, certificate="valid", asks_for_certificate=True) as server:
        function = plain(f"{server.origin}/", tls=tls)
        assert await function.invoke(EVENT) == Succeeded(b"ok")
        await function.close()


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
async def test_a_function_url_is_trusted_by_the_bundle_that_is_set_for_aws_and_others_are_not(monkeypatch, variable):
    monkeypatch.setenv(variable, AUTHORITY)
    async with serving(always_ok, certificate="valid") as server:
        found = []
        for kind, signature in (("function_url", None), ("http", SigV4(service="lambda", region="r")), ("http", None)):
            web = WebOptions(url=f"{server.origin}/", sigv4=signature)
            config = FunctionConfig(key="f", type=kind, options=web, timeout_seconds=5, concurrency=1)
            function = web_function(config)
            found.append(await function.invoke(EVENT))
            await function.close()
    assert found[:2] == [Succeeded(b"ok")] * 2
    assert isinstance(refused := found[2], NotInvoked)
    assert (refused.code, "certificate verify failed" in refused.detail) == ("unreachable", True)


@contextlib.contextmanager
def refusing_server():
    """OpenSSL's own blocking server, since asyncio's closes without telling the client why."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATES / "valid.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(AUTHORITY)

    def serve():
        while True:
            try:
                accepted, _ = listening.accept()
            except OSError:
                return
            accepted.settimeout(5)
            with (
                contextlib.suppress(OSError),
                context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False) as tls,
            ):
                try:
                    tls.do_handshake()
                except ssl.SSLError:
                    # a close with bytes unread would be a reset, which may overtake the alert
                    while socket.socket.recv(tls, 65536):
                        pass
                    continue
                while tls.recv(65536):
                    tls.sendall(OK)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"https://127.0.0.1:{listening.getsockname()[1]}/"
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


async def test_without_a_good_one_nothing_was_invoked_and_a_renewed_one_is_taken_up(tmp_path):
    certificate = tmp_path / "client.pem"
    shutil.copy(CERTIFICATES / "expired.pem", certificate)
    with refusing_server() as url:
        function = plain(url, tls=TlsFiles(AUTHORITY, str(certificate)))
        outcome = await function.invoke(EVENT)
        assert (type(outcome), outcome.code) == (NotInvoked, "unreachable")
        shutil.copy(CERTIFICATES / "valid.pem", certificate)
        await function.invoke(EVENT)
        assert await function.invoke(EVENT) == Succeeded(b"ok")
        await function.close()


async def test_a_certificate_that_cannot_be_read_for_long_holds_no_other_function_up(tmp_path):
    certificate = tmp_path / "client.pem"
    shutil.copy(CERTIFICATES / "valid.pem", certificate)
    function = plain("https://127.0.0.1:1/", tls=TlsFiles(AUTHORITY, str(certificate)))
    certificate.unlink()
    os.mkfifo(certificate)  # as a file on a mount that hangs: it opens once somebody writes
    invoking = asyncio.create_task(function.invoke(EVENT))
    async with serving(always_ok) as server:
        other = plain(f"{server.origin}/")
        for _ in range(5):
            assert await other.invoke(EVENT) == Succeeded(b"ok")
        await other.close()
    await asyncio.to_thread(certificate.write_text, "no certificate")
    assert (await invoking).code == "unreachable"
    await function.close()


async def test_a_certificate_that_cannot_be_used_is_refused_at_the_start(tmp_path):
    (tmp_path / "empty.pem").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be used with its private key"):
        plain("https://h/", tls=TlsFiles(None, str(tmp_path / "empty.pem")))


@pytest.mark.parametrize(
    ("trace", "parent"),
    [
        (f"{TRACE};Parent=53995c3f42cd8ad8;Sampled=1", "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01"),
        (TRACE, None),
        (None, None),
    ],
)
async def test_a_trace_is_named_as_w3c_does_too_where_it_has_a_parent(trace, parent):
    sent = headers_of(await PlainRequests("f", "http://h/", dict).build(EVENT, trace))
    assert (sent.get("x-amzn-trace-id"), sent.get("traceparent")) == (trace, parent)


async def echo(peer):
    """Refuse with everything that was sent, as services do that help to find a mistake."""
    request = await peer.request()
    await peer.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n%b" % (len(request), request))


async def test_what_a_target_repeats_of_its_secrets_is_hidden_however_far_behind():
    headers = {"Authorization": "Bearer s3cr3t-token", "X-Long": "x" * 290 + "s3cr3t", "Content-Type": "text/plain"}
    signature = Hmac(lambda: "s3cr3t-key", "X-Signature", "X-Signature-Timestamp", "sha256")
    async with serving(echo) as server:
        function = plain(f"{server.origin}/", headers=lambda: headers, signature=signature)
        refused = await function.invoke(b"s3cr3t-key")
        await function.close()
    assert refused.error == "http_403"
    assert "s3cr3t" not in refused.detail
    assert "authorization: ***" in refused.detail
    assert "text/plain" in refused.detail


async def test_a_session_token_that_is_repeated_is_hidden():
    credentials = ReadOnlyCredentials("KEY", "secret", "t0ken-of-the-session", None)
    source = CredentialSource(lambda: _Session(credentials), asyncio.get_running_loop().time)
    async with serving(echo) as server:
        url = str(server.origin) + "/"
        own = {"X-Api-Key": "s3cr3t-key"}
        requests = SignedRequests("f", url, lambda: own, source, service="execute-api", region="eu-west-3")
        function = HttpFunction("f", url, requests, timeout=5, payload_limit=100)
        refused = await function.invoke(EVENT)
        await function.close()
    assert isinstance(refused, Failed)
    assert "t0ken" not in refused.detail
    assert "s3cr3t" not in refused.detail
