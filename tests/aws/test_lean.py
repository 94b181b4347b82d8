"""The lean transport against a scripted service: what it sends and what it raises."""

import pytest

from poller.aws.lean import build_lean_transport
from poller.aws.port import Operation
from poller.values.errors import NoCredentials, NotSent, ServiceError
from tests.aws.service import GOOD, INVOKE, NOW, OPERATIONS, RECEIVE, Calls, Keys, Service, answer, calling, refusal
from tests.aws.settings import Settings
from tests.http.scripted import CERTIFICATES, serving

pytestmark = pytest.mark.real_time


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
@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
async def test_the_authorities_are_those_the_sdk_would_trust(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    async with serving(Service(GOOD), certificate="valid", scheme_host="localhost") as server:
        settings = Settings(endpoint_url=str(server.origin))
        untrusting = await build_lean_transport(settings, "eu-west-1")
        with pytest.raises(NotSent, match="certificate verify failed"):
            await untrusting.call(INVOKE, b"{}")
        await untrusting.close()
        monkeypatch.setenv(variable, str(CERTIFICATES / "authority.pem"))
        transport = await build_lean_transport(settings, "eu-west-1")
        assert (await transport.call(INVOKE, b"{}")).status == 200
        await transport.close()


@pytest.mark.usefixtures("credentials")
async def test_a_profile_that_does_not_exist_is_told_at_the_call() -> None:
    transport = await build_lean_transport(Settings(profile="nobody"), "eu-west-1")
    with pytest.raises(NoCredentials, match="nobody"):
        await transport.call(RECEIVE, b"{}")
    await transport.close()
