"""The watermark of one lane of a shard: the position at and below which nothing is unsettled.

A lane is strictly ordered, so one sequence number is enough. Records settled out of order wait until all records before
them are settled too. Skipped records (which match no filter, or belong to another lane) are no entries: once everything
before them is settled, the watermark moves past them. This module stores nothing.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Generic, Protocol, TypeVar

from poller.policy.positions import place


class Identified(Protocol):
    """An entry with a position in a shard."""

    @property
    def identifier(self) -> str:
        """A position, see `positions`."""
        ...


Entry = TypeVar("Entry", bound=Identified)


class Watermark(Generic[Entry]):
    """The unsettled records of one lane, and the position before the first of them."""

    __slots__ = ("_early", "_passed", "position", "unsettled")

    def __init__(self, position: str | None) -> None:
        self.position = position
        """Position at and below which everything of this lane is settled; None before the first."""
        self.unsettled: deque[Entry] = deque()
        """In order."""
        self._early: set[str] = set()
        """Identifiers of records that are settled before an earlier one is."""
        self._passed: deque[tuple[str, str]] = deque()
        """Pairs, in order: once everything up to the first position is settled, the watermark moves to the second."""

    def deal(self, records: Iterable[Entry]) -> None:
        """Add records to the lane, behind all others."""
        self.unsettled.extend(records)

    def passed(self, sequence_number: str | None) -> None:
        """The shard was read up to here. The watermark moves there, at once or when the records before are settled."""
        if sequence_number is None:
            return
        if not self.unsettled:
            self.position = self.reached(sequence_number)
            return
        last = self.unsettled[-1].identifier
        if last == sequence_number or at_or_below(sequence_number, last):
            return
        if self._passed and self._passed[-1][0] == last:
            self._passed.pop()
        self._passed.append((last, sequence_number))

    def reached(self, sequence_number: str | None) -> str | None:
        """The position if the shard was read up to here: there, once nothing is unsettled."""
        if self.unsettled or sequence_number is None or at_or_below(sequence_number, self.position):
            return self.position
        return sequence_number

    def settle(self, records: Sequence[Entry]) -> None:
        """Settle records, in any order. Each of them must have been dealt before, and is settled only once."""
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
        """Forget the unsettled records, which the source still has. Returns their number."""
        unresolved = len(self.unsettled) - len(self._early)
        self.unsettled.clear()
        self._early.clear()
        self._passed.clear()
        return unresolved


def lowest(positions: Iterable[str | None]) -> str | None:
    """The lowest position, from which reading for all of them resumes; None is before the first record."""
    found = list(positions)
    if not found or None in found:
        return None
    return min((position for position in found if position is not None), key=place)


def highest(positions: Iterable[str | None]) -> str | None:
    """The highest position; None if all are None."""
    return max((position for position in positions if position is not None), key=place, default=None)


def at_or_below(record: str, position: str | None) -> bool:
    """Whether `position` covers the record at `record`."""
    return position is not None and place(record) <= place(position)
