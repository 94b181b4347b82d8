"""The words of orders about batches: which batch is meant, what an order would do with it, and why it would not."""

from collections.abc import Sequence
from dataclasses import dataclass

from poller.policy.actions import OfBatch, Retry, Skip
from poller.values.texts import counted


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch that waits, as far as impacts name it."""

    partition: str
    lane: int
    records: int
    first: str | None
    last: str | None
    tried: str
    discards: bool
    awaiting: bool
    """Whether it is given up already, and its destination does not accept it."""
    seconds: float | None
    """Until the next try; None where that is not known."""

    @property
    def name(self) -> str:
        """Which records it has, in words."""
        if self.first is None:
            return f"the closing call of a window of {self.partition}"
        place = self.first if self.records == 1 else f"{self.first} to {self.last}"
        return f"{counted(self.records, 'record')}, {place} of {self.partition}"

    def fits(self, order: OfBatch) -> bool:
        """Whether an order means it."""
        wanted = ((order.partition, self.partition), (order.lane, self.lane), (order.first, self.first))
        return all(asked is None or asked == own for asked, own in wanted)


def retry_impact(batch: Batch, order: Retry, function: str) -> str:
    """What a retry would do with one batch."""
    when = "" if batch.seconds is None else f" instead of in {batch.seconds:.0f} s"
    if batch.awaiting and not order.reset_attempts:
        return f"The on-failure destination is asked at once{when} to accept {batch.name}."
    again = ""
    if order.reset_attempts and batch.discards:
        again = " Its attempts begin anew, so it can fail as often as a new batch before it is given up."
    return f"{function} is invoked at once{when} with {batch.name}.{again}"


def skip_impact(batch: Batch, order: Skip, destination: str | None) -> str:
    """What giving up one batch would do."""
    if order.drop or destination is None:
        where = "No destination hears of it: the account counts it as dropped, and only the source may have it still."
    else:
        where = f"{destination} gets an invocation record of it, with the condition SkippedByHand, to be redriven from."
    return f"Given up: {batch.name}. {where} The lane goes on with what is behind it."


MOST_KEYS = 10
"""Keys that a sentence names."""


def isolate_impact(batch: Batch, key: str, count: int, destination: str | None) -> str:
    """What giving up one key of a batch would do."""
    rest = batch.records - count
    others = f"the other {rest:,} are tried at once, as if they had never failed" if rest else "the lane goes on"
    if rest == 1:
        others = "the other one is tried at once, as if it had never failed"
    given_up = "the one that is" if count == 1 else "those that are"
    return (
        f"Given up: {counted(count, 'record')} with the key {key} of {batch.name}. {_heard_of(count, destination)} "
        f"Then {others}. Later records of the key are delivered as they come, without {given_up} given up here."
    )


def _heard_of(count: int, destination: str | None) -> str:
    """Who hears of so many isolated records."""
    if destination is None:
        them = "it" if count == 1 else "them"
        return (
            f"No destination hears of {them}: the account counts {them} as dropped, and only the source may have "
            f"{them} still."
        )
    each = "it" if count == 1 else "them, one for each unbroken run"
    return f"{destination} gets an invocation record of {each}, with the condition IsolatedByHand, to be redriven from."


def hand_over_impact(batch: Batch, function: str, own: str) -> str:
    """What trying a batch with another function would do."""
    return (
        f"{function} is invoked at once with {batch.name}, in the place of {own}. Its answer counts as that of {own} "
        f"would: if it succeeds the batch is settled, and if not this was one try more. Later tries are with {own}."
    )


def which_key(keys: Sequence[tuple[str, int]]) -> str:
    """Why it is not clear which key is meant."""
    names = ", ".join(f"{key} ({count})" for key, count in keys[:MOST_KEYS])
    more = f" and {len(keys) - MOST_KEYS:,} more" if len(keys) > MOST_KEYS else ""
    return f"say which key of the batch is to be given up: {names}{more}"


def no_batch(order: OfBatch, held: Sequence[Batch], waits: str = "") -> str:
    """Why no batch that waits is meant. `waits` is what the source itself waits for, such as failed messages that are
    back in their queue.
    """
    if not held and waits:
        return f"no batch is held here: {waits}"
    if not held:
        return "no batch waits for another try now: either nothing fails, or the function is running"
    names = "; ".join(f"{one.name}, lane {one.lane}" for one in held)
    if order.first is not None:
        return f"the batch that was shown has moved on; what waits now: {names}"
    return f"no such batch waits; what waits now: {names}"


def too_many(held: Sequence[Batch]) -> str:
    """Why it is not clear which batch is to be given up."""
    names = "; ".join(f"{one.partition}, lane {one.lane}: {one.name}" for one in held)
    return f"{len(held)} batches wait, so say which by partition and lane: {names}"


NO_DESTINATION = "the mapping has no on-failure destination, so its records would be dropped: say so by drop"
NO_KEYS = "the closing call of a window has no records"
KEPT_BY_QUEUE = (
    "the records of a queue are not given up here: the queue counts receives, and moves a message that fails to its "
    "dead-letter queue"
)
ALREADY_GIVEN_UP = "the batch is given up already and waits for its on-failure destination; drop it, or try again"
