"""Invokes functions by the Lambda Invoke API, or by an endpoint that speaks it, the Runtime Interface Emulator
included.
"""

import base64
import binascii
from typing import Any
from urllib.parse import quote, urlencode

from poller.aws.port import Operation, Reply, Transport
from poller.functions.function_errors import DETAIL, RESPONSE_LIMIT
from poller.functions.invoke_answers import READ_MARGIN, outcome_of
from poller.policy.response import Failed, NotInvoked, Outcome, Succeeded
from poller.support import codec
from poller.values.errors import CallError, ServiceError
from poller.values.texts import shortened

EMULATOR_BUSY = "the Runtime Interface Emulator runs one invocation at a time, and is busy with another caller's"
"""The meaning of an empty answer of status 400 from the emulator."""


class LambdaFunction:
    """Invokes synchronously. The outcome follows from status, headers and, for the emulator, body."""

    def __init__(
        self,
        name: str,
        transport: Transport,
        *,
        function_name: str,
        qualifier: str | None,
        timeout: float,
        payload_limit: int,
        rie: bool,
        invocation_type: str = "RequestResponse",
        log_type: str = "None",
    ) -> None:
        """`function_name` is a name, partial ARN or ARN without qualifier. `rie`: the emulator's errors have status
        200. With the invocation type `Event` the answer says that Lambda's own queue has the event. With the log type
        `Tail` it has the last 4 KB of the function's log.
        """
        self.name = name
        self.payload_limit = payload_limit
        self.timeout = timeout + READ_MARGIN
        self._transport = transport
        self._rie = rie
        unusual = (
            ("x-amz-invocation-type", invocation_type, "RequestResponse"),
            ("x-amz-log-type", log_type, "None"),
        )
        headers = tuple((header, value) for header, value, default in unusual if value != default)
        self._operation = invoke_operation(function_name, qualifier, self.timeout, headers)

    async def invoke(self, event: bytes, trace: str | None = None) -> Outcome:
        """See `Function.invoke`."""
        try:
            reply = await self._transport.call(self._operation, event, trace=trace)
        except CallError as error:
            if self._rie and isinstance(error, ServiceError) and error.status == 400 and not error.body:
                return NotInvoked("throttled", EMULATOR_BUSY)
            return outcome_of(error)
        headers = reply.headers
        request_id = headers.get("x-amzn-requestid")
        version = headers.get("x-amz-executed-version")
        function_error = headers.get("x-amz-function-error")
        if function_error is None and not (self._rie and _emulator_error(reply.body)):
            return Succeeded(reply.body, request_id, version, _logs(reply))
        return Failed(
            "function_error",
            _detail(reply),
            request_id,
            version,
            reply.status,
            function_error or "Unhandled",
            _logs(reply),
            reply.body,
        )

    def refresh(self) -> None:
        """Changes nothing, because the transport has the credentials."""

    async def close(self) -> None:
        """Closes nothing, because the transport is shared."""


def invoke_operation(
    function_name: str, qualifier: str | None, timeout: float, headers: tuple[tuple[str, str], ...] = ()
) -> Operation:
    """The Invoke operation of one function. `headers` give the type of invocation where it is not the default."""
    query = f"?{urlencode({'Qualifier': qualifier})}" if qualifier else ""
    return Operation(
        "lambda",
        "Invoke",
        content_type="application/json",
        path=f"/2015-03-31/functions/{quote(function_name, safe='')}/invocations{query}",
        timeout=timeout,
        resend=False,
        max_reply_bytes=RESPONSE_LIMIT,
        headers=headers,
    )


def _emulator_error(body: bytes) -> bool:
    """The emulator's errors have status 200: a handled one is an object, a timeout plain text."""
    if body.startswith(b"Task timed out after "):
        return True
    answer = _object(body)
    return "errorMessage" in answer and "errorType" in answer


def _logs(reply: Reply) -> str | None:
    tail = reply.headers.get("x-amz-log-result")
    if tail is None:
        return None
    try:
        return base64.b64decode(tail).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return None


def _detail(reply: Reply) -> str:
    answer = _object(reply.body)
    if "errorMessage" not in answer and "errorType" not in answer:
        return reply.body[:DETAIL].decode("utf-8", "replace")
    return shortened(f"{answer.get('errorType', 'Error')}: {answer.get('errorMessage', '')}", DETAIL)


def _object(body: bytes) -> dict[str, Any]:
    try:
        answer = codec.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
