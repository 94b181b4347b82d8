"""An answer that is a stream of events (application/vnd.amazon.eventstream): botocore parses its frames.

Payloads are handed on as the bytes they came as. Reading goes no further than what is asked for.
"""

import struct

from botocore.eventstream import EventStreamBuffer, EventStreamMessage, ParserError

from poller.aws.answers import timestamp
from poller.aws.port import Operation, ReservedBytes
from poller.http.reserved_bytes import fit
from poller.http.streamed import Streamed
from poller.support.codec import loads
from poller.values.errors import AnswerLost, ServiceError

CONTENT_TYPE = "application/vnd.amazon.eventstream"
PRELUDE = 12
"""Length of a frame's prelude in bytes: frame length, header length, and a checksum of both."""
LONGEST_FRAME = 24 * 1024 * 1024 + 128 * 1024 + 16
"""The SDK's maximum for payload, headers and framing."""
INITIAL_RESPONSE = "initial-response"
"""The event with the answer's own members; an operation like SubscribeToShard has none of them."""


class EventStreamAnswer:
    """An `EventStream`; `poller.aws.port` has the promises."""

    def __init__(self, answer: Streamed, operation: Operation) -> None:
        kind = answer.headers.get("content-type", "")
        if not kind.startswith(CONTENT_TYPE):
            raise AnswerLost(
                f"the endpoint answers {operation.name} with {kind or 'no content type'}, not with an event stream "
                f"({CONTENT_TYPE}); it cannot do enhanced fan-out: name the ARN of the stream itself, which is polled"
            )
        self.date = timestamp(answer.headers.get("date", ""))
        self._answer = answer
        self._frames = EventStreamBuffer()
        self._received = bytearray()

    async def event(self, room: ReservedBytes | None = None) -> bytes | None:
        while True:
            message = self._framed()
            if message is None:
                if not await self._receive(room):
                    return None
            elif _kind(message) != INITIAL_RESPONSE:
                payload: bytes = message.payload
                return payload

    async def _receive(self, room: ReservedBytes | None) -> bool:
        """Pass one whole frame to the SDK's parser; False at the end of the answer."""
        received = self._received
        while (length := _frame_length(received)) is None or len(received) < length:
            if length is not None and room is not None:
                await fit(room, length)
            chunk = await self._answer.chunk()
            if not chunk:
                return False
            received += chunk
        self._frames.add_data(bytes(received[:length]))
        del received[:length]
        return True

    def _framed(self) -> EventStreamMessage | None:
        try:
            return next(self._frames, None)
        except (ParserError, struct.error, ValueError, KeyError) as error:
            raise AnswerLost(f"the event stream is broken: {error!r}") from error

    async def close(self) -> None:
        self._answer.close()


def _frame_length(received: bytes | bytearray) -> int | None:
    """Length of the frame that begins here; None before its first bytes have arrived. A length that no frame can have
    is cut to the prelude, of which the SDK finds out that it is broken.
    """
    if len(received) < PRELUDE:
        return None
    length = int.from_bytes(received[:4], "big")
    return length if PRELUDE < length <= LONGEST_FRAME else PRELUDE


def _kind(message: EventStreamMessage) -> str:
    """The event's name. Raises the error that ends the stream."""
    headers = message.headers
    match headers.get(":message-type"):
        case "event":
            return str(headers.get(":event-type", ""))
        case "exception":
            code = str(headers.get(":exception-type", "Unknown"))
            raise ServiceError(400, code, _message_in(message.payload), body=message.payload)
        case _:
            code = str(headers.get(":error-code", "Unknown"))
            raise ServiceError(500, code, str(headers.get(":error-message", "")), body=message.payload)


def _message_in(payload: bytes) -> str:
    try:
        told = loads(payload)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        return payload.decode("utf-8", "replace")
    return str(told.get("message") or told.get("Message") or "")
