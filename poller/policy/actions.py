"""What people do to a mapping by hand: the orders, the words of their impact, and the entries of the action log."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from poller.policy.beside import From, Which
from poller.policy.seeking import Before, Target

MOST_ACTIONS = 1000
"""Entries that a store keeps, the latest."""
LONGEST_TEXT = 500
"""Characters of a reason and of an effect that are kept."""
LONGEST_NAME = 100
"""Characters of the name of the person."""


class Stage(StrEnum):
    """How far an action came."""

    BEGUN = "begun"
    """Stored before the action. Where it stays, the daemon ended meanwhile and the action may be done or not."""
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for an action."""

    who: str = ""
    """As the person or the program calls itself; nobody proves it."""
    via: str = "api"
    """The way that the request came: `api` or `page`."""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """One entry of the action log."""

    id: str
    at: float
    """Epoch seconds."""
    uuid: str
    mapping: str
    """The mapping's name at that time."""
    what: str
    """The order, such as `skip`."""
    effect: str
    """What it did, in sentences; of one that failed, also why."""
    who: str = ""
    via: str = ""
    why: str = ""
    stage: Stage = Stage.BEGUN
    before: Before = field(default_factory=dict)
    """Of a seek: the progress of the shards that it moved, as it was before."""
    undoes: str | None = None
    """Of an undo: the id of the seek."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Let the mapping rest."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Let a paused mapping go on."""


@dataclass(frozen=True, slots=True)
class OfBatch:
    """Which of the batches that wait are meant: all that fit."""

    partition: str | None = None
    lane: int | None = None
    first: str | None = None
    """Identifier of the batch's first record, as a preview showed it."""


@dataclass(frozen=True, slots=True)
class Retry(OfBatch):
    """Try batches now instead of later."""

    reset_attempts: bool = False


@dataclass(frozen=True, slots=True)
class Skip(OfBatch):
    """Give up one batch."""

    drop: bool = False
    """Whether the on-failure destination does not hear of it."""


@dataclass(frozen=True, slots=True)
class Isolate(OfBatch):
    """Give up the records of one key in a batch, so that the others pass."""

    key: str | None = None
    drop: bool = False
    """Whether a mapping without an on-failure destination may drop them."""


@dataclass(frozen=True, slots=True)
class HandOver(OfBatch):
    """Try a batch once with another function."""

    function: str = ""
    """Its key."""


@dataclass(frozen=True, slots=True)
class Seek:
    """Move the position of a stream's mapping, or of one shard."""

    target: Target


@dataclass(frozen=True, slots=True)
class Peek:
    """Look at records without consuming them."""

    partition: str | None = None
    begin: From | None = None
    """None: what the mapping reads next."""
    most: int = 10
    pattern: str | None = None
    """A filter pattern, as JSON text."""
    event: bool = False
    """Whether the event that the function would get is shown as well."""
    which: Which = "source"


@dataclass(frozen=True, slots=True)
class Redrive:
    """Deliver once more what was given up, or an interval of a stream."""

    which: Which = "source"
    partition: str | None = None
    begin: float | None = None
    """Epoch seconds."""
    end: float | None = None
    """The first instant that is not of the interval."""
    rate: float = 10.0
    """Most records per second."""
    batch: int | None = None
    resume: bool = False
    """Whether the last one that stopped goes on."""
    pass_over: bool = False
    """Whether what failed again is passed over from now on."""
    stop: bool = False
    """Whether the one that runs is to stop."""


@dataclass(frozen=True, slots=True)
class Undo:
    """Go back to the position before the last seek."""


@dataclass(frozen=True, slots=True)
class Rerun:
    """Invoke a function once with a failed event that is kept."""

    event: str
    """Its id."""
    function: str | None = None
    """Key of another function than the mapping's."""


Order = Pause | Resume | Retry | Skip | Isolate | HandOver | Seek | Undo | Rerun | Peek | Redrive


def last_seek(actions: Sequence[Action], uuid: str) -> Action | None:
    """The latest seek of a mapping that can be undone and is not; `actions` have the latest first."""
    own = [action for action in actions if action.uuid == uuid and action.stage is not Stage.FAILED]
    undone = {action.undoes for action in own}
    return next((one for one in own if one.what == "seek" and one.before and one.id not in undone), None)


def what_of(order: Order) -> str:
    """The name of an order, as paths and the log have it."""
    return type(order).__name__.lower()


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
        if self.records == 1:
            return f"1 record, {self.first} of {self.partition}"
        return f"{self.records} records, {self.first} to {self.last} of {self.partition}"

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
    records = "1 record" if count == 1 else f"{count:,} records"
    where = "No destination hears of them: the account counts them as dropped, and only the source may have them still."
    if destination is not None:
        where = (
            f"{destination} gets an invocation record of each run of them, with the condition IsolatedByHand, to be "
            "redriven from."
        )
    rest = batch.records - count
    others = f"the other {rest:,} are tried at once, as if they had never failed" if rest else "the lane goes on"
    return (
        f"Given up: {records} with the key {key} of {batch.name}. {where} Then {others}. Later "
        "records of the key are delivered as they come, without those that are given up here."
    )


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
