"""Which messages of a fake queue may be received now: the rules of standard queues, and those of FIFO queues."""

import heapq
import itertools
import random
from typing import Protocol

from tests.fakes.message import Message


class Order(Protocol):
    def add(self, message: Message) -> None:
        """A message came, or came back with another `visible_at`."""

    def remove(self, message: Message) -> None: ...

    def candidates(self, limit: int, now: float) -> list[Message]:
        """What a receive may take, in the order to hand out."""

    def next_change(self, now: float) -> float | None:
        """When, after `now`, something becomes receivable by itself."""


class StandardOrder:
    """Everything visible may be taken: the longest visible first, or any when `disorder` is given."""

    def __init__(self, disorder: random.Random | None = None) -> None:
        self._disorder = disorder
        self._visible: dict[Message, None] = {}
        self._hidden: list[tuple[float, int, Message]] = []
        self._numbers = itertools.count()

    def add(self, message: Message) -> None:
        self._visible.pop(message, None)
        heapq.heappush(self._hidden, (message.visible_at, next(self._numbers), message))

    def remove(self, message: Message) -> None:
        self._visible.pop(message, None)

    def candidates(self, limit: int, now: float) -> list[Message]:
        while self._hidden and (self._stale() or self._hidden[0][0] <= now):
            at, _, message = heapq.heappop(self._hidden)
            if at == message.visible_at and not (message.deleted or message.moved):
                self._visible[message] = None
        if self._disorder is not None:
            return self._disorder.sample(list(self._visible), min(limit, len(self._visible)))
        return list(itertools.islice(self._visible, limit))

    def next_change(self, now: float) -> float | None:
        while self._hidden and self._stale():
            heapq.heappop(self._hidden)
        return max(now, self._hidden[0][0]) if self._hidden else None

    def _stale(self) -> bool:
        at, _, message = self._hidden[0]
        return message.deleted or message.moved or at != message.visible_at


class FifoOrder:
    """A group is locked while any of its messages is in flight; unlocked, it gives them in order, as many as wanted."""

    def __init__(self) -> None:
        self._groups: dict[str, dict[int, Message]] = {}

    def add(self, message: Message) -> None:
        group = self._groups.setdefault(str(message.group), {})
        group[message.sequence] = message

    def remove(self, message: Message) -> None:
        group = self._groups[str(message.group)]
        group.pop(message.sequence, None)
        if not group:
            del self._groups[str(message.group)]

    def candidates(self, limit: int, now: float) -> list[Message]:
        found: list[Message] = []
        for group in self._groups.values():
            if any(message.in_flight(now) for message in group.values()):
                continue
            visible = itertools.takewhile(lambda message: message.visible_at <= now, group.values())
            found.extend(itertools.islice(visible, limit - len(found)))
            if len(found) >= limit:
                break
        return found

    def next_change(self, now: float) -> float | None:
        times = (m.visible_at for group in self._groups.values() for m in group.values() if m.visible_at > now)
        return min(times, default=None)
