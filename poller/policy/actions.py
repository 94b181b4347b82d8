"""What people do to a mapping by hand: the orders, and the entries of the action log."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from poller.policy.beside import From, Which
from poller.policy.seeking import Before, Target
from poller.values.texts import shortened

MOST_ACTIONS = 1000
"""Entries that a store keeps, the latest."""
LONGEST_TEXT = 500
"""Characters of a reason and of an effect that are kept."""
LONGEST_ENDING = 300
"""Characters of what an effect says of how the action ended."""
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


def effect(impact: str, ending: str = "") -> str:
    """The words of an entry: what the action does, and how it ended, within the bound."""
    end = shortened(ending, LONGEST_ENDING)
    return f"{shortened(impact, LONGEST_TEXT - len(end) - 1)} {end}".rstrip()
