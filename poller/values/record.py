"""Record: one message or stream entry from receive to settle. Page: the records of one receive."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True, eq=False)
class Record:
    """The parsed item, and what the shared path needs of it.

    Event, match view and arrival time are derived from `item` on demand, in the source's `event.py`: building them at
    receive costs more than the rest of the path together.
    """

    item: Any
    """The service's entry, parsed and otherwise untouched (a dict of the service's own JSON)."""
    identifier: str
    """The item identifier, by which a function reports a failure: message id, or sequence number. A record of an
    aggregate has its position, which begins with the number."""
    key: str | None = None
    """Ordering key: message group, partition key or item key; None where the source keeps no order."""
    handle: Any = None
    """For the record's source alone, for example how long the message stays invisible."""


@dataclass(slots=True, eq=False)
class Page:
    """Records received together, or a part of them."""

    records: Sequence[Record]
    bound: int
    """No selection of these records makes more than this many bytes of an event. A receive gives it for free: the
    length of its answer, and the most that an event adds to each record."""
    ends_batch: bool = False
    """The open batch is due now, whatever it holds. If it has no records, it asks for an invocation without records."""


EMPTY_PAGE = Page((), 0)
