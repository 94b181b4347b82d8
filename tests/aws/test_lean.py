"""The lean transport against a scripted service: what it sends, what it sends again, what it raises."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from email.utils import formatdate
from typing import Any

import pytest
from aiobotocore.credentials import AioCredentials

from poller.aws.credentials import CredentialSource
from poller.aws.endpoints import Endpoint
from poller.aws.lean import LeanTransport, build_lean_transport
from poller.aws.port import Operation
from poller.errors import AnswerLost, NoCredentials, NotSent, ServiceError
from tests.aws.settings import Settings
from tests.http.scripted import Peer, Script, Server, answering, serving

pytestmark = pytest.mark.real_time

NOW = 1_767_225_600.0
RECEIVE = Operation("sqs", "ReceiveMessage", "AmazonSQS.ReceiveMessage", timeout=10)
INVOKE = Operation("lambda", "Invoke", path="/2015-03-31/functions/f/invocations", resend=False, timeout=10)
OPERATIONS = pytest.mark.parametrize("operation", [RECEIVE, INVOKE], ids=["may be sent again", "may not"])


def answer(status: int = 200, body: Any = None, **headers: str) -> bytes:
    data = b"" if body is None else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(data)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


def refusal(code: str, status: int = 400, **headers: str) -> bytes:
    return answer(status, {"__type": code, "message": "no"}, x_amzn_errortype=code, **headers)


GOOD = answer(200, {"good": True})


class Keys:
    """A session that gives the next of `keys` each time it is made anew."""

    def __init__(self, *keys: str) -> None:
        self.keys = list(keys)
        self.reads = 0

    async def get_credentials(self) -> Any:
        self.reads += 1
        if not self.keys:
            return None
        return AioCredentials(self.keys.pop(0) if len(self.keys) > 1 else self.keys[0], "secret", "token")


class Service:
    """Answers in order, over all connections; the last one for ever. None resets the connection."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.requests: list[str] = []

    async def __call__(self, peer: Peer) -> None:
        while request := await peer.request():
            self.requests.append(request.decode())
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if answer is None:
                peer.reset()
                return
            await peer.send(answer)

    def header(self, name: str) -> list[str | None]:
        """Its value in each request."""
        found = []
        for request in self.requests:
            lines = [line.partition(": ") for line in request.split("\r\n\r\n")[0].split("\r\n")]
            found.append(next((value for key, _, value in lines if key == name), None))
        return found

    @property
    def keys(self) -> list[str]:
        return [str(value).partition("Credential=")[2].partition("/")[0] for value in self.header("authorization")]


class Calls:
    """A transport to `server`, and the pauses it made between attempts."""

    def __init__(self, server: Server, keys: Keys, now: Callable[[], float]) -> None:
        self.pauses: list[float] = []
        self.transport = LeanTransport(
            credentials=CredentialSource(lambda: keys, asyncio.get_running_loop().time),
            endpoint=lambda service: Endpoint(str(server.origin), "eu-west-1", service),
            now=now,
            sleep=self._sleep,
            chance=lambda: 0.5,
        )
        self.call = self.transport.call

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)


@contextlib.asynccontextmanager
async def calling(
    service: Script, *, keys: Keys | None = None, now: Callable[[], float] = lambda: NOW
) -> AsyncIterator[Calls]:
    async with serving(service) as server:
        calls = Calls(server, keys or Keys("KEY"), now)
        try:
            yield calls
        finally:
            await calls.transport.close()


async def test_a_call_is_a_signed_post_and_its_answer_comes_back_whole() -> None:
    service = Service(answer(200, {"Messages": []}, x_amzn_requestid="id"))
    async with calling(service) as calls:
        reply = await calls.call(RECEIVE, b'{"QueueUrl":"q"}')
        assert (reply.status, reply.body, reply.headers["x-amzn-requestid"]) == (200, b'{"Messages": []}', "id")
    assert service.requests[0].startswith("POST / HTTP/1.1\r\n")
    assert service.requests[0].endswith('\r\n\r\n{"QueueUrl":"q"}')
    assert service.header("content-type") == ["application/x-amz-json-1.0"]
    assert service.header("x-amz-target") == ["AmazonSQS.ReceiveMessage"]
    assert service.header("x-amz-security-token") == ["token"]
    assert service.header("x-amzn-query-mode") == ["true"]
    assert service.keys == ["KEY"]
    assert calls.pauses == []


async def test_services_at_one_place_share_connections() -> None:
    async with serving(Service(GOOD)) as server:
        calls = Calls(server, Keys("KEY"), lambda: NOW)
        for operation in (RECEIVE, INVOKE, RECEIVE):
            await calls.call(operation, b"{}")
        assert server.connections == 1
        await calls.transport.close()


async def test_an_error_is_raised_with_the_values_of_the_answer() -> None:
    service = Service(
        refusal(
            "com.amazonaws.sqs#QueueDoesNotExist", x_amzn_query_error="AWS.SimpleQueueService.NonExistentQueue;Sender"
        )
    )
    async with calling(service) as calls:
        with pytest.raises(ServiceError) as caught:
            await calls.call(RECEIVE, b"{}")
    assert (caught.value.status, caught.value.code) == (400, "AWS.SimpleQueueService.NonExistentQueue")
    assert len(service.requests) == 1


@OPERATIONS
@pytest.mark.parametrize("status", [301, 302, 307, 304])
async def test_a_redirect_is_an_error_and_is_not_followed(operation: Operation, status: int) -> None:
    service = Service(answer(status, location="http://127.0.0.1:1/"))
    async with calling(service) as calls:
        with pytest.raises(ServiceError) as caught:
            await calls.call(operation, b"{}")
    assert caught.value.status == status
    assert len(service.requests) == 1


@pytest.mark.parametrize(
    "trouble", [refusal("InternalFailure", 500), answer(503), refusal("ThrottlingException"), None, b"garbage\r\n\r\n"]
)
async def test_what_may_do_better_is_sent_again_with_growing_pauses(trouble: bytes | None) -> None:
    service = Service(trouble, trouble, GOOD)
    async with calling(service) as calls:
        assert (await calls.call(RECEIVE, b"{}")).body == b'{"good": true}'
    assert len(service.requests) == 3
    assert calls.pauses == [0.5, 1.0]


async def test_after_three_attempts_the_last_error_is_raised() -> None:
    service = Service(answer(500), None, refusal("SlowDown", 503))
    async with calling(service) as calls:
        with pytest.raises(ServiceError, match="SlowDown"):
            await calls.call(RECEIVE, b"{}")
    assert len(service.requests) == 3


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (answer(500), ServiceError),
        (answer(503), ServiceError),
        (refusal("TooManyRequestsException", 429), ServiceError),
        (refusal("ExpiredTokenException", 403), ServiceError),
        (refusal("InvalidSignatureException", 403, date=formatdate(NOW + 9000, usegmt=True)), ServiceError),
        (None, AnswerLost),
        (b"garbage", AnswerLost),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" * 2, AnswerLost),
    ],
)
async def test_an_invoke_is_never_sent_twice(trouble: bytes | None, error: type[Exception]) -> None:
    service = Service(trouble)
    async with calling(service, keys=Keys("OLD", "NEW")) as calls:
        with pytest.raises(error):
            await calls.call(INVOKE, b"{}")
    assert len(service.requests) == 1
    assert calls.pauses == []


async def test_an_invoke_that_is_not_answered_in_time_is_lost_and_not_sent_again() -> None:
    asked = []

    async def silent(peer: Peer) -> None:
        asked.append(await peer.request())
        await peer.gone()

    async with calling(silent) as calls:
        with pytest.raises(AnswerLost, match="in time"):
            await calls.call(INVOKE, b"{}", timeout=0.05)
    assert len(asked) == 1


async def test_an_answer_over_the_operations_limit_is_lost() -> None:
    small = Operation("lambda", "Invoke", resend=False, max_reply_bytes=10)
    async with calling(Service(answer(200, "x" * 9))) as calls:
        with pytest.raises(AnswerLost, match="larger than 10 bytes"):
            await calls.call(small, b"{}")


async def test_an_outage_is_not_answered_with_three_times_the_load() -> None:
    service = Service(answer(500))
    async with calling(service) as calls:
        for _ in range(120):
            with pytest.raises(ServiceError):
                await calls.call(RECEIVE, b"{}")
    # 500 tokens pay for 100 retries
    assert len(service.requests) == 220


@pytest.mark.parametrize(
    "code", ["ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"]
)
async def test_refused_credentials_are_read_anew_and_the_call_sent_again(code: str) -> None:
    service = Service(refusal(code, 403), GOOD)
    keys = Keys("OLD", "NEW")
    async with calling(service, keys=keys) as calls:
        assert (await calls.call(RECEIVE, b"{}")).status == 200
        await calls.call(RECEIVE, b"{}")
    assert service.keys == ["OLD", "NEW", "NEW"]
    assert (keys.reads, calls.pauses) == (2, [])


async def test_the_invoke_after_a_refused_one_has_the_new_credentials() -> None:
    service = Service(refusal("ExpiredTokenException", 403), GOOD)
    async with calling(service, keys=Keys("OLD", "NEW")) as calls:
        with pytest.raises(ServiceError):
            await calls.call(INVOKE, b"{}")
        assert (await calls.call(INVOKE, b"{}")).status == 200
    assert service.keys == ["OLD", "NEW"]


async def test_credentials_that_stay_refused_are_read_once_per_call() -> None:
    service = Service(refusal("InvalidClientTokenId", 403))
    keys = Keys("OLD", "ALSO", "BAD", "ONES")
    async with calling(service, keys=keys) as calls:
        with pytest.raises(ServiceError, match="InvalidClientTokenId"):
            await calls.call(RECEIVE, b"{}")
    assert service.keys == ["OLD", "ALSO"]


@pytest.mark.parametrize(
    "code", ["RequestTimeTooSkewed", "RequestExpired", "InvalidSignatureException", "SignatureDoesNotMatch"]
)
@pytest.mark.parametrize("skew", [-7200, 7200])
async def test_a_wrong_clock_is_corrected_by_the_services(code: str, skew: int) -> None:
    service = Service(refusal(code, 403, date=formatdate(NOW + skew, usegmt=True)), GOOD)
    async with calling(service) as calls:
        await calls.call(RECEIVE, b"{}")
        await calls.call(RECEIVE, b"{}")
    right = "20260101T020000Z" if skew > 0 else "20251231T220000Z"
    assert service.header("x-amz-date") == ["20260101T000000Z", right, right]


@pytest.mark.parametrize("date", [formatdate(NOW + 60, usegmt=True), "nonsense"])
async def test_a_refusal_that_the_clock_does_not_explain_is_raised(date: str) -> None:
    service = Service(refusal("InvalidSignatureException", 403, date=date))
    async with calling(service) as calls:
        with pytest.raises(ServiceError, match="InvalidSignatureException"):
            await calls.call(RECEIVE, b"{}")
    assert len(service.requests) == 1


async def test_without_credentials_nothing_is_sent() -> None:
    service = Service(GOOD)
    keys = Keys()
    async with calling(service, keys=keys) as calls:
        with pytest.raises(NoCredentials):
            await calls.call(RECEIVE, b"{}")
        assert service.requests == []
        keys.keys = ["KEY"]
        assert (await calls.call(RECEIVE, b"{}")).status == 200


@OPERATIONS
async def test_nobody_there_means_not_sent(operation: Operation) -> None:
    async with serving(answering()) as server:
        pass
    calls = Calls(server, Keys("KEY"), lambda: NOW)
    with pytest.raises(NotSent):
        await calls.call(operation, b"{}")
    assert len(calls.pauses) == (2 if operation.resend else 0)
    await calls.transport.close()


async def test_close_ends_calls_and_refuses_new_ones() -> None:
    asked = asyncio.Event()

    async def silent(peer: Peer) -> None:
        await peer.request()
        asked.set()
        await peer.gone()

    async with calling(silent) as calls:
        running = asyncio.create_task(calls.call(INVOKE, b"{}"))
        await asked.wait()
        await calls.transport.close()
        with pytest.raises(AnswerLost):
            await running
        for operation in (RECEIVE, INVOKE):
            with pytest.raises(NotSent):
                await calls.call(operation, b"{}")


@pytest.mark.usefixtures("credentials")
async def test_a_transport_is_built_from_settings() -> None:
    service = Service(GOOD)
    async with serving(service) as server:
        settings = Settings(endpoint_url=str(server.origin) + "/base/", regions={"lambda": "us-east-1"})
        transport = await build_lean_transport(settings, "eu-west-1")
        await transport.call(RECEIVE, b"{}")
        await transport.call(INVOKE, b"{}")
        await transport.close()
    assert service.requests[0].startswith("POST /base/ HTTP/1.1")
    assert service.requests[1].startswith("POST /base/2015-03-31/functions/f/invocations HTTP/1.1")
    scopes = [str(value).partition("Credential=")[2].split("/")[2:4] for value in service.header("authorization")]
    assert scopes == [["eu-west-1", "sqs"], ["us-east-1", "lambda"]]


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize(("variable", "value"), [("AWS_ENDPOINT_URL", "nowhere"), ("AWS_CA_BUNDLE", "missing.pem")])
async def test_a_setting_of_the_sdk_that_cannot_be_used_is_told_at_the_call(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    transport = await build_lean_transport(Settings(), "eu-west-1")
    with pytest.raises(NotSent, match=value):
        await transport.call(INVOKE, b"{}")
    await transport.close()


@pytest.mark.usefixtures("credentials")
async def test_a_profile_that_does_not_exist_is_told_at_the_call() -> None:
    transport = await build_lean_transport(Settings(profile="nobody"), "eu-west-1")
    with pytest.raises(NoCredentials, match="nobody"):
        await transport.call(RECEIVE, b"{}")
    await transport.close()
