"""One invocation as a runtime sees it. Its failures are worded as Lambda words them."""

import asyncio
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from poller.functions import function_errors
from poller.functions.function_errors import DETAIL
from poller.policy.response import Failed, Outcome
from poller.ports.function import Client
from poller.support import codec

NO_ERROR_TYPE = "Runtime.Unknown"
"""Lambda's error type where a runtime named none."""


@dataclass(slots=True)
class Invocation:
    """One event on its way through a runtime. `outcome` is set once, by the first part that knows it."""

    event: bytes
    function_arn: str
    timeout: float
    trace: str | None
    outcome: asyncio.Future[Outcome]
    client: Client | None = None
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def headers(self) -> str:
        """The headers that go with the event."""
        now = time.time()
        trace = self.trace or _trace(self.request_id, now)
        return (
            "content-type: application/json\r\n"
            f"lambda-runtime-aws-request-id: {self.request_id}\r\n"
            f"lambda-runtime-deadline-ms: {int((now + self.timeout) * 1000)}\r\n"
            f"lambda-runtime-invoked-function-arn: {self.function_arn}\r\n"
            f"lambda-runtime-trace-id: {trace}\r\n"
        ) + ("" if self.client is None else self.client.header)

    @property
    def wants_logs(self) -> bool:
        """Whether the end of the log is always wanted; after a failure it always is."""
        return self.client is not None and self.client.tail

    def settle(self, outcome: Outcome) -> None:
        """Set the outcome, unless it is set or cancelled already."""
        if not self.outcome.done():
            self.outcome.set_result(outcome)

    def failed(self, error_type: str, message: str, *, error: str = "function_error") -> Failed:
        """A failure in Lambda's terms: status 200 and a function error."""
        return function_errors.failed(self.request_id, error_type, message, error=error)

    def timed_out(self) -> Failed:
        return function_errors.timed_out(self.request_id, self.timeout)

    def exited(self, how: str) -> Failed:
        """The runtime has ended. `how` is that of `exit_text`."""
        return function_errors.exited(self.request_id, how)

    def too_large(self) -> Failed:
        return function_errors.too_large(self.request_id)


def exit_text(code: int) -> str:
    """Lambda's words for the exit of a runtime. `code` is negative for a signal."""
    if code == 0:
        return "Runtime exited without providing a reason"
    reason = f"signal: {_SIGNALS.get(-code, -code)}" if code < 0 else f"exit status {code}"
    return f"Runtime exited with error: {reason}"


_SIGNALS = {1: "hangup", 2: "interrupt", 4: "illegal instruction", 6: "aborted", 7: "bus error", 9: "killed"} | {
    8: "floating point exception",
    11: "segmentation fault",
    13: "broken pipe",
    15: "terminated",
}
"""The name of a signal as in the language of Lambda's supervisor."""


def error_of(header: str | None, body: bytes) -> tuple[str, str]:
    """The type and message of an error that a runtime posts: from the body where it has them, else from the header."""
    answer = _error(body)
    if answer is None:
        return header or NO_ERROR_TYPE, body[:DETAIL].decode("utf-8", "replace")
    return str(answer.get("errorType") or header or NO_ERROR_TYPE), str(answer.get("errorMessage") or "")


def is_error(body: bytes) -> bool:
    """Whether the body is an error as runtimes post it, fit to be shown to a caller."""
    return _error(body) is not None


def _error(body: bytes) -> dict[str, Any] | None:
    try:
        answer: Any = codec.loads(body)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) and {"errorType", "errorMessage"} & answer.keys() else None


def _trace(request_id: str, now: float) -> str:
    """A trace header, because Lambda always sends one. Without traces it asks for none to be recorded."""
    digits = request_id.replace("-", "")
    return f"Root=1-{int(now):08x}-{digits[:24]};Parent={digits[16:]};Sampled=0"
