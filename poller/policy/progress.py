"""The stored progress of a mapping in its stream: plain values, the same for every store."""

from dataclasses import dataclass, field, replace

from poller.policy.frontier import highest, lowest
from poller.policy.parts import PartState
from poller.policy.windows import NO_WINDOW, WindowProgress


@dataclass(frozen=True, slots=True)
class LaneProgress:
    """Progress of one lane, stored as a whole, so that position, retry state and carried state always fit together."""

    position: str | None = None
    """Position at and below which everything of this lane is settled; None before the first."""
    retry: tuple[PartState, ...] = ()
    """The parts of the batch in delivery, front part last; empty before its first attempt."""
    window: WindowProgress = NO_WINDOW
    """The open tumbling window, with the state for the next invocation."""

    @property
    def furthest(self) -> str | None:
        """Position of the last record this lane knows."""
        return highest((self.position, *(part.last for part in self.retry)))

    @property
    def in_work(self) -> bool:
        """Whether the lane has work to finish before its keys may move to another lane. A window before the lane's
        first position is still empty.
        """
        return bool(self.retry) or (self.window.open is not None and self.position is not None)


NOTHING_READ = LaneProgress()


@dataclass(frozen=True, slots=True)
class ShardProgress:
    """Progress of one shard. The number of lanes is the parallelization factor that distributed the keys."""

    lanes: tuple[LaneProgress, ...] = ()
    """Empty before the first read of the shard."""
    initial: bool = False
    """Whether the shard existed when the mapping began at LATEST; later shards are read from their beginning."""
    finished: bool = False
    """Whether the shard was read to its end and all of it is settled."""
    start: float | None = None
    """Instant from which the shard is read while no lane has a position, epoch seconds, where a person has moved it
    there; 0 is its horizon. None: where the mapping starts."""

    @property
    def position(self) -> str | None:
        """The position from which reading resumes."""
        return lowest(lane.position for lane in self.lanes)

    @property
    def furthest(self) -> str | None:
        """Position of the last record any lane knows."""
        return highest(lane.furthest for lane in self.lanes)

    def dealt_to(self, factor: int) -> "ShardProgress | None":
        """The same progress with `factor` lanes. None while the keys cannot be redistributed: lanes are at different
        positions, or one has a batch in delivery or an open window.
        """
        if len(self.lanes) == factor:
            return self
        if any(lane.in_work for lane in self.lanes) or len({lane.position for lane in self.lanes}) > 1:
            return None
        position = self.lanes[0].position if self.lanes else None
        return replace(self, lanes=(LaneProgress(position),) * factor)


@dataclass(slots=True)
class StreamProgress:
    """Progress of one mapping in one stream."""

    name: str
    """Name of the mapping when it was stored, for people."""
    event_source_arn: str
    epoch: str
    """Identity of the stream. A recreated stream of the same name has another one."""
    start: float | None = None
    """LATEST as an instant of the service's clock, epoch seconds; None for other starting positions."""
    shards: dict[str, ShardProgress] = field(default_factory=dict)
    opening: str | None = field(default=None, compare=False)
    """Of one that was read from a store of several daemons: which opening of the mapping it is of."""

    def copied(self) -> "StreamProgress":
        """A copy to keep or to hand out. What it holds of each shard is a value that nobody changes."""
        return replace(self, shards=dict(self.shards))


def replaces(instead_of: StreamProgress | None, stands: StreamProgress) -> bool:
    """Whether what stands in a store is the progress to give up: of that ARN, that stream and that opening."""
    return (
        instead_of is not None
        and (stands.event_source_arn, stands.epoch) == (instead_of.event_source_arn, instead_of.epoch)
        and instead_of.opening in (None, stands.opening)
    )


@dataclass(frozen=True, slots=True)
class Paused:
    """The stored pause of a mapping."""

    since: float
    """Epoch seconds."""
    name: str | None = None
    """The mapping's name at that time, so that people recognise removed mappings; None if it was not stored."""
