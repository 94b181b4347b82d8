"""One mapping's stream: the state that its shards share, and the progress of each."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from poller.policy.backoff import Chance
from poller.policy.filtering import Filter
from poller.policy.invocation_record import Discarded
from poller.policy.positions import is_inside, sequence_number_of
from poller.policy.progress import ShardProgress, StreamProgress
from poller.policy.seeking import BEFORE_EVERYTHING
from poller.policy.stream_delivery import StreamPolicy
from poller.ports.holdings import Hold, Holdings
from poller.ports.source import Admission
from poller.ports.status import MappingStatus
from poller.ports.store import Positions
from poller.sources.sharded.api import PolledApi, Position, PositionKind, ShardApi, Subscriptions
from poller.sources.sharded.clock import ServiceClock
from poller.sources.sharded.limits import ReadLimits, ShardLimit
from poller.sources.sharded.tips import Tips
from poller.support.rate_limited_log import RateLimitedLog
from poller.values.errors import LeaseLost, SourceUnavailable, StateError
from poller.values.record import Record

READ_AHEAD = 32 * 1024 * 1024
"""Most bytes of a shard that are read and not settled."""

SEEN_AT = "SeenAt"
"""Member added to raw items whose service does not say when they arrived."""
StartingPosition = Literal["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"]
OnRecreated = Literal["stop", "trim_horizon", "latest"]
Notify = Callable[[Discarded, str, float], Awaitable[None]]
"""Sends discarded records to the on-failure destination, with their shard and the time (epoch seconds)."""


def is_of(event_source_arn: str, stream_arn: str) -> bool:
    """Whether this event source is the stream itself or one of its consumers."""
    return event_source_arn == stream_arn or event_source_arn.startswith(f"{stream_arn}/consumer/")


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """A mapping's options for its stream."""

    starting_position: StartingPosition = "TRIM_HORIZON"
    starting_position_timestamp: float | None = None
    """Epoch seconds."""
    parallelization_factor: int = 1
    tumbling_window_in_seconds: int = 0
    """0 is none."""
    poll_interval: float = 1.0
    """Seconds between two reads of a shard."""
    idle_poll_interval: float = 1.0
    """Longest seconds between two reads of an idle shard."""
    on_stream_recreated: OnRecreated = "stop"
    max_bytes_in_flight: int = 2 * READ_AHEAD
    """For the whole mapping. Shards share it evenly, so that blocked shards leave memory to the others."""


@dataclass(slots=True, eq=False)
class Stream:
    """The state that all parts of a stream source share."""

    uuid: str
    name: str
    """Of the mapping."""
    arn: str
    api: ShardApi
    options: StreamOptions
    policy: StreamPolicy
    store: Positions
    holdings: Holdings
    admission: Admission
    status: MappingStatus
    limits: ReadLimits
    notify: Notify | None
    chance: Chance
    log: RateLimitedLog
    wall: Callable[[], float]
    """The local clock, epoch seconds; used only where no service has given a time."""
    subscriptions: Subscriptions | None = None
    """Where records are pushed; None where shards are polled."""
    polled: PolledApi | None = None
    """The same service as `api`, where it can be polled."""
    clock: ServiceClock = field(default_factory=ServiceClock)
    progress: StreamProgress = field(init=False)
    tips: Tips = field(default_factory=Tips)
    """Tips of the shards at the first start of a mapping at LATEST."""
    retention: float | None = None
    """Seconds, by the service's description."""
    iterator_age: float | None = None
    """Age in seconds of the last record of the last batch."""
    record_bytes: float | None = None
    """Average size of a record of the last page of any shard, for shards without a page; None before the first."""
    running: int = 0
    """Shards that are read now."""
    criteria: Filter | None = None
    """The filter criteria; None for all records."""
    refused: SourceUnavailable | None = None
    """Why nothing may be read until the user decides."""

    def __post_init__(self) -> None:
        self.progress = StreamProgress(self.name, self.arn, "")

    def start_of(self, progress: ShardProgress) -> Position:
        """Where to start a shard in which no lane has a position."""
        start = self._instant_of(progress)
        if start is not None:
            if start > BEFORE_EVERYTHING and self.api.latest_is_instant:
                return Position("AT_TIMESTAMP", timestamp=start)
            return Position("TRIM_HORIZON")
        if self.options.starting_position == "AT_TIMESTAMP":
            return Position("AT_TIMESTAMP", timestamp=self.options.starting_position_timestamp)
        return Position("TRIM_HORIZON")

    def begin_of(self, progress: ShardProgress) -> Position:
        """Where to go on in a shard."""
        position = progress.position
        if position is None:
            return self.start_of(progress)
        # an aggregate that was settled in part is read again, and its settled records are skipped
        kind: PositionKind = "AT_SEQUENCE_NUMBER" if is_inside(position) else "AFTER_SEQUENCE_NUMBER"
        return Position(kind, sequence_number_of(position))

    def passed_over_before(self, progress: ShardProgress) -> float:
        """Records created before this (epoch seconds) are skipped. Creation times have whole seconds where an iterator
        cannot begin at an instant.
        """
        start = self._instant_of(progress)
        if start is None or self.api.latest_is_instant:
            return 0.0
        return float(int(start))

    def _instant_of(self, progress: ShardProgress) -> float | None:
        """The instant at which a shard begins, by a person's seek or by LATEST; None for another starting position."""
        if progress.start is not None:
            return progress.start
        return self.progress.start if progress.initial else None

    @property
    def read_ahead(self) -> int:
        """Bytes one shard may hold before reading pauses."""
        return min(READ_AHEAD, self.options.max_bytes_in_flight // max(1, self.running))

    def limit(self, shard_id: str) -> ShardLimit:
        """The read limit of one shard, shared by all mappings of this process that read it."""
        assert self.polled is not None, "only polled reads have limits"
        return self.limits.of(self.api.arn, shard_id, self.polled.reads_per_second, self.polled.bytes_per_second)

    def service_time(self) -> float:
        """The service's time now, epoch seconds; the local time before the first answer."""
        found = self.clock.time(asyncio.get_running_loop().time())
        return self.wall() if found is None else found

    def arrival(self, record: Record) -> float:
        """When the record arrived, epoch seconds; where the service does not say, when this was first needed."""
        arrival = self.api.arrival(record.item)
        if arrival is None:
            arrival = record.item.setdefault(SEEN_AT, self.service_time())
        return arrival

    async def finish(self, shard_id: str, hold: Hold) -> bool:
        """Store that a shard is finished; False where another daemon has it, which finishes it. Raises
        SourceUnavailable.
        """
        finished = ShardProgress(finished=True)
        try:
            await hold.save(finished)
        except StateError as error:
            raise SourceUnavailable("state", str(error)) from error
        except LeaseLost:
            return False
        self.progress.shards[shard_id] = finished
        self.limits.forget(self.api.arn, shard_id)
        return True
