"""The exact account of every message sent to the fakes: how often delivered, whether proved, when deleted.

*Proved* means that an invocation succeeded on the message and its answer was handed to the caller. A message deleted
before that was deleted on a guess.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Entry:
    """Times are those of the event loop."""

    message_id: str
    queue: str
    body: str
    sent: float
    group: str | None = None
    receives: list[float] = field(default_factory=list)
    invoked: list[float] = field(default_factory=list)
    succeeded: list[float] = field(default_factory=list)
    """When the function had done it, whether or not the answer arrived."""
    proved: list[float] = field(default_factory=list)
    deletes: list[float] = field(default_factory=list)
    """Every accepted delete, the second and later ones included."""
    unproved_delete: bool = False
    in_queue: str | None = None
    """Where it is now; None once deleted."""


class Ledger:
    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}

    def __getitem__(self, message_id: str) -> Entry:
        return self.entries[message_id]

    def sent(self, entry: Entry) -> None:
        entry.in_queue = entry.queue
        self.entries[entry.message_id] = entry

    def deleted(self, message_id: str, now: float) -> None:
        entry = self.entries[message_id]
        entry.unproved_delete |= not entry.proved
        entry.deletes.append(now)
        entry.in_queue = None

    def note(self, what: str, message_ids: Iterable[str], now: float) -> None:
        """Add `now` to the list called `what` of each message that is known; others are no message of ours."""
        for message_id in message_ids:
            if message_id in self.entries:
                getattr(self.entries[message_id], what).append(now)

    def remaining(self, queue: str | None = None) -> set[str]:
        """Message ids still in a queue, or in the queue of that name."""
        found = {i: e.in_queue for i, e in self.entries.items() if e.in_queue is not None}
        return {i for i, where in found.items() if queue is None or where == queue}

    def deleted_unproved(self) -> set[str]:
        """Deleted before any invocation was seen to succeed on them."""
        return {i for i, e in self.entries.items() if e.unproved_delete}

    def lost(self) -> set[str]:
        """Gone from every queue, and no function ever succeeded on them."""
        return {i for i, e in self.entries.items() if e.in_queue is None and not e.succeeded}

    def delivered_twice(self) -> set[str]:
        """Invoked more than once."""
        return {i for i, e in self.entries.items() if len(e.invoked) > 1}
