"""The front of Lambda's API: whose calls are taken, and in which form the others are refused."""

import asyncio
import io
import json
from contextlib import asynccontextmanager

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from poller.configuration import ApiCredential, ApiSettings, Secret
from poller.daemon.api import server
from poller.daemon.api.lambda_api import front
from poller.daemon.api.lambda_api.errors import LambdaError
from poller.daemon.api.lambda_api.operation import Answer, Call, Operation
from poller.daemon.api.server import serve
from tests.daemon.samples import STARTED_AT, Reloading, Steered, a_daemon
from tests.daemon.test_server import TOKEN, serving

pytestmark = pytest.mark.real_time

SECRET = "a secret of forty characters, no less ok"
CREDENTIALS = [
    ApiCredential(access_key_id="AKIAPOLLER", secret_access_key=Secret.text(SECRET), scopes=["read", "steer"])
]
PATH = "/2015-03-31/things/one"
HOST = "127.0.0.1:8642"
UNSIGNED = "AWS4-HMAC-SHA256 Credential=any/20200101/eu-west-1/lambda/aws4_request, SignedHeaders=host, Signature=0"
STAMP = "20260101T000000Z"


class Things:
    """Operations that tell what they are called with."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    async def take(self, call):
        self.calls.append(call)
        if "refuse" in call.query:
            raise LambdaError("ResourceConflictException", "there is one")
        if "hang" in call.query:
            await asyncio.sleep(3600)
        return Answer(202, {"parts": dict(call.parts), "document": call.document() if call.body else None})

    def operations(self):
        put = Operation(
            "PutThing", "PUT", "/2015-03-31/things/{Name}", "steer", self.take, body_limit=1000, seconds=0.2
        )
        return [put, Operation("InvokeThing", "POST", "/2015-03-31/things/{Name}/invocations", "invoke", self.take)]


def signature(method, target, body=b"", *, secret=SECRET, key="AKIAPOLLER", service="lambda", stamp=STAMP, host=HOST):
    """The headers of a request as botocore signs it."""
    request = AWSRequest(method, f"http://{host}{target}", data=body)
    auth = SigV4Auth(Credentials(key, secret), service, "eu-west-1")
    request.context["timestamp"] = request.headers["X-Amz-Date"] = stamp
    value = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    names = auth.signed_headers(auth.headers_to_sign(request))
    scope = auth.scope(request)
    authorization = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={names}, Signature={value}"
    return {"Authorization": authorization, "X-Amz-Date": stamp, "Host": host, "Content-Type": "application/json"}


async def put(ask, body=b"{}", path=PATH, **headers):
    code, answered, text = await ask(path, "PUT", body, **{"Content-Type": "application/json", **headers})
    return code, answered.get("x-amzn-ErrorType"), json.loads(text) if text else None


async def test_a_signed_call_is_answered_with_a_request_id():
    things = Things()
    async with serving(operations=things.operations(), credentials=CREDENTIALS) as ask:
        for slash in ("", "/"):
            target = f"/2015-03-31/things/a:b%2Fc{slash}"
            code, headers, text = await ask(target, "PUT", b'{"a": 1}', **signature("PUT", target, b'{"a": 1}'))
            assert (code, json.loads(text)) == (202, {"parts": {"Name": "a:b/c"}, "document": {"a": 1}})
            assert headers["x-amzn-RequestId"] == things.calls[-1].request_id
            assert things.calls[-1].region == "eu-west-1"


@pytest.mark.parametrize(
    ("changed", "code", "error", "said"),
    [
        ({"secret": SECRET + "x"}, 403, "InvalidSignatureException", "does not match the signature you provided"),
        ({"key": "AKIAOTHER"}, 403, "UnrecognizedClientException", "security token included in the request is invalid"),
        ({"service": "sqs"}, 403, "InvalidSignatureException", "scoped to correct service: 'lambda'"),
        ({"stamp": "20251231T235459Z"}, 403, "InvalidSignatureException", "Signature expired: 20251231T235459Z"),
        ({"stamp": "20260101T000501Z"}, 403, "InvalidSignatureException", "Signature not yet current"),
        ({"host": "evil.example"}, 403, "InvalidSignatureException", "does not match the signature you provided"),
    ],
)
async def test_other_signatures_are_refused_and_nothing_is_called(changed, code, error, said):
    things = Things()
    async with serving(operations=things.operations(), credentials=CREDENTIALS) as ask:
        headers = {**signature("PUT", PATH, b"{}", **changed), "Host": HOST}
        answer = await put(ask, **headers)
        assert answer[:2] == (code, error)
        assert said in answer[2]["message"]
        assert SECRET not in str(answer)
        assert things.calls == []


@pytest.mark.parametrize(
    ("replayed", "error"),
    [
        ({}, None),
        ({"body": b'{"a": 1}'}, "InvalidSignatureException"),
        ({"path": "/2015-03-31/things/two"}, "InvalidSignatureException"),
        ({"path": f"{PATH}?Qualifier=2"}, "InvalidSignatureException"),
        ({"Host": "127.0.0.1:1"}, "InvalidSignatureException"),
        ({"X-Amz-Date": "20260101T000001Z"}, "InvalidSignatureException"),
        ({"X-Amz-Security-Token": "more"}, "InvalidSignatureException"),
        ({"X-Amz-Invocation-Type": "Event"}, "InvalidSignatureException"),
    ],
)
async def test_a_signature_that_was_seen_is_good_for_the_same_call_alone(replayed, error):
    """The same call within five minutes is one that a client has sent again, which AWS takes as well."""
    things = Things()
    async with serving(operations=things.operations(), credentials=CREDENTIALS) as ask:
        signed = signature("PUT", PATH, b"{}")
        assert (await put(ask, **signed))[0] == 202
        assert (await put(ask, **{**signed, **replayed}))[1] == error
        assert len(things.calls) == (2 if error is None else 1)


@pytest.mark.parametrize("authorization", ["", "Bearer wrong", "Bearer ", "Basic eDp5", "nonsense", UNSIGNED])
async def test_with_credentials_and_a_token_nothing_else_will_do(authorization):
    things = Things()
    async with serving(operations=things.operations(), credentials=CREDENTIALS, token=TOKEN) as ask:
        assert (await put(ask, Authorization=authorization))[0] == 403
        assert (await put(ask, Authorization="Bearer s3cret-ü"))[0] == 202
        assert len(things.calls) == 1


async def test_a_token_alone_takes_no_signature():
    things = Things()
    async with serving(operations=things.operations(), token=TOKEN, token_scopes=["read"]) as ask:
        assert (await put(ask, **signature("PUT", PATH, b"{}")))[:2] == (403, "UnrecognizedClientException")
        code, error, body = await put(ask, Authorization="Bearer s3cret-ü")
        assert (code, error) == (403, "AccessDeniedException")
        assert body == {"message": "this credential does not allow lambda:PutThing: its scopes lack steer"}


async def test_a_credential_allows_what_its_scopes_say():
    things = Things()
    async with serving(operations=things.operations(), credentials=CREDENTIALS) as ask:
        target = f"{PATH}/invocations"
        code, headers, _ = await ask(target, "POST", b"{}", **signature("POST", target, b"{}"))
        assert (code, headers["x-amzn-ErrorType"]) == (403, "AccessDeniedException")
        assert things.calls == []


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({"Authorization": UNSIGNED}, None),
        ({}, "MissingAuthenticationTokenException"),
        ({"Authorization": "Bearer x"}, "IncompleteSignatureException"),
        ({"Authorization": UNSIGNED.replace("/lambda/", "/s3/")}, "InvalidSignatureException"),
        ({"Authorization": UNSIGNED, "Origin": "http://127.0.0.1:8642"}, "AccessDeniedException"),
        ({"Authorization": UNSIGNED, "Origin": "null"}, "AccessDeniedException"),
        ({"Authorization": UNSIGNED, "Host": "evil.example"}, "AccessDeniedException"),
        ({"Authorization": UNSIGNED, "Host": "127.0.0.1.evil.example"}, "AccessDeniedException"),
    ],
)
async def test_on_this_machine_any_signature_will_do_but_no_web_page_s(headers, error):
    things = Things()
    async with serving(operations=things.operations()) as ask:
        assert (await put(ask, **headers))[1] == error
        assert len(things.calls) == (error is None)


async def test_a_secret_that_is_lost_lets_nobody_in(tmp_path):
    file = tmp_path / "secret"
    file.write_text(SECRET)
    lost = [ApiCredential(access_key_id="AKIAPOLLER", secret_access_key=Secret("file", str(file)))]
    async with serving(operations=Things().operations(), credentials=lost) as ask:
        assert (await put(ask, **signature("PUT", PATH, b"{}")))[0] == 202
        file.write_text("")
        assert (await put(ask, **signature("PUT", PATH, b"{}", secret="")))[1] == "UnrecognizedClientException"
        file.unlink()
        code, error, body = await put(ask, **signature("PUT", PATH, b"{}"))
        assert (code, error) == (503, "ServiceException")
        assert str(file) not in str(body)


@pytest.mark.parametrize(
    ("asked", "code", "error"),
    [
        ({"body": b"{"}, 400, "InvalidRequestContentException"),
        ({"body": b"[]"}, 400, "InvalidRequestContentException"),
        ({"body": b'"text"'}, 400, "InvalidRequestContentException"),
        ({"body": b"\xff{}"}, 400, "InvalidRequestContentException"),
        ({"body": b'{"a": NaN}'}, 400, "InvalidRequestContentException"),
        ({"body": b"[" * 999}, 400, "InvalidRequestContentException"),
        ({"body": b" " * 1001}, 413, "RequestTooLargeException"),
        ({"body": io.BytesIO(b" " * 7_000_000)}, 413, "RequestTooLargeException"),
        ({"Content-Type": "text/plain"}, 415, "UnsupportedMediaTypeException"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415, "UnsupportedMediaTypeException"),
        ({"path": "/2015-03-31/thing/one"}, 501, "NotImplementedException"),
        ({"path": "/2015-03-31/things/one/two/three"}, 501, "NotImplementedException"),
        ({"path": "/2015-03-31/"}, 501, "NotImplementedException"),
        ({"path": f"{PATH}?refuse=1"}, 409, "ResourceConflictException"),
        ({"path": f"{PATH}?hang=1"}, 500, "ServiceException"),
    ],
)
async def test_every_refusal_has_aws_s_form(asked, code, error):
    things = Things()
    async with serving(operations=things.operations()) as ask:
        answered, named, body = await put(ask, **{"Authorization": UNSIGNED, **asked})
        assert (answered, named) == (code, error)
        assert body.get("message") or body.get("Message")
        assert (await put(ask, Authorization=UNSIGNED))[0] == 202


async def test_bodies_are_bounded_all_together(monkeypatch):
    monkeypatch.setattr(front, "MOST_BODY_BYTES", 10)
    async with serving(operations=Things().operations()) as ask:
        assert (await put(ask, b'{"a": "0123456789"}', Authorization=UNSIGNED))[:2] == (429, "TooManyRequestsException")
        assert (await put(ask, b'{"a": 1}', Authorization=UNSIGNED))[0] == 202


@asynccontextmanager
async def sending(things):
    """A function that sends text to the server and returns the whole answer."""
    api = ApiSettings(listen="127.0.0.1:0")
    async with (
        asyncio.timeout(20),
        serve(a_daemon(), api, Steered(a_daemon()), Reloading(), operations=things.operations()) as address,
    ):

        async def send(text):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
            writer.write(text.encode())
            answer = await reader.read()
            writer.close()
            return answer.decode()

        yield send


async def test_a_body_that_never_comes_is_given_up(monkeypatch):
    monkeypatch.setattr(front, "BODY_SECONDS", 0.05)
    monkeypatch.setattr(server, "LINGER_SECONDS", 0.05)
    async with sending(Things()) as send:
        answer = await send(
            f"PUT {PATH} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: {UNSIGNED}\r\nContent-Length: 9\r\n\r\n{{"
        )
        assert " 408 " in answer
        assert "x-amzn-ErrorType: RequestTimeoutException" in answer


@pytest.mark.parametrize("path", ["/2015-03-31/../status", "/2015-03-31/things/../../status", "/2015-03-31"])
async def test_a_path_of_lambda_s_leads_nowhere_else(path):
    async with sending(Things()) as send:
        answer = await send(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n")
        assert "x-amzn-ErrorType: MissingAuthenticationTokenException" in answer


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        (f"Authorization: {UNSIGNED}\r\nAuthorization: {UNSIGNED}\r\nContent-Length: 2", 403),
        (f"Authorization: {UNSIGNED}\r\nContent-Length: 2\r\nTransfer-Encoding: chunked", 400),
        (f"Authorization: {UNSIGNED}\r\nContent-Length: 2\r\nContent-Length: 3", 400),
        (f"Authorization: {UNSIGNED}\r\n folded\r\nContent-Length: 2", 400),
        (f"Authorization: {UNSIGNED}\r\nContent-Length: 2", 202),
    ],
)
async def test_smuggled_headers_are_refused(headers, code):
    things = Things()
    async with sending(things) as send:
        answer = await send(f"PUT {PATH} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n{headers}\r\n\r\n{{}}")
        assert int(answer.split()[1]) == code
        assert len(things.calls) == (code == 202)


def test_the_clock_of_these_tests_is_the_stamp_s():
    assert STARTED_AT == 1_767_225_600.0
