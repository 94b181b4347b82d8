"""How far a mapping has come in its stream, as it is stored: values only, the same for every store."""

from dataclasses import dataclass, field

from poller.policy.frontier import highest, lowest
from poller.policy.parts import PartState
from poller.policy.windows import NO_WINDOW, WindowProgress


@dataclass(frozen=True, slots=True)
class LaneProgress:
    """One lane: stored and read as a whole, so that position, retry state and carried state always belong together."""

    position: str | None = None
    """Position at and below which everything of this lane is settled; None before the first."""
    retry: tuple[PartState, ...] = ()
    """The batch in the middle of its delivery, front part last; empty where none was tried."""
    window: WindowProgress = NO_WINDOW
    """The tumbling window it stands in, with the state that is carried to the next invocation."""

    @property
    def furthest(self) -> str | None:
        """The last record this lane knows of."""
        return highest((self.position, *(part.last for part in self.retry)))

    @property
    def in_work(self) -> bool:
        """Whether it has something to finish before its keys may be another lane's. Before its first position, a window
        holds nothing yet.
        """
        return bool(self.retry) or (self.window.open is not None and self.position is not None)


NOTHING_READ = LaneProgress()


@dataclass(frozen=True, slots=True)
class ShardProgress:
    """One shard. Its number of lanes is the parallelization factor the keys were dealt by."""

    lanes: tuple[LaneProgress, ...] = ()
    """Empty before it was read for the first time."""
    initial: bool = False
    """Whether it was there when the mapping began at LATEST; shards born later are read from their beginning."""
    finished: bool = False
    """Read to its end, and all of it settled."""

    @property
    def position(self) -> str | None:
        """Where reading resumes."""
        return lowest(lane.position for lane in self.lanes)

    @property
    def furthest(self) -> str | None:
        """The last record any lane knows of."""
        return highest(lane.furthest for lane in self.lanes)

    def dealt_to(self, factor: int) -> "ShardProgress | None":
        """The same with so many lanes; None while keys cannot be dealt anew, since lanes stand at different positions
        or one has a batch in work or an open window.
        """
        if len(self.lanes) == factor:
            return self
        if any(lane.in_work for lane in self.lanes) or len({lane.position for lane in self.lanes}) > 1:
            return None
        position = self.lanes[0].position if self.lanes else None
        return ShardProgress((LaneProgress(position),) * factor, self.initial)


@dataclass(slots=True)
class StreamProgress:
    """One mapping in one stream."""

    name: str
    """Of the mapping when it was stored, for people."""
    event_source_arn: str
    epoch: str
    """Of the stream; another one is another stream of the same name."""
    start: float | None = None
    """LATEST as an instant of the service's clock, epoch seconds; None for other starting positions."""
    shards: dict[str, ShardProgress] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Paused:
    """That a mapping is paused."""

    since: float
    """Epoch seconds."""
    name: str | None = None
    """The mapping's by then, for a person who looks for what is left of removed ones; None where it was not stored."""
