"""The kernel probes the other side of every connection we open, long before a NAT gateway forgets it."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from poller.aws.chain import open_session
from poller.aws.credentials import CredentialSource
from poller.aws.lean import build_lean_transport
from poller.aws.port import Operation
from poller.aws.sdk_calls import SdkCalls
from poller.aws.sdk_transport import ReferenceTransport
from poller.functions.web.http import HttpFunction
from poller.functions.web.requests import PlainRequests
from poller.values.errors import CallError
from tests.aws.recorded import RECEIVE, body_for
from tests.aws.settings import Settings
from tests.http.scripted import Peer, serving

pytestmark = [pytest.mark.real_time, pytest.mark.usefixtures("credentials")]

REGION = "eu-west-1"
FORGOTTEN_AFTER = 350
"""Seconds of silence after which AWS's NAT gateways and network load balancers forget a connection."""


@asynccontextmanager
async def lean(url: str) -> AsyncIterator[Any]:
    transport = await build_lean_transport(Settings(endpoint_url=url), REGION)
    yield partial(transport.call, RECEIVE, body_for(RECEIVE))
    await transport.close()


@asynccontextmanager
async def fan_out(url: str) -> AsyncIterator[Any]:
    transport = await build_lean_transport(Settings(endpoint_url=url), REGION)
    yield partial(
        transport.subscribe, Operation("kinesis", "SubscribeToShard", "Kinesis_20131202.SubscribeToShard"), b"{}"
    )
    await transport.close()


@asynccontextmanager
async def reference(url: str) -> AsyncIterator[Any]:
    settings = Settings(endpoint_url=url)
    transport = ReferenceTransport(partial(open_session, settings, REGION), REGION, settings.for_service)
    yield partial(transport.call, RECEIVE, body_for(RECEIVE))
    await transport.close()


@asynccontextmanager
async def sdk_calls(url: str) -> AsyncIterator[Any]:
    yield partial(SdkCalls(Settings(endpoint_url=url), REGION).call, "sns", "publish", TopicArn="t", Message="m")


@asynccontextmanager
async def sts(url: str) -> AsyncIterator[Any]:
    settings = Settings(endpoint_url=url, role_arn="arn:aws:iam::123456789012:role/r")
    source = CredentialSource(partial(open_session, settings, REGION), lambda: 0.0)
    yield source.current
    await source.close()


@asynccontextmanager
async def http(url: str, proxy: str | None = None) -> AsyncIterator[Any]:
    requests = PlainRequests("f", url, dict)
    function = HttpFunction("f", url, requests, timeout=10.0, payload_limit=1000, proxy=proxy)
    yield partial(function.invoke, b"{}")
    await function.close()


@asynccontextmanager
async def proxied(url: str) -> AsyncIterator[Any]:
    async with http("http://far.example/", url) as call:
        yield call


OPENED: list[Callable[[str], Any]] = [lean, fan_out, reference, sdk_calls, sts, http, proxied]


@pytest.mark.parametrize("opened", OPENED, ids=lambda opened: opened.__name__)
async def test_the_kernel_keeps_every_connection_alive(opened: Callable[[str], Any]) -> None:
    accepted: asyncio.Queue[Peer] = asyncio.Queue()

    async def silent(peer: Peer) -> None:
        accepted.put_nowait(peer)
        await peer.gone()

    async with serving(silent) as server, opened(str(server.origin)) as call:
        calling = asyncio.create_task(_quietly(call))
        await accepted.get()
        [found] = _connections_to(server.origin.port)
        with found:
            assert found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            first, between, probes = (
                found.getsockopt(socket.IPPROTO_TCP, option)
                for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            )
        assert first + between * probes < FORGOTTEN_AFTER
        assert first <= FORGOTTEN_AFTER / 2, "one lost probe is not the end"
        calling.cancel()
        await asyncio.wait([calling])


async def _quietly(call: Callable[[], Awaitable[object]]) -> None:
    with suppress(CallError):
        await call()


def _connections_to(port: int) -> list[socket.socket]:
    """Read off this process's own descriptors."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            copy = socket.socket(fileno=os.dup(int(entry.name)))
        except OSError:
            continue
        try:
            is_it = copy.family == socket.AF_INET and copy.getpeername()[1] == port
        except OSError:
            is_it = False
        if is_it:
            found.append(copy)
        else:
            copy.close()
    return found
