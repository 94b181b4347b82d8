"""The way in to HTTP faces: finds the face of a request, checks who may, reads the body, invokes, writes the answer.

A face decides itself who may ask: by signature (`aws_iam`), or anybody (`none`), because the configuration says so.
"""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Handler

from poller.configuration import ApiSettings
from poller.daemon.api.connections import allow_seconds
from poller.daemon.api.faces import cors
from poller.daemon.api.faces.answer import FaceAnswer, Malformed, message
from poller.daemon.api.faces.request import FaceRequest
from poller.daemon.api.faces.service import SERVICES, Service
from poller.daemon.api.lambda_api.access import Access, Caller
from poller.daemon.api.lambda_api.errors import LambdaError
from poller.daemon.api.sessions import left_out
from poller.policy.response import Failed, NotInvoked, Outcome, Succeeded, TooLarge
from poller.ports.invoker import Hosted, Invoker
from poller.support import codec, telemetry
from poller.support.rate_limited_log import RateLimitedLog
from poller.values.errors import UnknownFunction
from poller.values.http_face import HttpFace

BODY_SECONDS = 20.0
"""For the body to arrive."""
MOST_BODY_BYTES = 64 * 1024 * 1024
"""Of all bodies of requests under way."""
WORK_SECONDS = 43_000.0
"""Beyond the longest timeout of a function, which ends an invocation by itself."""
TIMEOUTS = frozenset({"timeout", "answer_lost"})
Admit = Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]


class Faces:
    """Serves the faces of the present configuration."""

    def __init__(self, invoker: Invoker, api: ApiSettings, admit: Admit, wall: Callable[[], float] = time.time) -> None:
        """`admit` bounds connections and time; `wall` tells the seconds since the epoch."""
        self._invoker = invoker
        self._access = Access(api, wall)
        self._admit = admit
        self._wall = wall
        self._held = 0
        self._log = RateLimitedLog(telemetry.logger())

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answers what belongs to a face; everything else goes on."""
        hosted = self._invoker.face(request.raw_path.partition("?")[0])
        if hosted is None or hosted.face is None:
            return await handler(request)
        face = hosted.face

        async def answer(request: web.Request) -> web.StreamResponse:
            return await self._answer(request, hosted, face)

        return await self._admit(request, answer)

    async def _answer(self, request: web.Request, hosted: Hosted, face: HttpFace) -> web.StreamResponse:
        service, request_id = SERVICES[face.payload], str(uuid.uuid4())
        allow_seconds(request, BODY_SECONDS + WORK_SECONDS)
        body = bytearray()
        try:
            asked = self._asked(request, hosted, face, request_id)
            if face.cors is not None and cors.is_preflight(asked):
                return _written(cors.preflight(asked, face.cors), request_id)
            caller = self._caller(request) if face.auth == "aws_iam" else None
            if not await self._read(request, service.most_bytes, body):
                return _written(service.too_large(), request_id)
            if caller is not None:
                caller.verify(bytes(body))
            asked = self._asked(request, hosted, face, request_id, bytes(body))
            found = await self._invoked(asked, hosted, face, service)
            if face.cors is not None:
                cors.allow(asked, found, face.cors)
            return _written(found, request_id)
        except LambdaError as refused:
            return _written(message(refused.status, str(refused)), request_id)
        finally:
            self._held -= len(body)

    def _caller(self, request: web.Request) -> Caller:
        """Raises LambdaError."""
        caller = self._access.caller(request)
        if "invoke" not in caller.scopes:
            raise LambdaError("AccessDeniedException", "this credential's scopes lack invoke")
        return caller

    def _asked(
        self, request: web.Request, hosted: Hosted, face: HttpFace, request_id: str, body: bytes = b""
    ) -> FaceRequest:
        path, _, query = request.raw_path.partition("?")
        source = request.remote or "127.0.0.1"
        headers = [
            (name, left_out(value) if name.lower() == "cookie" else value) for name, value in request.headers.items()
        ]
        forwarded = ", ".join([value for name, value in headers if name.lower() == "x-forwarded-for"] + [source])
        host, port = _host_and_port(request.host)
        own = {"x-forwarded-for": forwarded, "x-forwarded-port": port, "x-forwarded-proto": "http"}
        headers = [(name, value) for name, value in headers if name.lower() not in own]
        if not any(name.lower() == "x-amzn-trace-id" for name, _ in headers):
            digits = request_id.replace("-", "")
            own["x-amzn-trace-id"] = f"Root=1-{int(self._wall()):08x}-{digits[:24]}"
        return FaceRequest(
            request.method,
            path[len(face.path) :] or "/",
            query,
            [*headers, *own.items()],
            body,
            source,
            host,
            request_id,
            self._wall(),
            hosted.arn,
        )

    async def _read(self, request: web.Request, limit: int, body: bytearray) -> bool:
        """The body into `body`, which counts as held with every byte; False if it is larger. Raises LambdaError."""
        if (request.content_length or 0) > limit:
            return False
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for chunk in request.content.iter_any():
                    body += chunk
                    self._held += len(chunk)
                    if len(body) > limit:
                        return False
                    if self._held > MOST_BODY_BYTES:
                        raise LambdaError("TooManyRequestsException", "Rate exceeded: too many bodies at once")
        except TimeoutError as error:
            text = f"the body was not there within {BODY_SECONDS:.0f} s"
            raise LambdaError("RequestTimeoutException", text) from error
        return True

    async def _invoked(self, asked: FaceRequest, hosted: Hosted, face: HttpFace, service: Service) -> FaceAnswer:
        event = codec.dumps(service.event(asked, face))
        trace, now = asked.header("x-amzn-trace-id"), asyncio.get_running_loop().time
        try:
            outcome = await self._invoker.invoke(hosted.key, event, trace=trace)
        except UnknownFunction:
            return service.unavailable()
        try:
            if isinstance(outcome, Succeeded):
                return service.answer(outcome.body, face)
        except Malformed as malformed:
            self._log.repeating("http_face_answer_malformed", now(), function=hosted.key, problem=str(malformed))
            return service.failed()
        self._log.repeating("http_face_not_answered", now(), function=hosted.key, problem=_why(outcome))
        return _problem(outcome, service)


def _host_and_port(given: str) -> tuple[str, str]:
    """Of a Host header, which may hold an IPv6 address in brackets."""
    host, separator, port = given.rpartition(":")
    return (host, port) if separator and port.isdecimal() else (given, "80")


def _why(outcome: Outcome) -> str:
    """For the log, without the function's own output."""
    match outcome:
        case Failed():
            return f"{outcome.error}: {outcome.detail}"
        case NotInvoked():
            return f"{outcome.code}: {outcome.detail}"
        case TooLarge():
            return outcome.detail
    return ""


def _problem(outcome: Outcome, service: Service) -> FaceAnswer:
    match outcome:
        case Failed(error=error) if error in TIMEOUTS:
            return service.timed_out()
        case NotInvoked(code="throttled"):
            return service.throttled()
        case NotInvoked(code="init_failed") | Failed():
            return service.failed()
        case TooLarge():
            return service.too_large()
    return service.unavailable()


def _written(answer: FaceAnswer, request_id: str) -> web.Response:
    response = web.Response(status=answer.status, body=answer.body)
    response.headers.popall("Content-Type", None)
    for name, value in answer.headers:
        response.headers.add(name, value)
    response.headers.setdefault("x-amzn-RequestId", request_id)
    return response
