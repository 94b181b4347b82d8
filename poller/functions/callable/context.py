"""The second argument of a handler: the members of Lambda's own context object for Python."""

import collections.abc
from dataclasses import dataclass

from poller.functions.function_errors import VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class LambdaContext:
    aws_request_id: str
    function_name: str
    invoked_function_arn: str
    memory_limit_in_mb: str
    """A string, as on Lambda."""
    log_group_name: str
    log_stream_name: str
    deadline: float
    """By the clock that `now` reads."""
    now: collections.abc.Callable[[], float]
    write: collections.abc.Callable[..., object]
    """Logs an event with its fields."""
    xray_trace_id: str | None = None
    """The trace header of the batch. Lambda puts it into the environment, which all handlers of a process share."""
    function_version: str = VERSION
    client_context: None = None
    identity: None = None
    tenant_id: None = None

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the deadline, never below 0."""
        return max(0, int((self.deadline - self.now()) * 1000))

    def log(self, message: object) -> None:
        """Log a message as output of the function."""
        self.write("function_log", request_id=self.aws_request_id, text=str(message))
