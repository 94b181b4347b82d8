"""A queue of the fake SQS: visibility, receive counts, long polls, FIFO groups, deduplication, redrive."""

import asyncio
import hashlib
import itertools
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.fakes.ids import new_id, new_token
from tests.fakes.ledger import Entry, Ledger
from tests.fakes.message import Message, wire_attributes
from tests.fakes.order import FifoOrder, Order, StandardOrder
from tests.virtual_time import EPOCH

LONGEST_VISIBILITY = 43_200
"""Seconds a message may stay in flight, counted from its receive."""
DEDUPLICATION_SECONDS = 300
"""Both of the deduplication id and of ReceiveRequestAttemptId."""


TICK = 1e-6
"""Seconds by which a timer may fire early: what is due within them is due now."""


class Refusal(Exception):
    """`code` in the spelling of a batch answer's entries."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def loop_time() -> float:
    """The running loop's time; 0 while a test still sets things up."""
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return 0.0


@dataclass(slots=True)
class Attempt:
    """A FIFO receive that may be asked again under its ReceiveRequestAttemptId."""

    at: float
    visibility: float
    messages: list[tuple[Message, str, float]]
    """With the receipt handle and the time to become visible at, as they were left."""


@dataclass(slots=True, eq=False)
class FakeQueue:
    """Sending is a method; the rest is what the wire's operations are made of."""

    name: str
    arn: str
    url: str
    ledger: Ledger
    visibility_timeout: int = 30
    receive_wait: int = 0
    delay: int = 0
    content_based_deduplication: bool = False
    dead_letter_queue: "FakeQueue | None" = None
    max_receive_count: int = 0
    in_flight_limit: int | None = None
    disorder: random.Random | None = None
    """Makes a standard queue hand messages out in any order, as the real one may."""
    groups_when_asked: bool = False
    """FIFO: a receive that waits does not notice that a group has become free since it began."""
    messages: dict[str, Message] = field(default_factory=dict)
    """By message id, in the order of sending."""
    long_polls: int = 0
    """Receives waiting now."""
    _order: Order = field(init=False)
    _changed: list[asyncio.Future[None]] = field(default_factory=list)
    _handles: dict[str, Message] = field(default_factory=dict)
    _deduplication: dict[str, tuple[float, str]] = field(default_factory=dict)
    _attempts: dict[str, Attempt] = field(default_factory=dict)
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self._order = FifoOrder() if self.fifo else StandardOrder(self.disorder)

    @property
    def fifo(self) -> bool:
        return self.name.endswith(".fifo")

    def send(
        self,
        body: str,
        *,
        group: str | None = None,
        deduplication_id: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        trace_header: str | None = None,
        delay: float | None = None,
    ) -> str:
        """Send one message and return its id. On a FIFO queue it is no duplicate unless its deduplication id, or by
        the queue's setting its body, says so."""
        now = loop_time()
        message_id = new_id()
        if self.fifo:
            assert group is not None, "a FIFO message needs a group"
            deduplication_id = deduplication_id or self._new_deduplication_id(body)
            at, first = self._deduplication.get(deduplication_id, (now, ""))
            if first and now < at + DEDUPLICATION_SECONDS:
                return first
            self._deduplication[deduplication_id] = (now, message_id)
        message = Message(
            message_id,
            body,
            self._milliseconds(),
            next(self._numbers),
            now + (self.delay if delay is None else delay),
            wire_attributes(attributes or {}),
            group,
            deduplication_id if self.fifo else None,
            trace_header,
        )
        self.ledger.sent(Entry(message_id, self.name, body, now, group))
        self._put(message)
        return message_id

    def counts(self) -> tuple[int, int, int]:
        """Visible, in flight, delayed."""
        now = loop_time()
        flying = sum(message.in_flight(now) for message in self.messages.values())
        delayed = sum(m.handle is None and m.visible_at > now for m in self.messages.values())
        return len(self.messages) - flying - delayed, flying, delayed

    async def receive(
        self, limit: int, wait: float, visibility: float, attempt_id: str | None = None
    ) -> list[tuple[Message, str]]:
        """Messages with their new receipt handles; waits for the first one at most `wait` seconds."""
        if attempt_id is not None and (replayed := self._replay(attempt_id)):
            return replayed
        begun = loop_time()
        deadline = begun + wait
        blocked = set[str | None]()
        if self.groups_when_asked:
            blocked = {message.group for message in self.messages.values() if message.in_flight(begun)}
        while not (taken := self._take(limit, visibility, blocked)) and (left := deadline - loop_time()) > TICK:
            await self._wait_for_change(left)
        if attempt_id is not None and taken:
            noted = [(message, handle, message.visible_at) for message, handle in taken]
            self._attempts[attempt_id] = Attempt(loop_time(), visibility, noted)
        return taken

    def delete(self, handle: str) -> None:
        """Any handle of the message will do on a standard queue, also again; FIFO wants the newest, still in flight."""
        message = self._known(handle)
        if message.moved:
            return
        if not message.deleted:
            if self.fifo and not (message.handle == handle and message.in_flight(loop_time())):
                raise Refusal("ReceiptHandleIsInvalid", "The receipt handle has expired")
            message.deleted = True
            del self.messages[message.message_id]
            self._order.remove(message)
            self._wake()
        self.ledger.deleted(message.message_id, loop_time())

    def change_visibility(self, handle: str, seconds: int) -> None:
        message = self._known(handle)
        now = loop_time()
        if message.deleted or message.moved:
            raise Refusal(
                "InvalidParameterValue",
                f"Value {handle} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not "
                "available for visibility timeout change.",
            )
        if message.handle != handle or not message.in_flight(now):
            raise Refusal("MessageNotInflight", "The specified message isn't in flight.")
        if now + seconds > message.received_at + LONGEST_VISIBILITY:
            raise Refusal(
                "InvalidParameterValue",
                f"Value {seconds} for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the "
                f"message is beyond the limit [{LONGEST_VISIBILITY} seconds].",
            )
        message.visible_at = now + seconds
        self._order.add(message)
        self._wake()

    def _put(self, message: Message) -> None:
        self.messages[message.message_id] = message
        self._order.add(message)
        self._wake()

    def _take(self, limit: int, visibility: float, blocked: set[str | None]) -> list[tuple[Message, str]]:
        now = loop_time()
        if self.in_flight_limit is not None and self.counts()[1] >= self.in_flight_limit:
            raise Refusal("OverLimit", "Too many messages in flight", 403)
        found = self._order.candidates(limit, now + TICK)
        while spent := [message for message in found if self._is_spent(message)]:
            for message in spent:
                self._redrive(message)
            found = self._order.candidates(limit, now + TICK)
        taken = []
        for message in found:
            if message.group in blocked:
                continue
            message.handle = f"AQEB{new_token()}"
            self._handles[message.handle] = message
            message.receives += 1
            message.received_at = now
            message.first_received_ms = message.first_received_ms or self._milliseconds()
            message.visible_at = now + visibility
            self._order.add(message)
            taken.append((message, message.handle))
        self.ledger.note("receives", [message.message_id for message, _ in taken], now)
        return taken

    def _is_spent(self, message: Message) -> bool:
        return self.dead_letter_queue is not None and message.receives >= self.max_receive_count

    def _redrive(self, message: Message) -> None:
        target = self.dead_letter_queue
        assert target is not None
        del self.messages[message.message_id]
        self._order.remove(message)
        message.moved = True
        self.ledger[message.message_id].in_queue = target.name
        target.receive_dead_letter(message, self.arn)

    def receive_dead_letter(self, message: Message, source_arn: str) -> None:
        """Take over a message that was received too often from the queue with that ARN."""
        self._put(replace(message, moved_from=source_arn, moved=False, handle=None, sequence=next(self._numbers)))

    def show_again(self, message_id: str) -> None:
        """End a message's visibility timeout now, as a standard queue may deliver one twice."""
        message = self.messages[message_id]
        message.visible_at = 0.0
        self._order.add(message)
        self._wake()

    def _replay(self, attempt_id: str) -> list[tuple[Message, str]]:
        attempt = self._attempts.get(attempt_id)
        now = loop_time()
        if attempt is None or now > attempt.at + DEDUPLICATION_SECONDS:
            return []
        for message, handle, visible_at in attempt.messages:
            if message.handle != handle or message.visible_at != visible_at or not message.in_flight(now):
                return []
        for message, _, _ in attempt.messages:
            message.visible_at = now + attempt.visibility
            self._order.add(message)
        attempt.messages = [(message, handle, message.visible_at) for message, handle, _ in attempt.messages]
        return [(message, handle) for message, handle, _ in attempt.messages]

    def _known(self, handle: str) -> Message:
        if handle not in self._handles:
            raise Refusal("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
        return self._handles[handle]

    def _new_deduplication_id(self, body: str) -> str:
        return hashlib.sha256(body.encode()).hexdigest() if self.content_based_deduplication else new_id()

    def _milliseconds(self) -> int:
        return int((EPOCH + loop_time()) * 1000)

    def _wake(self) -> None:
        for waiter in self._changed:
            if not waiter.done():
                waiter.set_result(None)
        self._changed.clear()

    async def _wait_for_change(self, seconds: float) -> None:
        """Until something was sent, deleted or changed, or may become visible, at most `seconds`."""
        now = loop_time()
        by_itself = self._order.next_change(now)
        waiter = asyncio.get_running_loop().create_future()
        self._changed.append(waiter)
        self.long_polls += 1
        try:
            await asyncio.wait([waiter], timeout=seconds if by_itself is None else min(seconds, by_itself - now))
        finally:
            self.long_polls -= 1
            waiter.cancel()
