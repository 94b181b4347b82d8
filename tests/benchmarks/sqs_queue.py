"""A standard SQS queue of pre-rendered messages: what is visible when, and the bytes of each message.

Decides: order, visibility, redelivery. Refuses to know: connections, and who is waiting.
"""

import hashlib
import heapq
import json
import math
from collections import deque

from .ledger import Ledger

_BODIES = 1024
"""Different bodies; message i carries number i modulo this."""
_HANDLE_FILL = "BzXyUiOpAsDfGhJkLzXcVbNmQwErTyUiOpAsDfGhJkLzXcVbNm0123456789" * 3
"""Pads receipt handles to some 200 characters, as on AWS."""


def _body(number: int, size: int) -> str:
    """A JSON order of `size` characters (or what its fixed part needs), mostly an unremarkable note."""
    order = {"orderId": f"o-{number:06d}", "customer": {"id": number * 7919, "tier": "gold"}, "note": ""}
    room = max(0, size - len(json.dumps(order)))
    words = hashlib.sha256(str(number).encode()).hexdigest() * (room // 64 + 1)
    return json.dumps({**order, "note": words[:room]})


class Queue:
    def __init__(
        self, messages: int, *, generation: int, size: int, rate: float, visibility: float, wall: float
    ) -> None:
        """Renders everything; nothing is visible before `open`.

        `generation` sets this load's ids apart from earlier ones. `rate` messages become visible per second, all at
        once if 0. `visibility` is the queue's own timeout in seconds. `wall` is Unix time, for the sent timestamps.
        """
        self.ledger = Ledger(messages, self.available_at)
        self._messages = messages
        self._rate = rate
        self._visibility = visibility
        self._id_prefix = f"5fe20c1b-77ab-4c1a-{generation & 0xFFFF:04x}-"
        self._handle_prefix = f"AQEB{generation & 0xFFFF:04x}"
        self._bodies: list[bytes] = []
        for number in range(min(_BODIES, messages)):
            text = _body(number, size)
            md5 = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
            self._bodies.append(f'"MD5OfBody":"{md5}","Body":{json.dumps(text)}'.encode())
        self._wall = wall
        self._rendered = [self._render(index, 1) for index in range(messages)]
        self._opened = math.inf
        self._next = 0
        self._again: deque[int] = deque()
        self._visible_at = [0.0] * messages
        self._hidden: list[tuple[float, int]] = []

    def open(self, now: float) -> None:
        """Makes the first message visible; latency counts from here."""
        self._opened = now

    def available_at(self, index: int) -> float:
        return self._opened + (index / self._rate if self._rate else 0.0)

    def next_available(self) -> float | None:
        """When the next message that nobody has received becomes visible; None when there is none left."""
        return self.available_at(self._next) if self._next < self._messages else None

    def is_visible(self, now: float) -> bool:
        return bool(self._again) or self._next < self._released(now)

    def take(self, limit: int, visibility: float | None, now: float) -> list[bytes]:
        """Up to `limit` visible messages, rendered; hidden from now for `visibility` seconds."""
        first = self._next
        self._next = max(first, min(first + limit, self._released(now)))
        indexes = list(range(first, self._next))
        rendered = self._rendered[first : self._next]
        while len(indexes) < limit and self._again:
            index = self._again.popleft()
            if not self.ledger.is_deleted(index):
                indexes.append(index)
                rendered.append(self._render(index, self.ledger.deliveries(index) + 1))
        until = now + (self._visibility if visibility is None else visibility)
        for index in indexes:
            self._visible_at[index] = until
            heapq.heappush(self._hidden, (until, index))
        if indexes:
            self.ledger.received(indexes, now)
        return rendered

    def hide(self, index: int, until: float) -> None:
        """ChangeMessageVisibility. Without effect on a message that is not in flight."""
        if self._visible_at[index]:
            self._visible_at[index] = until
            heapq.heappush(self._hidden, (until, index))

    def expire(self, now: float) -> None:
        """Puts back what was not deleted in time. Entries that a later change made stale are passed over."""
        while self._hidden and self._hidden[0][0] <= now:
            until, index = heapq.heappop(self._hidden)
            if self._visible_at[index] == until and not self.ledger.is_deleted(index):
                self._visible_at[index] = 0.0
                self._again.append(index)
                self.ledger.visible_again()

    def attributes(self, now: float) -> dict[str, str]:
        return {
            "VisibilityTimeout": str(int(self._visibility)),
            "ApproximateNumberOfMessages": str(max(0, self._released(now) - self._next) + len(self._again)),
        }

    def message_id(self, index: int) -> str:
        return f"{self._id_prefix}{index:012x}"

    def index_of_id(self, message_id: str) -> int | None:
        """Its number; None when it is not of this load."""
        return self._index(message_id, self._id_prefix)

    def index_of_handle(self, receipt_handle: str) -> int | None:
        """Its message's number; None when it is not of this load."""
        return self._index(receipt_handle, self._handle_prefix)

    def _index(self, text: str, prefix: str) -> int | None:
        if not text.startswith(prefix):
            return None
        start = len(prefix)
        try:
            index = int(text[start : start + 12], 16)
        except ValueError:
            return None
        return index if index < self._messages else None

    def _released(self, now: float) -> int:
        """How many messages have become visible so far, received ones included."""
        if now < self._opened:
            return 0
        return min(self._messages, int((now - self._opened) * self._rate) + 1) if self._rate else self._messages

    def _render(self, index: int, receive_count: int) -> bytes:
        sent = int(1000 * (self._wall + (index / self._rate if self._rate else 0)))
        return (
            f'{{"MessageId":"{self.message_id(index)}",'
            f'"ReceiptHandle":"{self._handle_prefix}{index:012x}{receive_count:04x}{_HANDLE_FILL}==",'.encode()
            + self._bodies[index % _BODIES]
            + f',"Attributes":{{"SenderId":"AIDAIENQZJOLO23YVJ4VO","ApproximateFirstReceiveTimestamp":"{sent}",'
            f'"ApproximateReceiveCount":"{receive_count}","SentTimestamp":"{sent}"}}}}'.encode()
        )
