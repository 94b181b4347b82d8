"""The data-plane port: every hot AWS call goes through `Transport.call`, bytes in and bytes out.

Two transports stand behind it: the reference one on stock aiobotocore clients, and the lean one that signs and speaks
HTTP itself. One contract suite holds them equal, so a source or function never knows which it has.
"""

from dataclasses import dataclass, field
from typing import Protocol

from poller.http.reply import Reply
from poller.http.reserved_bytes import ReservedBytes

__all__ = ["AWS_JSON_1_0", "AWS_JSON_1_1", "Operation", "Reply", "ReservedBytes", "Transport"]

AWS_JSON_1_0 = "application/x-amz-json-1.0"
AWS_JSON_1_1 = "application/x-amz-json-1.1"


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One AWS operation as a constant, with everything that is the same on every call. Always a POST.

    Made once and kept (transports remember by identity what they prepared for it), not per call.
    """

    service: str
    """The SDK's service name: `sqs`, `kinesis`, `dynamodbstreams`, `dynamodb`, `lambda`, `stepfunctions`."""
    name: str
    """The API's operation name, e.g. `ReceiveMessage`."""
    target: str | None = None
    """X-Amz-Target header of an AWS JSON call; None for REST."""
    content_type: str = AWS_JSON_1_0
    path: str = "/"
    """Path and query, already percent-encoded, e.g. `/2015-03-31/functions/fn/invocations?Qualifier=live`."""
    timeout: float = 30.0
    """Seconds from writing the request to the last byte of the answer, unless the call names another."""
    resend: bool = True
    """Whether a request may be sent again after bytes of it were written. Never true for Invoke: the function would run
    twice."""
    max_reply_bytes: int = 64 * 1024 * 1024
    headers: tuple[tuple[str, str], ...] = field(default=())
    """Further headers, which are signed too."""


class EventStream(Protocol):
    """An answer that is a stream of events."""

    date: float | None
    """The service's clock when the answer began, epoch seconds."""

    async def event(self, room: ReservedBytes | None = None) -> bytes | None:
        """The payload of the next event; None if the service ended the stream. Raises ServiceError for an exception
        that the service sends instead, AnswerLost where the stream breaks. A cancelled call leaves a stream that can
        only be closed. With `room`, no more of the event is read than it has room for; after NoRoom the same event
        can be asked for again.
        """
        ...

    async def close(self) -> None:
        """Close the connection at once."""
        ...


class Transport(Protocol):
    """Signed calls to one account's services, with the credentials, region and endpoints it was built with."""

    async def call(
        self,
        operation: Operation,
        body: bytes,
        timeout: float | None = None,  # noqa: ASYNC109
        *,
        trace: str | None = None,
        room: ReservedBytes | None = None,
    ) -> Reply:
        """Call the operation and return its 2xx answer. `trace` becomes the X-Amzn-Trace-Id header, which is not
        signed. With `room`, no more of the answer is read than it has room for; NoRoom is raised where it says so.

        Sends once, and again only as far as `Operation.resend` and the SDK's standard retry rules allow.
        Raises NotSent (NoCredentials included), AnswerLost or ServiceError, each after the retries were used up. A
        cancelled call closes its connection.
        """
        ...

    async def subscribe(self, operation: Operation, body: bytes) -> EventStream:
        """Call an operation whose answer is a stream of events, which is read only on demand. The caller has to close
        it.

        Sends once; again only where credentials or clock were refused and are put right. Raises as `call` does.
        """
        ...

    async def close(self) -> None:
        """Close idle connections and clients. Calls still running end in AnswerLost."""
        ...
