"""Record: one message or stream entry on its way from receive to settle. Page: what one receive brought."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True, eq=False)
class Record:
    """The raw parsed item plus what the shared path needs to know about it.

    Event, match view and arrival time are derived from `item` on demand, in the source's `event.py`: building them at
    receive costs more than everything else on the way together.
    """

    item: Any
    """What the service sent, parsed and otherwise untouched (a dict of the service's own JSON)."""
    identifier: str
    """The item identifier a function reports a failure by: message id, or sequence number. A record out of an aggregate
    has its position, which begins with the number."""
    key: str | None = None
    """Ordering key: message group, partition key or item key; None where the source keeps no order."""
    handle: Any = None
    """For the record's source alone, e.g. how long the message stays invisible."""


@dataclass(slots=True, eq=False)
class Page:
    """Records received together, or a part of them."""

    records: Sequence[Record]
    bound: int
    """No selection of these records makes more than this many bytes of an event. Comes free with a receive: the
    length of its answer plus what an event adds to each record at the most."""
    ends_batch: bool = False
    """The open batch is due now, whatever it holds. One without records asks for an invocation without records."""


EMPTY_PAGE = Page((), 0)
