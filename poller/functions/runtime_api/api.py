"""Serves the Runtime API, version 2018-06-01: turns requests into calls of a desk, and its results into answers.

Statuses, error types and texts are Lambda's. Only the part of runtimes is served: extensions with their telemetry, and
SnapStart's restore, have no place here.
"""

import json
from dataclasses import replace
from typing import Protocol

from poller.functions.function_errors import RESPONSE_LIMIT
from poller.functions.runtime_api.invocation import Invocation, error_of, is_error
from poller.http.server import HttpServer, Request
from poller.policy.response import Failed, Succeeded

BASE = "/2018-06-01/"
NEXT = f"{BASE}runtime/invocation/next"
INIT_ERROR = f"{BASE}runtime/init/error"
INVOCATION = f"{BASE}runtime/invocation/"
PING = f"{BASE}ping"
ERROR_TYPE = "lambda-runtime-function-error-type"
RESPONSE_MODE = "lambda-runtime-function-response-mode"
ACCEPTED = b'{"status":"OK"}\n'
JSON = "content-type: application/json\r\n"
OF_BROWSERS = ("origin", "sec-fetch-site")
"""Headers that only browsers send. This API has no authentication, so a page that a user of this machine opens must not
be able to take an event."""


class Desk(Protocol):
    """Hands out invocations behind one address."""

    def waits(self, request: Request) -> str | None:
        """A runtime asks for an invocation. Returns the reason of a refusal; else `request` is answered in time."""
        ...

    def find(self, request_id: str) -> Invocation | None:
        """The invocation of that id, handed out and not yet answered."""
        ...

    def settle(self, invocation: Invocation, outcome: Succeeded | Failed) -> None:
        """The runtime has answered."""
        ...

    def init_failed(self, error_type: str, message: str) -> bool:
        """A runtime failed to start. Returns False when none is starting."""
        ...


class RuntimeApi:
    """Serves one address for one desk."""

    def __init__(self, desk: Desk, timeout: float) -> None:
        """`timeout` is the limit of an invocation in seconds; a runtime that takes longer to send its answer is cut
        off.
        """
        self._desk = desk
        self.server = HttpServer(self._received, RESPONSE_LIMIT, timeout)

    def _received(self, request: Request) -> None:
        path = request.target.partition("?")[0]
        if any(name in request.headers for name in OF_BROWSERS):
            _refuse(request, 403, "Forbidden", "this API is not for browsers")
        elif path == NEXT and request.method == "GET":
            if (why := self._desk.waits(request)) is not None:
                _refuse(request, 403, "InvalidStateTransition", why)
        elif path.startswith(INVOCATION) and request.method == "POST":
            self._invocation(request, *path.removeprefix(INVOCATION).partition("/")[::2])
        elif path == INIT_ERROR and request.method == "POST":
            self._init_error(request)
        elif path == PING and request.method == "GET":
            request.answer(200, b"pong", "content-type: text/plain\r\n")
        else:
            _refuse(request, 404, "NotFound", f"{request.method} {path[:100]} is no part of the Runtime API")

    def _invocation(self, request: Request, request_id: str, what: str) -> None:
        if what not in ("response", "error"):
            _refuse(request, 404, "NotFound", "an invocation takes a response or an error")
            return
        invocation = self._desk.find(request_id)
        if invocation is None:
            _refuse(request, 400, "InvalidRequestID", "Invalid request ID")
        elif not request.complete:
            # the rest might have made it a success or not, so it counts as none
            message = f"RequestId: {request_id} Error: the connection ended within the response"
            self._desk.settle(invocation, invocation.failed("Runtime.TruncatedResponse", message))
        elif request.oversized:
            self._desk.settle(invocation, invocation.too_large())
            message = f"Exceeded maximum allowed payload size ({RESPONSE_LIMIT} bytes)."
            _refuse(request, 413, "RequestEntityTooLarge", message)
        elif what == "error":
            self._desk.settle(invocation, _error(invocation, request))
            request.answer(202, ACCEPTED, JSON)
        else:
            self._response(request, invocation)

    def _response(self, request: Request, invocation: Invocation) -> None:
        mode = request.headers.get(RESPONSE_MODE)
        if mode not in (None, "streaming"):
            message = f"the response mode is {mode!r}; it can be streaming"
            self._desk.settle(invocation, invocation.failed("Runtime.InvalidResponseModeHeader", message))
            _refuse(request, 400, "InvalidFunctionResponseMode", "Invalid function response mode")
            return
        # A streamed response counts once it is complete, as for every caller of Invoke without streaming. Where it
        # broke off, the error comes in its trailers.
        failed = mode is not None and ERROR_TYPE in request.headers
        self._desk.settle(
            invocation, _error(invocation, request) if failed else Succeeded(request.body, invocation.request_id)
        )
        request.answer(202, ACCEPTED, JSON)

    def _init_error(self, request: Request) -> None:
        if self._desk.init_failed(*error_of(request.headers.get(ERROR_TYPE), request.body)):
            request.answer(202, ACCEPTED, JSON)
        else:
            _refuse(request, 403, "InvalidStateTransition", "init/error is for a runtime that is starting")


def _error(invocation: Invocation, request: Request) -> Failed:
    failed = invocation.failed(*error_of(request.headers.get(ERROR_TYPE), request.body))
    return replace(failed, body=request.body) if is_error(request.body) else failed


def _refuse(request: Request, status: int, error_type: str, message: str) -> None:
    body = json.dumps({"errorMessage": message, "errorType": error_type}).encode()
    request.answer(status, body, JSON)
