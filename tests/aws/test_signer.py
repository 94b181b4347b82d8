"""Requests carry the signature the SDK would give them."""

import datetime as dt
import string
from typing import Any
from urllib.parse import quote

import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from poller.aws.port import Operation
from poller.aws.signer import Credentials, Signer

NOW = 1_767_225_600.0
KEYS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
RECEIVE = Operation("sqs", "ReceiveMessage", "AmazonSQS.ReceiveMessage")


def parsed(request: bytes) -> tuple[str, dict[str, str], bytes]:
    """Request target, headers, body."""
    head, _, body = request.partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    return line.split(" ")[1], dict(line.split(": ", 1) for line in lines), body


def signed_by_sdk(
    monkeypatch: pytest.MonkeyPatch,
    url: str,
    headers: dict[str, str],
    body: bytes,
    credentials: Credentials,
    *,
    now: float = NOW,
) -> str:
    monkeypatch.setattr(
        botocore.auth, "get_current_datetime", lambda: dt.datetime.fromtimestamp(now, dt.UTC).replace(tzinfo=None)
    )
    request = AWSRequest("POST", url, data=body, headers=headers)
    SigV4Auth(ReadOnlyCredentials(*credentials, None), "sqs", "eu-west-1").add_auth(request)
    return str(request.headers["Authorization"])


visible = st.text(string.ascii_letters + string.digits + "/+=-_.", min_size=1, max_size=40)
segment = (
    st.text(min_size=0, max_size=12).filter(lambda text: text.isprintable()).map(lambda text: quote(text, safe=""))
)
path = st.lists(segment | st.sampled_from([".", "..", "arn%3Aaws%3Alambda%3Aeu-west-1%3A1%3Afunction%3Af"]), max_size=4)
query = st.lists(st.tuples(visible.map(lambda t: quote(t, safe="")), segment), max_size=3)
header = st.tuples(
    st.text(string.ascii_letters, min_size=1, max_size=8).map("X-Test-".__add__),
    st.text(string.ascii_letters + " ", min_size=1, max_size=12).map(str.strip),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    endpoint=st.sampled_from(
        ["https://sqs.eu-west-1.amazonaws.com", "http://127.0.0.1:4566", "https://h:443", "http://Here:80/base/path/"]
    ),
    segments=path,
    query=query,
    headers=st.dictionaries(
        st.just("X-Test-A") | st.just("X-Test-B"), st.text("ab ", min_size=1, max_size=9), max_size=2
    ),
    target=st.none() | visible,
    token=st.none() | visible,
    secret=visible,
    body=st.binary(max_size=2000),
)
def test_the_signature_is_the_sdks(
    *,
    monkeypatch: pytest.MonkeyPatch,
    endpoint: str,
    segments: list[str],
    query: list[tuple[str, str]],
    headers: dict[str, str],
    target: str | None,
    token: str | None,
    secret: str,
    body: bytes,
) -> None:
    path = "/" + "/".join(segments)
    path += "?" + "&".join(f"{name}={value}" for name, value in query) if query else ""
    operation = Operation("lambda", "Invoke", target, path=path, headers=tuple(headers.items()))
    credentials = Credentials("AKID", secret, token)
    signer = Signer("sqs", "eu-west-1", endpoint, credentials, unsigned_headers=(("user-agent", "x"),), now=lambda: NOW)
    sent_to, sent, sent_body = parsed(signer.request(operation, body))
    sdk_headers = {"Content-Type": operation.content_type, "User-Agent": "y", **headers}
    if target is not None:
        sdk_headers["X-Amz-Target"] = target
    url = endpoint.lower().rstrip("/") + path if "base" not in endpoint else "http://here:80/base/path" + path
    expected = signed_by_sdk(monkeypatch, url, sdk_headers, body, credentials)
    assert sent["authorization"] == expected
    assert sent_body == body
    assert sent["content-length"] == str(len(body))
    assert sent_to.endswith(path)
    assert sent.get("x-amz-security-token") == token


def test_the_host_header_has_no_default_port() -> None:
    for endpoint, host in {
        "https://h:443": "h",
        "http://h:80": "h",
        "http://h:443": "h:443",
        "http://[::1]:9": "[::1]:9",
    }.items():
        assert parsed(Signer("sqs", "r", endpoint, KEYS).request(RECEIVE, b""))[1]["host"] == host


def test_equal_requests_of_one_second_are_the_same_bytes_and_those_of_the_next_are_not() -> None:
    now = [NOW]
    signer = Signer("sqs", "eu-west-1", "http://h", KEYS, now=lambda: now[0])
    first = signer.request(RECEIVE, b"{}")
    now[0] += 0.9
    assert signer.request(RECEIVE, b"{}") is first
    assert signer.request(RECEIVE, b"{ }") != first
    now[0] += 0.2
    assert signer.request(RECEIVE, b"{}") != first


def test_large_or_many_bodies_are_signed_but_not_kept() -> None:
    signer = Signer("sqs", "eu-west-1", "http://h", KEYS, now=lambda: NOW)
    large = b"x" * 5000
    assert signer.request(RECEIVE, large) == signer.request(RECEIVE, large)
    assert signer.request(RECEIVE, large) is not signer.request(RECEIVE, large)
    bodies = [b"%d" % number for number in range(500)]
    first = [signer.request(RECEIVE, body) for body in bodies]
    again = [signer.request(RECEIVE, body) for body in bodies]
    assert 0 < sum(one is other for one, other in zip(first, again, strict=True)) <= 64


def test_operations_with_one_body_get_requests_of_their_own() -> None:
    signer = Signer("sqs", "eu-west-1", "http://h", KEYS, now=lambda: NOW)
    delete = Operation("sqs", "DeleteMessageBatch", "AmazonSQS.DeleteMessageBatch")
    targets = [parsed(signer.request(operation, b"{}"))[1]["x-amz-target"] for operation in (RECEIVE, delete, RECEIVE)]
    assert targets == ["AmazonSQS.ReceiveMessage", "AmazonSQS.DeleteMessageBatch", "AmazonSQS.ReceiveMessage"]


@pytest.mark.parametrize("change", ["day", "credentials", "skew"])
def test_what_was_prepared_is_not_used_beyond_its_time(monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    now, credentials = [NOW], KEYS
    signer = Signer("sqs", "eu-west-1", "http://h", KEYS, now=lambda: now[0])
    signer.request(RECEIVE, b"{}")
    at = NOW
    match change:
        case "day":
            at = now[0] = NOW + 86_400
        case "credentials":
            credentials = Credentials("OTHER", "other", "token")
            signer.use(credentials)
        case "skew":
            at = NOW - 90_000
            signer.correct(-90_000)
    headers: dict[str, Any] = {"Content-Type": RECEIVE.content_type, "X-Amz-Target": RECEIVE.target}
    expected = signed_by_sdk(monkeypatch, "http://h/", headers, b"{}", credentials, now=at)
    assert parsed(signer.request(RECEIVE, b"{}"))[1]["authorization"] == expected
