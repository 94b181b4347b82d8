"""The steps of a delivery, which a lane carries out one by one, and the words in which a wait is told."""

from collections.abc import Sequence
from dataclasses import dataclass

from poller.policy.invocation_record import Discarded
from poller.policy.response import NotInvoked
from poller.values.record import Record


@dataclass(slots=True)
class Invoke:
    """Invoke the function with these records, in this order."""

    records: Sequence[Record]


@dataclass(slots=True)
class Wait:
    """Wait for `seconds` and hold the batch."""

    seconds: float
    outcome: NotInvoked | None
    """The refusal that causes the wait; None between two attempts."""


@dataclass(slots=True)
class Settle:
    """Settle these records: they are done for good."""

    records: Sequence[Record]


@dataclass(slots=True)
class Discard:
    """Discard records at a limit the user set: notify the on-failure destination until it accepts."""

    discarded: Discarded


@dataclass(slots=True)
class Expire:
    """Settle records that the source's own retention ended, without notifying a destination."""

    records: Sequence[Record]


@dataclass(slots=True)
class Return:
    """Release records to the source, which keeps failed records itself."""

    records: Sequence[Record]
    failed: bool
    """Whether the function was invoked with them. Records that were not may be received again at once."""


Step = Invoke | Wait | Settle | Discard | Expire | Return


def refused(times: int) -> str:
    """Text for people."""
    return "refused once" if times == 1 else f"refused {times} times"


def counted(records: Sequence[Record]) -> str:
    """Text for people."""
    return "1 record" if len(records) == 1 else f"{len(records)} records"
