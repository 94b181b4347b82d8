"""A service that checks signatures as AWS does, with the SDK's own code, takes what the lean transport sends."""

from urllib.parse import quote

import pytest
from aiobotocore.credentials import AioCredentials
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from poller.aws.credentials import CredentialSource
from poller.aws.endpoints import Endpoint
from poller.aws.lean import LeanTransport
from poller.aws.port import Operation
from poller.values.errors import ServiceError
from tests.aws.recorded import ODD, READ_OR_INVOKE, body_for
from tests.aws.service import answer
from tests.fakes.operations import invoke, sqs
from tests.http.scripted import Peer, serving

pytestmark = pytest.mark.real_time

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:or-de_rs"
OPERATIONS = {
    "AWS JSON": sqs("ReceiveMessage"),
    "name": invoke("orders"),
    "ARN": invoke(quote(ARN, safe="")),
    "ARN, colons as they are": invoke(ARN),
    "qualifier": Operation("lambda", "Invoke", path="/2015-03-31/functions/f/invocations?Qualifier=%24LATEST"),
    "several parameters": Operation("lambda", "Invoke", path="/a%20b/~c?z=1&a=%2F&a=&B"),
    "own headers": Operation("sqs", "X", "T", headers=(("X-Amz-Two", "a   b"), ("A", " c "))),
}


class Verifier:
    """Recomputes each signature from nothing but the bytes that arrived and the secret."""

    def __init__(self, credentials: ReadOnlyCredentials) -> None:
        self._credentials = credentials
        self.accepted = 0

    async def __call__(self, peer: Peer) -> None:
        while request := await peer.request():
            good = self._is_signed(request)
            self.accepted += good
            await peer.send(answer(200, {}) if good else answer(403, {"__type": "SignatureDoesNotMatch"}))

    def _is_signed(self, request: bytes) -> bool:
        head, _, body = request.partition(b"\r\n\r\n")
        line, *lines = head.decode().split("\r\n")
        method, target, _ = line.split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        scheme, *fields = headers["authorization"].replace(",", "").split(" ")
        told = dict(field.split("=", 1) for field in fields)
        signed = told["SignedHeaders"].split(";")
        if scheme != "AWS4-HMAC-SHA256" or not {"host", "x-amz-date"} <= set(signed):
            return False
        if headers.get("x-amz-security-token") != self._credentials.token:
            return False
        key, _, region, service, _ = told["Credential"].split("/")
        seen = AWSRequest(
            method,
            f"http://{headers['host']}{target}",
            headers={name: headers[name] for name in signed},
            data=body,
        )
        seen.context["timestamp"] = headers["x-amz-date"]
        auth = SigV4Auth(self._credentials, service, region)
        expected = auth.signature(auth.string_to_sign(seen, auth.canonical_request(seen)), seen)
        return bool(key == self._credentials.access_key and told["Signature"] == expected)


class _Session:
    def __init__(self, credentials: ReadOnlyCredentials) -> None:
        self._credentials = credentials

    async def get_credentials(self) -> AioCredentials:
        return AioCredentials(self._credentials.access_key, self._credentials.secret_key, self._credentials.token)


def _transport(url: str, credentials: ReadOnlyCredentials) -> LeanTransport:
    return LeanTransport(
        credentials=CredentialSource(lambda: _Session(credentials), lambda: 0.0),
        endpoint=lambda service: Endpoint(url, "eu-west-1", service),
    )


@pytest.mark.parametrize("token", [None, "FwoGZXIvYXdzE/+=="], ids=["long-term", "session token"])
@pytest.mark.parametrize("base", ["", "/base/path/"], ids=["bare endpoint", "endpoint with a path"])
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
async def test_what_arrives_is_signed_for_what_arrives(operation: Operation, base: str, token: str | None) -> None:
    credentials = ReadOnlyCredentials("AKIDEXAMPLE", "wJalr/+secret", token, None)
    verifier = Verifier(credentials)
    async with serving(verifier) as server:
        transport = _transport(f"{server.origin}{base}", credentials)
        for body in (b"{}", b"{}", ODD.encode(), b"", b"\x00" * 100_000):
            assert (await transport.call(operation, body)).status == 200
        await transport.close()
    assert verifier.accepted == 5


@READ_OR_INVOKE
async def test_the_verifier_refuses_what_another_secret_signed(operation: Operation) -> None:
    verifier = Verifier(ReadOnlyCredentials("AKIDEXAMPLE", "right", None, None))
    async with serving(verifier) as server:
        transport = _transport(str(server.origin), ReadOnlyCredentials("AKIDEXAMPLE", "wrong", None, None))
        with pytest.raises(ServiceError, match="403"):
            await transport.call(operation, body_for(operation))
        await transport.close()
    assert verifier.accepted == 0
