"""Every request whose path is Lambda's: its operation, its caller, its bounded body, and the answer in AWS's form."""

import asyncio
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from poller.configuration import ApiSettings
from poller.daemon.api.access import OWN_ACCESS
from poller.daemon.api.connections import LINGER_SECONDS, OWN_TIME
from poller.daemon.api.lambda_api.access import Access
from poller.daemon.api.lambda_api.errors import LambdaError
from poller.daemon.api.lambda_api.operation import Answer, Call, Operation
from poller.support import codec, telemetry
from poller.support.rate_limited_log import RateLimitedLog

BODY_SECONDS = 20.0
"""For the body to arrive."""
MOST_BODY_BYTES = 64 * 1024 * 1024
"""Of all bodies of calls under way: whoever knows an access key's id can send some without being able to sign."""
JSON = "application/json"
PATHS = r"/{version:\d{4}-\d{2}-\d{2}}{rest:(?:/.*)?}"
"""Every path of Lambda's API begins with the version of the API that brought it."""


class Front:
    """Answers by the operations it is given."""

    def __init__(self, operations: Sequence[Operation], api: ApiSettings, wall: Callable[[], float]) -> None:
        self._operations = operations
        self._by_form: dict[tuple[str, int], list[Operation]] = {}
        """By method and number of segments of the path."""
        for operation in operations:
            self._by_form.setdefault((operation.method, len(operation.segments)), []).append(operation)
        self._access = Access(api, wall)
        self._held = 0
        self._log = RateLimitedLog(telemetry.logger())

    def add_to(self, application: web.Application) -> None:
        application.router.add_route("*", PATHS, self.answer, name=f"{OWN_ACCESS}.{OWN_TIME}.lambda_api")

    async def answer(self, request: web.Request) -> web.Response:
        request_id = str(uuid.uuid4())
        try:
            return _response(await self._called(request, request_id), request_id)
        except LambdaError as refused:
            headers = {"x-amzn-ErrorType": refused.code}
            return _response(Answer(refused.status, refused.body, headers), request_id)

    async def _called(self, request: web.Request, request_id: str) -> Answer:
        if not request.raw_path.isascii():
            raise LambdaError("InvalidRequestContentException", "the path must be percent-encoded ASCII")
        caller = self._access.caller(request)
        operation, parts = self._operation(request)
        if operation.scope not in caller.scopes:
            text = f"this credential does not allow lambda:{operation.name}: its scopes lack {operation.scope}"
            raise LambdaError("AccessDeniedException", text)
        chunks: list[bytes] = []
        try:
            await self._read(request, operation.body_limit, chunks)
            caller.verify(body := b"".join(chunks))
            _check_content(request, operation, body)
            call = Call(parts, request.query, request.headers, body, request_id, caller.region)
            return await self._handled(operation, call)
        finally:
            self._held -= sum(map(len, chunks))

    def _operation(self, request: web.Request) -> tuple[Operation, dict[str, str]]:
        path = request.raw_path.partition("?")[0]
        segments = tuple(unquote(segment) for segment in path.strip("/").split("/"))
        for operation in self._by_form.get((request.method, len(segments)), ()):
            if (parts := operation.match(segments)) is not None:
                return operation, parts
        names = ", ".join(sorted(operation.name for operation in self._operations)) or "nothing"
        text = f"poller has no {request.method} of this path; of Lambda's API it has {names}"
        raise LambdaError("NotImplementedException", text)

    async def _read(self, request: web.Request, limit: int, chunks: list[bytes]) -> None:
        """The body into `chunks`, which count as held. Raises LambdaError."""
        if (request.content_length or 0) > limit:
            await _pass_over(request)
            raise _too_large(limit)
        if request.content.is_eof():
            # most bodies are there with the head, and need no timer
            await self._gather(request, limit, chunks)
            return
        try:
            async with asyncio.timeout(BODY_SECONDS):
                await self._gather(request, limit, chunks)
        except TimeoutError as error:
            text = f"the body was not there within {BODY_SECONDS:.0f} s"
            raise LambdaError("RequestTimeoutException", text) from error

    async def _gather(self, request: web.Request, limit: int, chunks: list[bytes]) -> None:
        size = 0
        async for chunk in request.content.iter_any():
            chunks.append(chunk)
            size += len(chunk)
            self._held += len(chunk)
            if size > limit:
                raise _too_large(limit)
            if self._held > MOST_BODY_BYTES:
                text = "Rate exceeded: too many bodies at once"
                raise LambdaError("TooManyRequestsException", text, Reason="CallerRateLimitExceeded")

    async def _handled(self, operation: Operation, call: Call) -> Answer:
        try:
            async with asyncio.timeout(operation.seconds) as bound:
                return await operation.handle(call)
        except TimeoutError as error:
            if not bound.expired():
                raise
            now = asyncio.get_running_loop().time()
            self._log.repeating("api_call_overdue", now, operation=operation.name)
            text = f"{operation.name} was not done within {operation.seconds:.0f} s"
            raise LambdaError("ServiceException", text) from error


def _too_large(limit: int) -> LambdaError:
    return LambdaError("RequestTooLargeException", f"Request must be smaller than {limit} bytes")


async def _pass_over(request: web.Request) -> None:
    """Most clients read no answer before they have sent everything."""
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            async for _ in request.content.iter_any():
                pass


def _check_content(request: web.Request, operation: Operation, body: bytes) -> None:
    """Raises LambdaError."""
    given = request.headers.get("Content-Type")
    if body and given is not None and request.content_type != JSON and not operation.any_content:
        raise LambdaError("UnsupportedMediaTypeException", f"the content type must be {JSON}")


def _response(answer: Answer, request_id: str) -> web.Response:
    body: Any = answer.body
    encoded = body if isinstance(body, bytes) else b"" if body is None else codec.dumps(body)
    # an operation may say that its call had another id
    headers = {"x-amzn-RequestId": request_id, "Content-Type": JSON, **answer.headers}
    return web.Response(status=answer.status, body=encoded, headers=headers)
