"""A scripted service, and a lean transport that calls it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiobotocore.credentials import AioCredentials

from poller.aws.credentials import CredentialSource
from poller.aws.endpoints import Endpoint
from poller.aws.lean import LeanTransport
from poller.aws.port import Operation
from tests.http.scripted import Peer, Script, Server, serving

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
