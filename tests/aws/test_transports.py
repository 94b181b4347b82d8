"""Transports are shared by equal settings, counted by outcome, and the SDK's where a proxy applies."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from poller.aws.transports import SERVICES, Transports
from poller.configuration import AwsSettings
from poller.support.telemetry import logger
from poller.values.errors import CallError, NoCredentials, NotSent
from tests.aws.recorded import INVOKE, RECEIVE, body_for
from tests.aws.service import GOOD, Service, answer, refusal
from tests.http.forwarding import Forward
from tests.http.scripted import Peer, serving

pytestmark = [pytest.mark.real_time, pytest.mark.usefixtures("credentials", "sdk_does_not_sleep")]
REGION = "eu-west-1"
PROXY = "http://proxy.invalid:3128"
LAMBDA_HOST = "lambda.eu-west-1.amazonaws.com"


@asynccontextmanager
async def the_transports() -> AsyncIterator[Transports]:
    transports = Transports(logger())
    try:
        yield transports
    finally:
        await transports.close()


def settings(url: object = None, **more: Any) -> AwsSettings:
    return AwsSettings.model_validate({"endpoint_url": None if url is None else str(url), **more})


async def test_equal_settings_share_a_transport_and_others_do_not() -> None:
    async with the_transports() as transports:
        first = await transports.get(settings("http://127.0.0.1:1"), REGION)
        assert await transports.get(settings("http://127.0.0.1:1"), REGION) is first
        assert await transports.get(settings("http://127.0.0.1:1"), "us-east-1") is not first
        assert await transports.get(settings("http://127.0.0.1:2"), REGION) is not first
        assert await transports.get(settings("http://127.0.0.1:1", profile="p"), REGION) is not first
        assert await transports.get(settings("http://127.0.0.1:1", transport="aiobotocore"), REGION) is not first


@pytest.mark.parametrize("transport", ["lean", "aiobotocore"])
async def test_every_call_is_counted_once_by_what_came_of_it(transport: str) -> None:
    denied = refusal("AccessDeniedException", 403)
    service = Service(GOOD, GOOD, answer(200, {}), denied, answer(429), None)
    async with the_transports() as transports:
        async with serving(service) as server:
            calls = await transports.get(settings(server.origin, transport=transport), REGION)
            for operation in (RECEIVE, RECEIVE, INVOKE, INVOKE, RECEIVE, INVOKE):
                await _outcome(calls, operation)
        await _outcome(calls, INVOKE)
        assert transports.counts.by_outcome == {
            ("sqs", "ReceiveMessage", "ok"): 2,
            ("lambda", "Invoke", "ok"): 1,
            ("lambda", "Invoke", "AccessDeniedException"): 1,
            ("sqs", "ReceiveMessage", "429"): 1,
            ("lambda", "Invoke", "lost"): 1,
            ("lambda", "Invoke", "not_sent"): 1,
        }


async def _outcome(calls: Any, operation: Any) -> None:
    try:
        await calls.call(operation, body_for(operation))
    except CallError:
        return


@pytest.mark.parametrize(
    ("environ", "services"),
    [
        ({}, None),
        ({"HTTP_PROXY": PROXY}, None),
        ({"HTTPS_PROXY": PROXY}, list(SERVICES)),
        ({"https_proxy": PROXY, "no_proxy": "amazonaws.com"}, None),
        ({"https_proxy": PROXY, "no_proxy": LAMBDA_HOST}, [service for service in SERVICES if service != "lambda"]),
        ({"https_proxy": PROXY, "NO_PROXY": "sqs.eu-west-1.amazonaws.com:443"}, list(SERVICES)),
        ({"https_proxy": PROXY, "NO_PROXY": "*"}, None),
    ],
)
async def test_a_proxy_that_applies_to_a_service_chooses_the_sdk_and_is_logged(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], services: list[str] | None
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with capture_logs() as logged:
        async with the_transports() as transports:
            await transports.get(settings(), REGION)
    chosen = {
        "event": "transport_chosen",
        "log_level": "info",
        "transport": "aiobotocore",
        "because": "a proxy applies",
        "services": services,
    }
    assert logged == ([] if services is None else [chosen])


async def test_calls_reach_the_service_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    service, forward = Service(GOOD), Forward()
    async with serving(service) as server, serving(forward) as proxy, the_transports() as transports:
        monkeypatch.setenv("HTTP_PROXY", str(proxy.origin).replace("http://", "http://me:pass@"))
        calls = await transports.get(settings(server.origin), REGION)
        assert (await calls.call(RECEIVE, body_for(RECEIVE))).body == b'{"good": true}'
        assert forward.lines == [f"POST {server.origin}/ HTTP/1.1"]
    assert forward.authorizations == ["Basic bWU6cGFzcw=="]
    assert f"Credential={os.environ['AWS_ACCESS_KEY_ID']}/" in service.requests[0]


async def test_a_service_excepted_from_the_proxy_is_reached_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    service, forward = Service(GOOD), Forward()
    async with serving(service) as server, serving(forward) as proxy, the_transports() as transports:
        monkeypatch.setenv("HTTP_PROXY", str(proxy.origin))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        services = {"lambda": {"endpoint_url": f"http://localhost:{server.origin.port}"}}
        calls = await transports.get(settings(server.origin, services=services), REGION)
        await calls.call(RECEIVE, body_for(RECEIVE))
        await calls.call(INVOKE, b"{}")
        assert [line.split(" ")[1].partition("/2015")[0] for line in forward.lines] == [
            f"http://localhost:{server.origin.port}"
        ]
    assert len(service.requests) == 2


async def test_without_the_proxy_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resets(peer: Peer) -> None:
        peer.reset()

    async with serving(resets) as gone:
        pass
    monkeypatch.setenv("HTTP_PROXY", str(gone.origin))
    async with the_transports() as transports:
        calls = await transports.get(settings("http://127.0.0.1:1"), REGION)
        with pytest.raises(NotSent):
            await calls.call(INVOKE, b"{}")


@pytest.mark.parametrize("proxy", ["", PROXY], ids=["direct", "proxy"])
@pytest.mark.parametrize("transport", ["lean", "aiobotocore"])
@pytest.mark.parametrize(
    ("aws", "region", "error", "reason"),
    [
        (settings(), "not a region", NotSent, "not a region"),
        (settings(profile="nobody"), REGION, NoCredentials, "nobody"),
    ],
)
async def test_a_region_or_profile_that_does_not_exist_ends_each_call_with_its_name(
    monkeypatch: pytest.MonkeyPatch,
    *,
    proxy: str,
    transport: str,
    aws: AwsSettings,
    region: str,
    error: type[CallError],
    reason: str,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    async with the_transports() as transports:
        calls = await transports.get(aws.model_copy(update={"transport": transport}), region)
        for _ in range(2):
            with pytest.raises(error, match=reason):
                await calls.call(INVOKE, b"{}")
