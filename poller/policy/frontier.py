"""How far a lane of a shard has come: its watermark, below which nothing is unresolved.

A lane is strictly ordered, so one sequence number says it all. What is settled out of order (a record that did not
match a filter, while an earlier one is still being gathered) waits until everything before it is settled too. Stores
nothing.
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

    __slots__ = ("_early", "position", "unsettled")

    def __init__(self, position: str | None) -> None:
        self.position = position
        """Position at and below which everything of this lane is settled; None before the first."""
        self.unsettled: deque[Entry] = deque()
        """In order."""
        self._early: set[str] = set()
        """Settled already, though not everything before them is."""

    def deal(self, records: Iterable[Entry]) -> None:
        """These came into the lane, behind all others."""
        self.unsettled.extend(records)

    def passed(self, sequence_number: str | None) -> None:
        """The shard was read up to here. A lane with nothing unsettled has come as far."""
        if self.unsettled or sequence_number is None or at_or_below(sequence_number, self.position):
            return
        self.position = sequence_number

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
                return
        early = self._early
        early.update(record.identifier for record in records)
        while unsettled and unsettled[0].identifier in early:
            record = unsettled.popleft()
            early.remove(record.identifier)
            self.position = record.identifier

    def give_up(self) -> int:
        """Forget what is unsettled, for the source still has it. Returns how many those are."""
        unresolved = len(self.unsettled) - len(self._early)
        self.unsettled.clear()
        self._early.clear()
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
