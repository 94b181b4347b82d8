"""The same conversation with a scripted service through either transport, and what is compared of it afterwards."""

import asyncio
import functools
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiobotocore.endpoint import AioEndpoint
from aiobotocore.session import AioSession
from botocore.loaders import create_loader

from poller.aws.credentials import CredentialSource
from poller.aws.endpoints import Endpoint
from poller.aws.lean import LeanTransport
from poller.aws.port import Operation, Transport
from poller.aws.sdk_transport import ReferenceTransport
from poller.values.errors import CallError, ServiceError
from tests.aws.service import Keys
from tests.http.scripted import Peer, serving

REGION = "eu-west-1"
READ_HEADERS = ("x-amzn-requestid", "x-amz-function-error", "x-amz-executed-version", "retry-after", "date")
"""What poller reads of an answer's headers."""
SENT_HEADERS = ("host", "x-amz-target", "x-amz-security-token", "x-amzn-query-mode", "accept-encoding")
"""What must not differ; the SDK has more of its own (`amz-sdk-*`, `user-agent`), which no service acts on."""

Turn = Callable[[Peer], Awaitable[None]]


def says(data: bytes) -> Turn:
    async def turn(peer: Peer) -> None:
        await peer.send(data)

    return turn


def ends_after(data: bytes) -> Turn:
    async def turn(peer: Peer) -> None:
        await peer.send(data)
        await peer.close()

    return turn


async def resets(peer: Peer) -> None:
    peer.reset()


async def hangs(peer: Peer) -> None:
    await peer.gone()


@dataclass
class Replay:
    """Answers each request by the next turn, whatever the connection; by the last one for ever."""

    turns: list[Turn]
    requests: list[bytes] = field(default_factory=list)

    async def __call__(self, peer: Peer) -> None:
        while request := await peer.request():
            self.requests.append(request)
            await self.turns[min(len(self.requests), len(self.turns)) - 1](peer)


@functools.cache
def _loader() -> Any:
    """The SDK's service models, read once for all tests."""
    return create_loader()


def lean(url: str, pauses: list[float], key: str = "KEY") -> Transport:
    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    return LeanTransport(
        credentials=CredentialSource(lambda: Keys(key), asyncio.get_running_loop().time),
        endpoint=lambda service: Endpoint(url, REGION, service),
        sleep=sleep,
    )


def reference(url: str, pauses: list[float], key: str = "KEY") -> Transport:
    """Needs `sdk_does_not_sleep`, which fills `pauses` from outside."""
    session = AioSession()
    session.register_component("data_loader", _loader())
    session.set_credentials(key, "secret", "token")
    _sleepers.append(pauses)
    return ReferenceTransport(lambda: session, REGION, lambda _: (url, None))


_sleepers: list[list[float]] = []


@pytest.fixture
def sdk_does_not_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pauses between attempts are random; only their number is compared."""

    async def sleep(_: AioEndpoint, seconds: float) -> None:
        _sleepers[-1].append(seconds)

    monkeypatch.setattr(AioEndpoint, "_sleep", sleep)
    _sleepers.clear()


NewTransport = Callable[..., Transport]
BOTH: dict[str, NewTransport] = {"lean": lean, "reference": reference}
EITHER = pytest.mark.parametrize("transport", BOTH.values(), ids=BOTH)


@dataclass
class Conversation:
    """What is equal for both transports."""

    result: dict[str, Any]
    requests: list[dict[str, Any]]
    pauses: int


async def conversation(
    new: NewTransport, operation: Operation, body: bytes, *turns: Turn, limit: float | None = None
) -> Conversation:
    replay = Replay(list(turns))
    pauses: list[float] = []
    async with serving(replay) as server:
        transport = new(str(server.origin), pauses)
        try:
            result = await result_of(transport, operation, body, limit)
        finally:
            await transport.close()
    place = str(server.origin).partition("//")[2]
    return Conversation(result, [told(request, place) for request in replay.requests], len(pauses))


async def result_of(
    transport: Transport, operation: Operation, body: bytes, limit: float | None = None
) -> dict[str, Any]:
    """The reply, or the error's class and values."""
    try:
        reply = await transport.call(operation, body, limit)
    except ServiceError as error:
        return {"error": "ServiceError", **vars(error)}
    except CallError as error:
        return {"error": type(error).__name__}
    headers = {name: reply.headers.get(name) for name in READ_HEADERS}
    return {"status": reply.status, "body": reply.body, "headers": headers}


def told(request: bytes, place: str) -> dict[str, Any]:
    """A request without what the two may say differently."""
    head, _, body = request.partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    method, target, version = line.split(" ")
    found: dict[str, Any] = {name: headers.get(name) for name in SENT_HEADERS}
    assert found.pop("host") == place
    scope = headers["authorization"].partition("Credential=")[2].partition(",")[0].split("/")
    found |= {"line": (method, target, version), "key": scope[0], "scope": scope[2:]}
    if found["x-amz-target"]:
        # the SDK writes its JSON anew, in spaces of its own
        found |= {"body": json.loads(body), "content-type": headers["content-type"]}
    else:
        found["body"] = body
    return found
