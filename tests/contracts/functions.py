"""Every type of function with a counterpart that does as it is told: what the function contract runs over.

A `Kind` opens a function whose counterpart behaves in a given way, one behaviour per invocation, the last one for all
that follow. Another type joins by one more entry in `KINDS`; behaviours that it cannot have are left out of `can`.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from botocore.credentials import ReadOnlyCredentials

from poller.aws.credentials import CredentialSource
from poller.functions.invoke_answers import READ_MARGIN
from poller.functions.lambda_api.function import LambdaFunction
from poller.functions.step_functions.function import StepFunctionsFunction
from poller.functions.web.http import HttpFunction
from poller.functions.web.requests import PlainRequests, SignedRequests
from poller.ports.function import Function
from tests.aws.conversation import NewTransport, lean, reference
from tests.aws.test_signature_on_arrival import _Session
from tests.contracts.callables import InThreads, OnTheLoop
from tests.contracts.counterparts import HUGE, Counterpart, Does, Kind
from tests.contracts.runtimes import Started, Waited
from tests.http.forwarding import Forward
from tests.http.scripted import Peer, serving

MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:m"


Build = Callable[[str, float], Function]


@dataclass(frozen=True)
class OverHttp:
    """A type whose counterpart is an HTTP server."""

    name: str
    build: Build
    can: frozenset[Does] = frozenset(Does)
    proxied: bool = False
    slow: bool = False

    @contextlib.asynccontextmanager
    async def open(self, *behaviours: Does, timeout: float = 20.0) -> AsyncIterator[tuple[Function, Counterpart]]:  # noqa: ASYNC109
        counterpart = Counterpart(list(behaviours))
        async with contextlib.AsyncExitStack() as stack:
            server = await stack.enter_async_context(serving(lambda peer: self._serve(peer, counterpart)))
            url = str(server.origin)
            if self.proxied:
                place = await stack.enter_async_context(serving(Forward()))
                url = f"{url} {place.origin}"
            function = self.build(url, timeout)
            try:
                yield function, counterpart
            finally:
                await function.close()
                transport = getattr(function, "_transport", None)
                if transport is not None:
                    await transport.close()

    async def _serve(self, peer: Peer, counterpart: Counterpart) -> None:
        while request := await peer.request():
            head, _, body = request.partition(b"\r\n\r\n")
            lines = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
            headers = {name.lower(): value for name, value in lines.items()}
            trace, event = headers.get("x-amzn-trace-id"), body
            if self.name.startswith("step_functions"):
                asked = json.loads(body)
                trace, event = asked.get("traceHeader"), asked["input"].encode()
            if not await self._act(peer, counterpart, counterpart.next(event, trace), event):
                return

    async def _act(self, peer: Peer, counterpart: Counterpart, does: Does, event: bytes) -> bool:
        match does:
            case Does.ECHO | Does.WAIT:
                if does is Does.WAIT:
                    await counterpart.gate.wait()
                await peer.send(self._answer(event))
                return True
            case Does.NOT_JSON:
                await peer.send(self._answer(b"not JSON"))
                return True
            case Does.FAIL:
                await peer.send(self._error())
                return True
            case Does.THROTTLE:
                body = json.dumps({"__type": "ThrottlingException", "message": "slower"}).encode()
                named = {"X-Amzn-ErrorType": "TooManyRequestsException", "Retry-After": "7"}
                await peer.send(http(429, body, named))
                return True
            case Does.REFUSE_SIZE:
                await peer.send(http(413, b"{}", {"X-Amzn-ErrorType": "RequestTooLargeException"}))
                return True
            case Does.HUGE:
                await peer.send(self._answer(b"x" * HUGE))
                return False
            case Does.HANG:
                await peer.gone()
                counterpart.gone.set()
                return False
        answer = self._answer(event)
        head = answer.index(b"\r\n\r\n") + 4
        sent = {Does.CUT_IN_HEAD: answer[: head // 2], Does.CUT_IN_BODY: answer[: head + 1]}.get(does, b"")
        await peer.send(sent)
        if does is Does.RESET:
            peer.reset()
        return False

    def _answer(self, body: bytes) -> bytes:
        if self.name.startswith("step_functions"):
            body = json.dumps({"status": "SUCCEEDED", "output": body.decode()}).encode()
        return http(200, body, {})

    def _error(self) -> bytes:
        if self.name.startswith("step_functions"):
            return http(200, b'{"status": "FAILED", "error": "KeyError", "cause": "x"}', {})
        if self.name.startswith("lambda"):
            return http(200, b'{"errorType": "KeyError", "errorMessage": "x"}', {"X-Amz-Function-Error": "Unhandled"})
        return http(500, b"KeyError: x", {})


def http(status: int, body: bytes, headers: dict[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode() + body


def _lambda(new: NewTransport) -> Build:
    def build(url: str, timeout: float) -> Function:
        return LambdaFunction(
            "f",
            new(url, []),
            function_name="f",
            qualifier="live",
            timeout=timeout - READ_MARGIN,
            payload_limit=6_291_456,
            rie=False,
        )

    return build


def _step_functions(new: NewTransport) -> Build:
    def build(url: str, timeout: float) -> Function:
        return StepFunctionsFunction(
            "f", new(url, []), state_machine_arn=MACHINE, timeout=timeout - READ_MARGIN, payload_limit=262_144
        )

    return build


def _plain(url: str, timeout: float) -> Function:
    requests = PlainRequests("f", url, dict)
    return HttpFunction("f", url, requests, timeout=timeout, payload_limit=6_291_456)


def _proxied(place: str, timeout: float) -> Function:
    url, _, proxy = place.partition(" ")
    requests = PlainRequests("f", url, dict)
    return HttpFunction("f", url, requests, timeout=timeout, payload_limit=6_291_456, proxy=proxy)


def _signed(url: str, timeout: float) -> Function:
    keys = ReadOnlyCredentials("KEY", "secret", None, None)
    source = CredentialSource(lambda: _Session(keys), asyncio.get_running_loop().time)
    requests = SignedRequests("f", url, dict, source, service="lambda", region="eu-west-1")
    return HttpFunction("f", url, requests, timeout=timeout, payload_limit=6_291_456, aws=True)


NO_SIZE = frozenset(Does) - {Does.REFUSE_SIZE}
KINDS: tuple[Kind, ...] = (
    OverHttp("lambda", _lambda(lean)),
    OverHttp("lambda by the SDK", _lambda(reference), slow=True),
    OverHttp("function_url", _signed),
    OverHttp("http", _plain),
    OverHttp("http through a proxy", _proxied, proxied=True, slow=True),
    OverHttp("step_functions", _step_functions(lean), can=NO_SIZE),
    OverHttp("step_functions by the SDK", _step_functions(reference), can=NO_SIZE, slow=True),
    Started(),
    Waited(),
    OnTheLoop(),
    InThreads(),
)
