"""The exceptions that cross a module boundary. A function's failure is not among them: that is a value (`Outcome`)."""

from collections.abc import Sequence

from poller.values.texts import shortened

SHOWN_MOST = 100
"""Most lines of one report to a person."""
LOGGED_MOST = 20
"""Most items of one log line: collectors cut or split lines of more than 16 KiB."""
_LONGEST = 600
"""Most characters of one line of a report, which may repeat what the user wrote, of any length."""


def capped(lines: Sequence[str], most: int = SHOWN_MOST) -> list[str]:
    """The first lines, and the number of further ones."""
    shown = [shortened(line, _LONGEST) for line in lines[:most]]
    return [*shown, f"and {len(lines) - most:,} more"] if len(lines) > most else shown


class PollerError(Exception):
    """Base of all exceptions that are raised on purpose."""


class ConfigurationError(PollerError):
    """The configuration is refused. `problems` has one readable line for each problem, perhaps very many; `shown` has
    the lines to print. The command exits with 2.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(capped(problems)))
        self.problems = problems

    def shown(self, most: int = SHOWN_MOST) -> list[str]:
        return capped(self.problems, most)


class EnvironmentProblem(PollerError):
    """The machine prevents the daemon from running: port taken, state locked or corrupt. Exit code 69."""


class StoreAway(EnvironmentProblem):
    """The store does not answer at the start. It may come back by itself, so the daemon waits for it."""


class Overdue(PollerError):
    """A blocking call, to a disk or a mount, did not return within its deadline. It may still take effect."""


class CallError(PollerError):
    """A call failed. Its subclass decides whether the call may be sent again."""

    reason: str | None = None
    """The typed reason, where it is known at once; else it follows from the class and the service's code."""


class NotSent(CallError):
    """No byte of the request was written: name resolution, connect, TLS, no free connection. Safe to send again."""


class NoCredentials(NotSent):
    """There are no credentials to sign with: missing, expired and not renewable, or the provider failed."""


class AnswerLost(CallError):
    """The request went out, wholly or in part, and no complete answer came back: reset, end of stream, timeout, an
    answer that is not HTTP or over the size limit. Whether the service acted on it is not known.
    """


class NoRoom(CallError):
    """The answer was dropped: it has `size` bytes, for which there is no room now. Ask again with that much room."""

    def __init__(self, size: int) -> None:
        super().__init__(f"no room for an answer of {size} bytes")
        self.size = size


class ServiceError(CallError):
    """The service answered, with an error. The same value from every transport.

    `status` is the HTTP status; `code` the error code without namespace and suffix, for SQS the one of its former
    protocol (`AWS.SimpleQueueService.NonExistentQueue`); `retry_after` the seconds of a Retry-After header, where one
    was sent; `body` the answer as it came.
    """

    def __init__(
        self, status: int, code: str, message: str = "", *, retry_after: float | None = None, body: bytes = b""
    ) -> None:
        # after an empty line a service repeats the wrongly signed request, including the session token
        said = message.partition("\n\n")[0]
        super().__init__(f"{code} ({status}): {said}" if said else f"{code} ({status})")
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after
        self.body = body


class SourceUnavailable(PollerError):
    """A source cannot be read now. `code` is the typed reason shown in status, `text` says why, and of the causes
    follows what to do.
    """

    def __init__(self, code: str, text: str, *causes: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.causes = causes


class CutByStop(PollerError):
    """A soft stop began, and its seconds for running work are over."""


class UnknownMapping(PollerError):
    """A request names a mapping that is not configured."""


class NotPossible(PollerError):
    """An order of a person cannot be carried out now. Nothing has changed."""


class MappingExists(PollerError):
    """The source feeds the function already, by the mapping with this uuid."""

    def __init__(self, uuid: str) -> None:
        super().__init__(f"the mapping {uuid} feeds the function from this source already")
        self.uuid = uuid


class MappingChanged(PollerError):
    """A mapping was changed since it was read."""


class NotSettled(PollerError):
    """A mapping had records in flight, or its source had more, for longer than the caller waited."""


class UnknownFunction(PollerError):
    """A request names a function that no mapping uses, or that has no workers of poller."""


class StateError(PollerError):
    """Positions could not be stored or read: disk full, file damaged or gone. Nothing stored has moved."""


class NotKnown(StateError):
    """Whether an order took effect is not known: the store's answer was lost. The action log keeps it as begun."""


class LeaseLost(PollerError):
    """Another daemon may hold the shard now. The store refused to write, and nothing more may start."""


class IteratorExpired(PollerError):
    """A shard iterator is too old, or a subscription ended: get a new one behind the last record that was read."""


class PositionTrimmed(PollerError):
    """The position is older than everything the stream still holds: the records between were trimmed."""


class ShardGone(PollerError):
    """The shard no longer exists, though its stream does: all its records were trimmed."""


class UnreadableRecord(PollerError):
    """An answer holds a record that cannot be delivered, because its position in the shard is missing. `text` names it;
    `index` counts from 0.
    """

    def __init__(self, index: int, text: str) -> None:
        super().__init__(text)
        self.index = index
        self.text = text


class StreamGone(PollerError):
    """The stream does not exist, or no longer exists."""
