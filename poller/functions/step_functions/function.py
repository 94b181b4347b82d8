"""Invokes Express workflows of Step Functions: starts one, waits, and reads its output as an answer."""

from typing import Any

from poller.aws.error_reasons import CREDENTIALS, DENIED, THROTTLES
from poller.aws.port import AWS_JSON_1_0, Operation, Reply, Transport
from poller.functions.function_errors import DETAIL
from poller.functions.invoke_answers import READ_MARGIN
from poller.policy.response import Failed, NotInvoked, Outcome, Succeeded
from poller.support import codec
from poller.values.errors import CallError, NoCredentials, NotSent, ServiceError
from poller.values.texts import shortened

REPLY_LIMIT = 4 * 1024 * 1024
"""Most bytes of an answer: input and output of 256 KiB each, as text within JSON, whose escapes can make it six times
as long."""

BEFORE_THE_WORKFLOW = {
    "StateMachineDoesNotExist": "function_missing",
    "StateMachineDeleting": "function_missing",
    "InvalidArn": "function_missing",
    # a Standard workflow cannot be waited for
    "StateMachineTypeNotSupported": "unavailable",
    "KmsAccessDeniedException": "unavailable",
    "KmsInvalidStateException": "unavailable",
    "KmsThrottlingException": "throttled",
    "ServiceUnavailable": "unavailable",
}
"""Error codes of answers when no execution was started, with the reason's code."""


class StepFunctionsFunction:
    """One state machine. An execution is started once and waited for."""

    def __init__(
        self, name: str, transport: Transport, *, state_machine_arn: str, timeout: float, payload_limit: int
    ) -> None:
        """The ARN may end in a version or an alias."""
        self.name = name
        self.payload_limit = payload_limit
        self.timeout = timeout + READ_MARGIN
        self._transport = transport
        self._arn = state_machine_arn
        self._operation = Operation(
            "stepfunctions",
            "StartSyncExecution",
            "AWSStepFunctions.StartSyncExecution",
            AWS_JSON_1_0,
            timeout=self.timeout,
            resend=False,
            max_reply_bytes=REPLY_LIMIT,
        )

    async def invoke(self, event: bytes, trace: str | None = None) -> Outcome:
        """See `Function.invoke`."""
        request = {"stateMachineArn": self._arn, "input": event.decode("utf-8")}
        if trace is not None:
            request["traceHeader"] = trace
        try:
            reply = await self._transport.call(self._operation, codec.dumps(request))
        except CallError as error:
            return _outcome_of(error)
        return _outcome(reply)

    def refresh(self) -> None:
        """Changes nothing, because the transport has the credentials."""

    async def close(self) -> None:
        """Closes nothing, because the transport is shared."""


def _outcome(reply: Reply) -> Outcome:
    request_id = reply.headers.get("x-amzn-requestid")
    try:
        answer: Any = codec.loads(reply.body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or "status" not in answer:
        return Failed("answer_lost", f"the answer is none: {reply.body[:80]!r}", request_id, status=reply.status)
    if answer["status"] == "SUCCEEDED":
        return Succeeded(str(answer.get("output") or "").encode("utf-8"), request_id)
    detail = ": ".join(str(answer[key]) for key in ("error", "cause") if answer.get(key)) or str(answer["status"])
    return Failed("function_error", shortened(detail, DETAIL), request_id, None, reply.status, "Unhandled")


def _outcome_of(error: CallError) -> Outcome:
    if isinstance(error, NotSent):
        return NotInvoked("credentials" if isinstance(error, NoCredentials) else "unreachable", str(error))
    if not isinstance(error, ServiceError):
        return Failed("answer_lost", str(error))
    code = BEFORE_THE_WORKFLOW.get(error.code)
    if error.status == 429 or error.code in THROTTLES:
        code = "throttled"
    elif error.code in CREDENTIALS:
        code = "credentials"
    elif error.code in DENIED:
        code = "access_denied"
    elif error.status == 503:
        code = "unavailable"
    if code is not None:
        return NotInvoked(code, str(error), error.retry_after)
    return Failed(f"http_{error.status}", str(error), status=error.status)
