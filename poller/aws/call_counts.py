"""Counts the calls of all transports by service, operation and outcome."""

from poller.aws.port import Operation
from poller.values.errors import AnswerLost, CallError, NoRoom, ServiceError


class CallCounts:
    """Every transport counts into it how each of its calls ended."""

    def __init__(self) -> None:
        self.by_outcome: dict[tuple[str, str, str], int] = {}
        """By service, operation and outcome: ok, not_sent, lost, no_room, or the service's error code."""

    def succeeded(self, operation: Operation) -> None:
        """A call was answered with success."""
        key = operation.service, operation.name, "ok"
        self.by_outcome[key] = self.by_outcome.get(key, 0) + 1

    def failed(self, operation: Operation, error: CallError) -> None:
        """A call ended in an error, after its retries."""
        key = operation.service, operation.name, _outcome(error)
        self.by_outcome[key] = self.by_outcome.get(key, 0) + 1


def _outcome(error: CallError) -> str:
    if isinstance(error, ServiceError):
        return error.code
    if isinstance(error, NoRoom):
        return "no_room"
    return "lost" if isinstance(error, AnswerLost) else "not_sent"
