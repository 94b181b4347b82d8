"""The fake Lambda: the Invoke API in front of a Python callable, with function errors, throttles and hangs by plan."""

import asyncio
import inspect
import json
import urllib.parse
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

from poller.aws.port import Operation, Reply
from poller.values.errors import ServiceError
from tests.fakes.ids import new_id
from tests.fakes.invocations import Invocations
from tests.fakes.queue import loop_time

LARGEST_REQUEST = 6_291_456
"""Bytes of a synchronous invocation's payload."""
INVOKE_PATH = ("2015-03-31", "functions", "invocations")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the function answers. `error` is the X-Amz-Function-Error header: `Unhandled`."""

    body: bytes = b"null"
    error: str | None = None


class Hang:
    """The function never answers."""


Step = Answer | ServiceError | Hang | None
Handler = Callable[[Any], Any]


def function_error(error_type: str = "RuntimeError", message: str = "by plan") -> Answer:
    body = {"errorMessage": message, "errorType": error_type, "requestId": new_id(), "stackTrace": []}
    return Answer(json.dumps(body).encode(), "Unhandled")


def batch_item_failures(*identifiers: str) -> Answer:
    return Answer(json.dumps({"batchItemFailures": [{"itemIdentifier": i} for i in identifiers]}).encode())


def throttled(
    reason: str = "ReservedFunctionConcurrentInvocationLimitExceeded", retry_after: float | None = None
) -> ServiceError:
    body = json.dumps({"Reason": reason, "Type": "User", "message": "Rate Exceeded."}).encode()
    return ServiceError(429, "TooManyRequestsException", "Rate Exceeded.", retry_after=retry_after, body=body)


class Noting(Protocol):
    """A ledger, as far as a function tells it something."""

    def note(self, what: str, identifiers: Iterable[str], now: float, /) -> None: ...


@dataclass(slots=True)
class LambdaFunction:
    """`handler` takes the parsed event, which it leaves as it is, and returns what becomes the answer's JSON, or raises; it may be a coroutine
    function, and may return an `Answer` of its own making."""

    name: str
    handler: Handler
    ledger: Noting
    reports_failures: bool = True
    """Whether its mapping reads batchItemFailures: else any answer proves the whole batch."""
    concurrency: int | None = None
    """Reserved concurrency; 0 throttles everything."""
    delay: float = 0.0
    """Seconds each invocation takes."""
    version: str = "$LATEST"
    invocations: Invocations = field(default_factory=Invocations)
    _steps: deque[Step] = field(default_factory=deque)

    def script(self, *steps: Step) -> None:
        """What the next invocations do instead of the handler; None lets the handler answer."""
        self._steps.extend(steps)

    def forget_script(self) -> None:
        """From now on the handler answers."""
        self._steps.clear()

    async def invoke(self, event: bytes, parsed: Any) -> tuple[Answer, frozenset[str]]:
        """The answer, and the message ids it proves. A caller that gives up ends the handler."""
        step = self._steps.popleft() if self._steps else None
        if isinstance(step, ServiceError):
            raise step
        if self.concurrency is not None and self.invocations.running >= self.concurrency:
            raise throttled()
        now = loop_time()
        invocation = self.invocations.begin(event, parsed, now)
        self.ledger.note("invoked", invocation.identifiers, now)
        ended, succeeded = None, frozenset[str]()
        try:
            if isinstance(step, Hang):
                await asyncio.get_running_loop().create_future()
            await asyncio.sleep(self.delay)
            answer = step if isinstance(step, Answer) else await self._handle(parsed)
            if answer.error is None:
                partial = self.reports_failures
                succeeded = invocation.passed(answer.body if partial else b"")
            ended = loop_time()
            self.ledger.note("succeeded", succeeded, ended)
        finally:
            self.invocations.end(invocation, ended, succeeded)
        return answer, succeeded

    async def _handle(self, event: Any) -> Answer:
        try:
            result = self.handler(event)
            if inspect.isawaitable(result):
                result = await result
        except Exception as error:  # noqa: BLE001 - a function may raise anything; that is a function error
            return function_error(type(error).__name__, str(error))
        return result if isinstance(result, Answer) else Answer(json.dumps(result).encode())


class FakeLambda:
    def __init__(self) -> None:
        self.functions: dict[str, LambdaFunction] = {}

    async def call(self, operation: Operation, body: bytes) -> tuple[Reply, frozenset[str]]:
        function = self._function(operation.path)
        if ("x-amz-invocation-type", "DryRun") in operation.headers:
            return Reply(204, {"x-amzn-requestid": new_id()}, b""), frozenset()
        if len(body) > LARGEST_REQUEST:
            message = f"Request must be smaller than {LARGEST_REQUEST} bytes for the InvokeFunction operation"
            raise _refusal(413, "RequestTooLargeException", message)
        try:
            event = json.loads(body)
        except ValueError:
            raise _refusal(400, "InvalidRequestContentException", "Could not parse request body into json") from None
        answer, succeeded = await function.invoke(body, event)
        headers = {"x-amz-executed-version": function.version, "x-amzn-requestid": new_id()}
        if answer.error is not None:
            headers["x-amz-function-error"] = answer.error
        return Reply(200, headers, answer.body), succeeded

    def _function(self, path: str) -> LambdaFunction:
        name = _name_in(path)
        short = name.rpartition(":function:")[2].partition(":")[0]
        if short not in self.functions:
            raise _refusal(404, "ResourceNotFoundException", f"Function not found: {name}")
        return self.functions[short]


@cache
def _name_in(path: str) -> str:
    """What a request's path names the function by."""
    parts = urllib.parse.urlsplit(path).path.strip("/").split("/")
    assert (parts[0], parts[1], parts[3]) == INVOKE_PATH, f"not the Invoke API: {path}"
    return urllib.parse.unquote(parts[2])


def _refusal(status: int, code: str, message: str) -> ServiceError:
    body = json.dumps({"Type": "User", "Message": message}).encode()
    return ServiceError(status, code, message, body=body)
