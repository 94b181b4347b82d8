"""Invoke: calls a configured function once, and answers as Lambda does. The caller owns its errors and repeats.

Everything that ran is status 200, with `X-Amz-Function-Error` where it failed; everything else did not run.
"""

import asyncio
import base64
import binascii

from poller.daemon.api.lambda_api.errors import LambdaError
from poller.daemon.api.lambda_api.functions import FUNCTION
from poller.daemon.api.lambda_api.named import LATEST, Named, named
from poller.daemon.api.lambda_api.operation import Answer, Call, Operation
from poller.policy.response import Failed, NotInvoked, Outcome, Succeeded, TooLarge
from poller.ports.function import Client
from poller.ports.invoker import Invoker
from poller.support import codec, telemetry
from poller.values.errors import CallError, UnknownFunction

PAYLOAD = 6_291_456
"""Bytes of a synchronous invocation's event."""
ASYNCHRONOUS_PAYLOAD = 1_000_000
"""Bytes of an event that waits; a queue's message has room for little more."""
KEEP_SECONDS = 20.0
"""For the queue to take an event."""
LONGEST_SECONDS = 43_000.0
"""Beyond the longest timeout of a function, which ends an invocation by itself."""
CONTEXT_BYTES = 3_583
"""Of a client context in base64, as Lambda has it."""
LOG_BYTES = 4096
"""Of the log's end, as Lambda answers it."""
TYPES = ("RequestResponse", "Event", "DryRun")
STARTS = frozenset({"init_failed"})
"""Refusals that Lambda shows as errors of the function: its code cannot start."""
NO_QUEUE = (
    "{} cannot be invoked with InvocationType Event: it has no queue that keeps the event until it is invoked; give it "
    "one (functions, asynchronous), or invoke with RequestResponse"
)


class InvokeOperation:
    """Invokes by the invoker of the engine."""

    def __init__(self, invoker: Invoker) -> None:
        self._invoker = invoker

    def operation(self) -> Operation:
        path = f"{FUNCTION}/invocations"
        return Operation("Invoke", "POST", path, "invoke", self.invoke, PAYLOAD, LONGEST_SECONDS, any_content=True)

    async def invoke(self, call: Call) -> Answer:
        """Raises LambdaError."""
        found = named(self._invoker, call)
        kind = _one_of(call, "X-Amz-Invocation-Type", "invocationType", TYPES)
        tail = _one_of(call, "X-Amz-Log-Type", "logType", ("None", "Tail")) == "Tail"
        client = Client(_context(call, found), tail)
        event = call.body or b"{}"
        _check_json(event)
        if kind == "DryRun":
            return Answer(204, None, _executed(None))
        if kind == "Event":
            return await self._keep(call, found, event)
        trace = call.headers.get("X-Amzn-Trace-Id")
        begun = asyncio.get_running_loop().time()
        try:
            plain = client.context is None and not tail
            outcome = await self._invoker.invoke(found.hosted.key, event, trace=trace, client=None if plain else client)
        except UnknownFunction as error:
            raise LambdaError("ResourceNotFoundException", f"Function not found: {found.arn}") from error
        seconds = asyncio.get_running_loop().time() - begun
        return answered(outcome, found, call.request_id, seconds if tail else None)

    async def _keep(self, call: Call, found: Named, event: bytes) -> Answer:
        """202 once the queue has the event. Raises LambdaError."""
        key = found.hosted.key
        if not found.hosted.keeps_events:
            raise LambdaError("InvalidParameterValueException", NO_QUEUE.format(key))
        if len(event) > ASYNCHRONOUS_PAYLOAD:
            text = f"Request must be smaller than {ASYNCHRONOUS_PAYLOAD} bytes for the InvokeFunction operation"
            raise LambdaError("RequestTooLargeException", text)
        if call.headers.get("X-Amz-Client-Context"):
            text = "a client context does not reach an event that is invoked later; leave it out"
            raise LambdaError("InvalidParameterValueException", text)
        try:
            async with asyncio.timeout(KEEP_SECONDS):
                await self._invoker.keep(key, event, call.request_id)
        except UnknownFunction as error:
            raise LambdaError("ResourceNotFoundException", f"Function not found: {found.arn}") from error
        except (CallError, TimeoutError) as error:
            telemetry.logger().error(
                "asynchronous_event_not_kept", function=key, text=str(error) or "no answer in time"
            )
            text = "the queue for the function's events did not take this one; the daemon's log says why"
            raise LambdaError("ServiceException", text, 503) from error
        return Answer(202)


def answered(outcome: Outcome, found: Named, request_id: str, seconds: float | None) -> Answer:
    """The answer to a synchronous call; `seconds` it took, where the end of the log is wanted. Raises LambdaError."""
    match outcome:
        case Succeeded():
            request_id, headers, body = (
                outcome.request_id or request_id,
                _executed(outcome.executed_version),
                outcome.body,
            )
        case Failed():
            request_id, headers = outcome.request_id or request_id, _executed(outcome.executed_version)
            headers["X-Amz-Function-Error"] = outcome.function_error or "Unhandled"
            body = error_body(outcome)
        case NotInvoked() if outcome.code in STARTS:
            headers = _executed(None) | {"X-Amz-Function-Error": "Unhandled"}
            kind, _, text = outcome.detail.partition(": ")
            body = codec.dumps({"errorType": kind, "errorMessage": text})
        case NotInvoked():
            raise refusal(outcome)
        case TooLarge():
            raise LambdaError(
                "RequestTooLargeException", f"the event is too large for {found.hosted.key}: {outcome.detail}"
            )
    headers["x-amzn-RequestId"] = request_id
    if seconds is not None:
        logs = outcome.logs if isinstance(outcome, Succeeded | Failed) else None
        headers["X-Amz-Log-Result"] = _log_result(request_id, logs, seconds)
    return Answer(200, body, headers)


def error_body(outcome: Failed) -> bytes:
    """What the function said about its error, or what is known of it in the same form."""
    return outcome.body or codec.dumps({"errorType": outcome.error, "errorMessage": outcome.detail})


def refusal(outcome: NotInvoked) -> LambdaError:
    """The function did not run."""
    if outcome.code == "throttled":
        return LambdaError(
            "TooManyRequestsException", "Rate Exceeded.", Reason="ReservedFunctionConcurrentInvocationLimitExceeded"
        )
    return LambdaError("ServiceException", f"the function was not invoked ({outcome.code}): {outcome.detail}", 503)


def _executed(version: str | None) -> dict[str, str]:
    return {"X-Amz-Executed-Version": version or LATEST}


def _one_of(call: Call, header: str, member: str, values: tuple[str, ...]) -> str:
    given = call.headers.get(header, values[0])
    if given not in values:
        text = (
            f"1 validation error detected: Value '{given[:50]}' at '{member}' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{', '.join(values)}]"
        )
        raise LambdaError("ValidationException", text)
    return given


def _context(call: Call, found: Named) -> str | None:
    """The client context as the Runtime API hands it on. Raises LambdaError."""
    given = call.headers.get("X-Amz-Client-Context")
    if not given:
        return None
    if len(given) > CONTEXT_BYTES:
        text = f"Client context must be no more than {CONTEXT_BYTES} bytes when base64-encoded."
        raise LambdaError("InvalidRequestContentException", text)
    if not found.hosted.takes_context:
        text = f"{found.hosted.key} is of type {found.hosted.type}, which a client context does not reach; leave it out"
        raise LambdaError("InvalidParameterValueException", text)
    try:
        document = codec.loads(base64.b64decode(given, validate=True))
    except (binascii.Error, ValueError) as error:
        text = "Client context must be a valid Base64-encoded JSON object."
        raise LambdaError("InvalidRequestContentException", text) from error
    if not isinstance(document, dict):
        raise LambdaError(
            "InvalidRequestContentException", "Client context must be a valid Base64-encoded JSON object."
        )
    return codec.ascii_text(document)


def _check_json(event: bytes) -> None:
    try:
        codec.loads(event)
    except ValueError as error:
        text = f"Could not parse request body into json: {error}"
        raise LambdaError("InvalidRequestContentException", text) from error


def _log_result(request_id: str, logs: str | None, seconds: float) -> str:
    """The end of the log between the lines that Lambda writes around it, in base64."""
    took = seconds * 1000
    lines = (
        f"START RequestId: {request_id} Version: {LATEST}\n",
        f"{logs}\n" if logs else "",
        f"END RequestId: {request_id}\n",
        f"REPORT RequestId: {request_id}\tDuration: {took:.2f} ms\tBilled Duration: {took:.0f} ms\t\n",
    )
    text = "".join(lines).encode("utf-8", "backslashreplace")[-LOG_BYTES:]
    return base64.b64encode(text).decode()
