"""The calls to one queue, as bytes through the transport port. The caller does any retry beyond the transport's."""

import asyncio
import uuid
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from poller.aws.port import Operation, Reply, ReservedBytes, Transport
from poller.policy.unanswered import UnansweredCalls
from poller.support import codec
from poller.values.errors import AnswerLost, CallError, ServiceError

LONG_POLL = 20
"""Seconds: the longest WaitTimeSeconds the service allows."""
NETWORK = 10.0
"""Seconds an answer may take beyond the long poll before the queue counts as silent."""
UNANSWERED = "Unanswered"
"""Code of an entry that the answer to a batch call does not name: it may or may not have been carried out."""
MOST_PER_CALL = 10
"""Messages per receive, and entries per batch call: the service's limit."""


def _operation(name: str, timeout: float) -> Operation:
    return Operation("sqs", name, f"AmazonSQS.{name}", timeout=timeout)


_IDS = [str(index) for index in range(MOST_PER_CALL)]
"""The ids of a call's entries."""
_ALL_DONE = [[{"Id": number} for number in _IDS[:entries]] for entries in range(MOST_PER_CALL + 1)]
"""What the answer to a batch call commonly says when every entry was successful, by their number."""

# a long poll may use all its twenty seconds before the first byte of its answer
RECEIVE = _operation("ReceiveMessage", LONG_POLL + 15.0)
DELETE = _operation("DeleteMessageBatch", 15.0)
SEND = _operation("SendMessageBatch", 15.0)
CHANGE = _operation("ChangeMessageVisibilityBatch", 15.0)
ATTRIBUTES = _operation("GetQueueAttributes", 15.0)


@dataclass(frozen=True, slots=True)
class QueueName:
    """Names one queue, in the forms that calls and events need."""

    arn: str
    url: str
    """Only a field of the body: the transport decides which host is called."""
    region: str
    """As events show it."""
    fifo: bool


@dataclass(frozen=True, slots=True)
class Redrive:
    """A queue's redrive policy."""

    dead_letters: str
    """The ARN of the dead-letter queue."""
    most_receives: int | None
    """maxReceiveCount: receives after which a message is moved there; None where the service does not say."""


@dataclass(frozen=True, slots=True)
class QueueAttributes:
    """The settings of a queue that matter when messages are received."""

    visibility_timeout: int
    """Seconds."""
    retention: float
    """Seconds a message is kept."""
    redrive: Redrive | None = None
    """None where a message that fails repeats until it expires."""


@dataclass(frozen=True, slots=True)
class Depth:
    """The approximate number of messages in a queue; None where it is not known."""

    visible: int | None
    """Could be received now."""
    hidden: int | None
    """Were received by a consumer and are neither deleted nor visible again."""
    delayed: int | None = 0
    """Cannot be received yet."""

    @property
    def is_empty(self) -> bool:
        """Whether the queue is known to have no message at all."""
        return self.visible == self.hidden == self.delayed == 0


@dataclass(frozen=True, slots=True)
class Refused:
    """One entry of a batch call that failed."""

    index: int
    code: str
    sender_fault: bool
    """Whether sending it again is pointless."""
    message: str = ""

    @property
    def error(self) -> CallError:
        """The error that a call with this entry alone would have raised."""
        if self.code == UNANSWERED:
            return AnswerLost("the answer names an entry neither as successful nor as failed")
        return ServiceError(400 if self.sender_fault else 500, self.code, self.message)


class Queue:
    """Typed calls to one queue. Each may raise CallError."""

    def __init__(self, name: QueueName, transport: Transport) -> None:
        self.name = name
        self.unanswered = UnansweredCalls(LONG_POLL + NETWORK)
        """Whether the calls that read the queue are answered in time."""
        self._transport = transport
        self._receives: dict[tuple[int, int], bytes] = {}
        self._visibility: int | None = None

    def ask_for(self, visibility: int | None) -> None:
        """Set the visibility timeout (seconds) of later receives; None uses the queue's own."""
        if visibility != self._visibility:
            self._visibility = visibility
            self._receives.clear()

    def new_attempt(self) -> str | None:
        """For FIFO the id of a receive, by which it can be repeated after a lost answer."""
        return str(uuid.uuid4()) if self.name.fifo else None

    def receive_body(self, most: int, wait: int, attempt: str | None) -> bytes:
        """The body of a ReceiveMessage. For a standard queue it is the same bytes each time."""
        body = self._receives.get((most, wait))
        if body is not None:
            return body
        request: dict[str, Any] = {
            "QueueUrl": self.name.url,
            "MaxNumberOfMessages": most,
            "WaitTimeSeconds": wait,
            "MessageAttributeNames": ["All"],
            "MessageSystemAttributeNames": ["All"],
            # the older name of the line above; some compatible services know only this one
            "AttributeNames": ["All"],
        }
        if self._visibility is not None:
            request["VisibilityTimeout"] = self._visibility
        if attempt is not None:
            request["ReceiveRequestAttemptId"] = attempt
            return codec.dumps(request)
        return self._receives.setdefault((most, wait), codec.dumps(request))

    async def receive(self, body: bytes, room: ReservedBytes | None = None) -> tuple[list[dict[str, Any]], int]:
        """The messages and the length of the answer in bytes."""
        reply = await self._transport.call(RECEIVE, body, room=room)
        if len(reply.body) < 20:  # `{}` or `{"Messages":[]}`
            return [], 0
        messages = _parsed(reply.body).get("Messages") or []
        if not isinstance(messages, list):
            raise AnswerLost(f"the answer is none to a receive: {reply.body[:80]!r}")
        return messages, len(reply.body)

    def delete(self, receipt_handles: Sequence[str]) -> Coroutine[Any, Any, list[Refused]]:
        """Delete up to ten; returns what was not deleted."""
        entries = [
            {"Id": number, "ReceiptHandle": handle} for number, handle in zip(_IDS, receipt_handles, strict=False)
        ]
        return self._batch(DELETE, entries)

    def change_visibility(self, changes: Sequence[tuple[str, int]]) -> Coroutine[Any, Any, list[Refused]]:
        """Set receipt handles' timeouts in seconds from now, up to ten; returns what was not changed."""
        entries = [
            {"Id": _IDS[index], "ReceiptHandle": handle, "VisibilityTimeout": seconds}
            for index, (handle, seconds) in enumerate(changes)
        ]
        return self._batch(CHANGE, entries)

    def send(self, entries: Sequence[dict[str, Any]]) -> Coroutine[Any, Any, list[Refused]]:
        """Put up to ten messages into the queue; returns what it did not take."""
        return self._batch(SEND, [{"Id": _IDS[index]} | entry for index, entry in enumerate(entries)])

    async def attributes(self) -> QueueAttributes:
        """The queue's present settings. An answer also proves that the queue exists and may be read."""
        body = self._question("VisibilityTimeout", "MessageRetentionPeriod", "RedrivePolicy")
        time = asyncio.get_running_loop().time
        self.unanswered.asked(time())
        try:
            found = _attributes(await self._transport.call(ATTRIBUTES, body))
        finally:
            self.unanswered.answered(time())
        # the service's defaults, for compatible services that leave out settings that were never set
        visibility, retention = _whole(found.get("VisibilityTimeout")), number(found.get("MessageRetentionPeriod"))
        visibility = 30 if visibility is None else visibility
        return QueueAttributes(visibility, retention or 4 * 24 * 3600.0, _redrive(found))

    async def depth(self) -> Depth:
        """The approximate number of messages in the queue."""
        visible, hidden = "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"
        delayed = "ApproximateNumberOfMessagesDelayed"
        found = _attributes(await self._transport.call(ATTRIBUTES, self._question(visible, hidden, delayed)))
        return Depth(_whole(found.get(visible)), _whole(found.get(hidden)), _whole(found.get(delayed, "0")))

    async def dead_letters(self) -> str | None:
        """The ARN of the queue that gets the messages that were received too often; None where there is none."""
        redrive = _redrive(_attributes(await self._transport.call(ATTRIBUTES, self._question("RedrivePolicy"))))
        return None if redrive is None else redrive.dead_letters

    def _question(self, *attributes: str) -> bytes:
        return codec.dumps({"QueueUrl": self.name.url, "AttributeNames": attributes})

    async def _batch(self, operation: Operation, entries: list[dict[str, Any]]) -> list[Refused]:
        reply = await self._transport.call(operation, codec.dumps({"QueueUrl": self.name.url, "Entries": entries}))
        try:
            return _refused(_parsed(reply.body), len(entries))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise AnswerLost(f"the answer is none to a batch: {reply.body[:80]!r}") from error


def number(value: object) -> float | None:
    """A number as services write it, `"3"`, `3` or `"3.0"`; None for anything else."""
    if not isinstance(value, str | int | float):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if isfinite(found) else None


def _whole(value: object) -> int | None:
    found = number(value)
    return None if found is None else int(found)


def _redrive(attributes: dict[str, Any]) -> Redrive | None:
    try:
        policy = codec.loads(attributes["RedrivePolicy"].encode())
        arn, most = policy["deadLetterTargetArn"], policy.get("maxReceiveCount")
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return Redrive(arn, _whole(most)) if isinstance(arn, str) else None


def _attributes(reply: Reply) -> dict[str, Any]:
    found = _parsed(reply.body).get("Attributes")
    return found if isinstance(found, dict) else {}


def _refused(answer: dict[str, Any], entries: int) -> list[Refused]:
    successful = answer.get("Successful") or ()
    if successful == _ALL_DONE[entries] and not answer.get("Failed"):
        return []
    done = {entry["Id"] for entry in successful}
    refused = [
        Refused(
            int(failure["Id"]), failure.get("Code", ""), bool(failure.get("SenderFault")), failure.get("Message", "")
        )
        for failure in answer.get("Failed") or ()
    ]
    # an entry that the answer does not name counts as failed
    named = {int(one) for one in done} | {failure.index for failure in refused}
    if not named <= set(range(entries)):
        raise ValueError("an entry that was not sent")
    return refused + [Refused(index, UNANSWERED, sender_fault=False) for index in range(entries) if index not in named]


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        answer = codec.loads(body)
    except ValueError as error:
        raise AnswerLost(f"the answer is not JSON: {body[:80]!r}") from error
    if not isinstance(answer, dict):
        raise AnswerLost(f"the answer is not a JSON object: {body[:80]!r}")
    return answer
