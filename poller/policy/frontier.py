"""How far a lane of a shard has come: its watermark, below which nothing is unresolved.

A lane is strictly ordered, so one sequence number says it all. What is settled out of order waits until everything
before it is settled too. What is passed over (a record that did not match a filter, or is another lane's) is no entry
at all: once everything before it is settled, the watermark moves on behind it. Stores nothing.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Generic, Protocol, TypeVar

from poller.policy.positions import place


class Identified(Protocol):
    """What has a place in a shard."""

    @property
    def identifier(self) -> str:
        """A position, see `positions`."""
        ...


Entry = TypeVar("Entry", bound=Identified)


class Watermark(Generic[Entry]):
    """One lane's records between dealt and settled, and the position before the first of them."""

    __slots__ = ("_early", "_passed", "position", "unsettled")

    def __init__(self, position: str | None) -> None:
        self.position = position
        """Position at and below which everything of this lane is settled; None before the first."""
        self.unsettled: deque[Entry] = deque()
        """In order."""
        self._early: set[str] = set()
        """Settled already, though not everything before them is."""
        self._passed: deque[tuple[str, str]] = deque()
        """Once everything up to the first is settled, everything up to the second is; in order."""

    def deal(self, records: Iterable[Entry]) -> None:
        """These came into the lane, behind all others."""
        self.unsettled.extend(records)

    def passed(self, sequence_number: str | None) -> None:
        """The shard was read up to here. A lane with nothing unsettled has come as far, any other will have."""
        if sequence_number is None:
            return
        if not self.unsettled:
            if not at_or_below(sequence_number, self.position):
                self.position = sequence_number
            return
        last = self.unsettled[-1].identifier
        if last == sequence_number or at_or_below(sequence_number, last):
            return
        if self._passed and self._passed[-1][0] == last:
            self._passed.pop()
        self._passed.append((last, sequence_number))

    def settle(self, records: Sequence[Entry]) -> None:
        """Done with for good, in whatever order. Each of them must have been dealt, and is settled once."""
        unsettled = self.unsettled
        if not self._early and unsettled and unsettled[0] is records[0]:
            for settled, record in enumerate(records):
                if unsettled[0] is not record:
                    records = records[settled:]
                    break
                unsettled.popleft()
                self.position = record.identifier
            else:
                self._move_on()
                return
        early = self._early
        early.update(record.identifier for record in records)
        while unsettled and unsettled[0].identifier in early:
            record = unsettled.popleft()
            early.remove(record.identifier)
            self.position = record.identifier
        self._move_on()

    def _move_on(self) -> None:
        passed = self._passed
        while passed and at_or_below(passed[0][0], self.position):
            self.position = highest((self.position, passed.popleft()[1]))

    def give_up(self) -> int:
        """Forget what is unsettled, for the source still has it. Returns how many those are."""
        unresolved = len(self.unsettled) - len(self._early)
        self.unsettled.clear()
        self._early.clear()
        self._passed.clear()
        return unresolved


def lowest(positions: Iterable[str | None]) -> str | None:
    """Where reading for all of them resumes; None is before the first record."""
    found = list(positions)
    if not found or None in found:
        return None
    return min((position for position in found if position is not None), key=place)


def highest(positions: Iterable[str | None]) -> str | None:
    """The furthest of them; None if none has come anywhere."""
    return max((position for position in positions if position is not None), key=place, default=None)


def at_or_below(record: str, position: str | None) -> bool:
    """Whether a position covers the record at another."""
    return position is not None and place(record) <= place(position)
