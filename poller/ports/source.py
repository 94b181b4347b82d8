"""Sources of records: source, partition and lane, and the admission that a source asks before it receives.

A mapping reads one source; a source has partitions, the unit of restart; a partition has lanes, each strictly
sequential: receive, batch, invoke, settle. Concurrency is more lanes, never two batches in one lane.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol, Self

from poller.policy.backoff import Chance
from poller.policy.delivery_steps import Step
from poller.policy.invocation_record import Discarded
from poller.policy.parts import Part
from poller.policy.response import Outcome
from poller.ports.holdings import Permit
from poller.ports.status import RunningSource
from poller.runtime.reservation import MemoryBound
from poller.runtime.stop import Stop
from poller.values.record import Page, Record


class Unsettled(NamedTuple):
    """Why a lane still waits for a batch it handed over: a try failed; the next one is at the loop's time
    `again_at`.
    """

    text: str
    again_at: float


class Admission(Protocol):
    """Decides whether a mapping may receive now. Its source asks before each receive."""

    @property
    def stopping(self) -> bool:
        """Whether a soft stop was requested."""
        ...

    @property
    def memory(self) -> MemoryBound:
        """The mapping's bound on bytes in flight."""
        ...

    def partition_stop(self) -> Stop:
        """A new stop for one partition: the mapping's soft stop requests it, too."""
        ...

    def connect(self, poke: Callable[[], None]) -> None:
        """Call `poke` at a soft stop and whenever `lanes` may answer more than before."""
        ...

    def lanes(self, now: float) -> int:
        """How many lanes may hold a batch now; 0 while nothing may be received. `now` is the loop's time."""
        ...

    def busy(self, now: float) -> None:
        """Every lane has a batch and the source has more: another lane may be worth it."""
        ...

    def receive_began(self, now: float) -> None:
        """A receive is sent."""
        ...

    def receive_ended(self, now: float, *, answered: bool) -> None:
        """It was answered, or is over without an answer."""
        ...

    def nothing(self) -> None:
        """A receive was answered, and found nothing."""
        ...


class Delivery(Protocol):
    """The delivery of one batch. The lane asks it for the next step, and reports the outcome of each invocation."""

    failure: str | None
    """Why the last invocation failed as a whole; None when it did not."""
    failed: int
    """Number of records that the last invocation failed."""
    gap: bool
    """Whether a record was settled although an earlier one of its group failed."""

    discards: bool
    """Whether records that fail can be given up here; a queue holds them itself, and has its own dead-letter queue."""

    @property
    def tried(self) -> str:
        """Text for people: number of attempts and their limit, and the part of the batch they concern."""
        ...

    def next_step(self, now: float) -> Step | None:
        """The next thing to do; None when every record has left. `now` is the loop's time."""
        ...

    def report(self, outcome: Outcome, now: float, chance: Chance) -> None:
        """Report the outcome of the invocation that `next_step` asked for."""
        ...

    def isolate(self, wanted: Callable[[Record], bool]) -> None:
        """Give up some records of what `at_hand` shows, where records are given up here; the others begin anew."""
        ...

    def at_hand(self) -> Part:
        """The part that is tried next. Asked while the batch waits, and never when every record has left."""
        ...

    def accepted(self) -> None:
        """The records of the last Discard are done: the destination accepted, or there is none."""
        ...

    def remaining(self) -> list[Record]:
        """The records that have not left yet, for a stop that cannot wait."""
        ...


class Lane(Protocol):
    """A strictly sequential path of records out of a partition. One task calls it, one call at a time."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will ever be received."""
        ...

    async def unfinished(self) -> Delivery | None:
        """The unfinished delivery of a previous run of this lane, to be finished first. Called once."""
        ...

    async def receive(self, limit: int, wait: float, *, gathering: bool) -> Page:
        """The next records, at most `limit`; an empty page after `wait` seconds or at a soft stop.

        `wait` may be infinite. `gathering` says that a batch is open in this lane: it is served before lanes that have
        nothing. Never raises for what the source does: the source keeps trying and says why in its status.
        """
        ...

    def unread(self, page: Page) -> None:
        """These records found no place in the batch: the next free lane receives them first."""
        ...

    def key(self, record: Record) -> str:
        """The ordering key; the same text for records without one."""
        ...

    def encode(self, records: Sequence[Record]) -> bytes:
        """The event for the function. Without records it is the event that closes a tumbling window."""
        ...

    def trace(self, records: Sequence[Record]) -> str | None:
        """The trace of this batch as the value of an X-Amzn-Trace-Id header; None for none, or for several."""
        ...

    def traceparents(self, records: Sequence[Record]) -> set[str | None]:
        """The different W3C traces that these records name; None among them for a record without one."""
        ...

    def delivery(self, records: Sequence[Record]) -> Delivery:
        """A new delivery of this batch, which the lane may inspect while it lasts."""
        ...

    def keep(self) -> None:
        """Store the retry state of the delivery, which is about to wait. Hands over and returns."""
        ...

    async def notify(self, discarded: Discarded) -> bool:
        """Notify the on-failure destination, once; False when there is none. Raises CallError."""
        ...

    def settle(self, records: Sequence[Record]) -> None:
        """Settle records: they are done for good. Hands over and returns."""
        ...

    def release(self, records: Sequence[Record], *, failed: bool) -> None:
        """Release records to the source, after a failed invocation or without one. Hands over and returns."""
        ...

    def ready(self) -> Awaitable[Unsettled | None] | None:
        """Wait until at most one batch handed over by this lane is still being settled; None if that is so already.

        What is awaited ends in None. It ends in a reason after each try that failed, and `ready` is then called again:
        no wait is longer than one try.
        """
        ...

    def all_settled(self) -> Awaitable[Unsettled | None] | None:
        """Wait until everything handed over is settled for good, or for a soft stop; as `ready` after each try that
        failed. An invocation that sums records up may start only then, or its sum could change.
        """
        ...


class Partition(Protocol):
    """The unit of ownership and restart. Entering reaches the source; leaving releases what is not settled."""

    name: str
    stop: Stop
    """The partition's own stop: all work of the partition and its lanes ends with it."""

    @property
    def permit(self) -> Permit | None:
        """The right to begin work, where others may take the partition over; None where work may always begin."""
        ...

    def behind(self) -> float | None:
        """Seconds it is behind its source; None if it does not know."""
        ...

    def unanswered_since(self, now: float) -> float | None:
        """Since when the source owes an answer that is overdue `now`, in the loop's time; else None."""
        ...

    @property
    def fixed_lanes(self) -> int | None:
        """Number of lanes; None if the mapping's pace decides."""
        ...

    @property
    def finished(self) -> bool:
        """Whether there will never be anything to read any more, so that the partition is removed."""
        ...

    async def __aenter__(self) -> Self:
        """Reach the source. Raises SourceUnavailable."""
        ...

    async def __aexit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        """Ends the receives, releases what no lane took, settles what was handed over; cancelled, within 2 s."""
        ...

    def lane(self) -> Lane:
        """A new lane."""
        ...


class Source(RunningSource, Protocol):
    """Where the records of one mapping come from."""

    def partitions(self) -> AsyncIterator[Partition]:
        """Each partition when it may run, until a soft stop or until there will be no more."""
        ...
