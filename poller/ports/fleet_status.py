"""What a member of a fleet shows: the members, who took what from whom, and how the store answers. Plain values."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from poller.policy.trend import Trend
from poller.values.histogram import DURATION_BOUNDS, Histogram

MOST_MOVES = 100
"""Moves of shards that are remembered."""


class Cause(StrEnum):
    """Why a shard moved."""

    CLAIMED = "claimed"
    """Nobody had it, or the one who had it was dead or released it."""
    GIVEN = "given"
    """This member had more than its part, or leaves."""
    LOST = "lost"
    """Another member may have it, because this one could not show for a while that it lives."""


@dataclass(frozen=True, slots=True)
class MemberStatus:
    """One member that is not dead."""

    id: str
    name: str
    version: str
    state: str
    shards: int
    """How many it holds, of the mappings that run here."""


@dataclass(frozen=True, slots=True)
class Move:
    """A shard that came to this member, or left it."""

    at: float
    """The loop's time."""
    mapping: str
    """The uuid."""
    shard: str
    cause: Cause
    other: str | None
    """The name of the member that had it before, or has it next; None for nobody, or for one that is not known."""


@dataclass(slots=True, eq=False)
class FleetStatus:
    """The fleet as this daemon sees it."""

    name: str
    member: str
    """The name of this daemon in it."""
    id: str = ""
    """Of this daemon's present life."""
    suspended_since: float | None = None
    """Loop time since which the daemon may not begin anything; None while it may."""
    members: Sequence[MemberStatus] = ()
    moves: deque[Move] = field(default_factory=lambda: deque(maxlen=MOST_MOVES))
    """The latest last."""
    moved: dict[Cause, int] = field(default_factory=lambda: dict.fromkeys(Cause, 0))
    """How many shards moved, by cause."""
    lives: int = 0
    """How often the daemon has joined: more than once where others declared it dead."""
    calls: dict[str, int] = field(default_factory=lambda: {"succeeded": 0, "failed": 0})
    """Calls of the store by outcome."""
    writes: int = 0
    """Of them, those that may have written something."""
    written: Trend = field(default_factory=Trend)
    """How fast they grow, over the last five minutes."""
    seconds: Histogram = field(default_factory=lambda: Histogram(DURATION_BOUNDS))
    """How long they took."""

    def move(self, move: Move) -> None:
        """A shard came or left."""
        self.moves.append(move)
        self.moved[move.cause] += 1
