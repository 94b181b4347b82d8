"""Words failures of a function that runs here as Lambda words them, and has the limits of an answer."""

from poller.policy.response import Failed
from poller.support import codec
from poller.values.texts import shortened

RESPONSE_LIMIT = 6_291_556
"""Most bytes of a synchronous answer, as Lambda enforces them."""
DETAIL = 300
"""Most characters of a function's error message that log and status keep."""
VERSION = "$LATEST"
UNHANDLED = "Unhandled"


def failed(
    request_id: str, error_type: str, message: str, *, error: str = "function_error", logs: str | None = None
) -> Failed:
    """A failure in Lambda's terms: status 200 and a function error."""
    detail = shortened(f"{error_type}: {message}", DETAIL) if message else error_type
    body = codec.dumps({"errorType": error_type, "errorMessage": message})
    return Failed(error, detail, request_id, VERSION, 200, UNHANDLED, logs, body)


def timed_out(request_id: str, seconds: float) -> Failed:
    """The function did not answer within its timeout."""
    message = f"RequestId: {request_id} Error: Task timed out after {seconds:.2f} seconds"
    return failed(request_id, "Sandbox.Timedout", message, error="timeout")


def exited(request_id: str, how: str) -> Failed:
    """The function ended its process, or tried to. `how` is Lambda's own wording of the exit."""
    return failed(request_id, "Runtime.ExitError", f"RequestId: {request_id} Error: {how}")


def too_large(request_id: str) -> Failed:
    """The answer is larger than Lambda would take."""
    message = f"Response payload size exceeded maximum allowed payload size ({RESPONSE_LIMIT} bytes)."
    return failed(request_id, "Function.ResponseSizeTooLarge", message)
