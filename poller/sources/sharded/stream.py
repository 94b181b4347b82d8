"""One mapping's stream: what its shards share, and where each of them stands."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from poller.policy.backoff import Chance
from poller.policy.filtering import Filter
from poller.policy.invocation_record import Discarded
from poller.policy.progress import ShardProgress, StreamProgress
from poller.policy.stream_delivery import StreamPolicy
from poller.ports.source import Admission
from poller.ports.status import MappingStatus
from poller.ports.store import StateStore
from poller.sources.sharded.api import Position, Shard, ShardApi, Subscriptions
from poller.sources.sharded.clock import ServiceClock
from poller.sources.sharded.limits import ReadLimits, ShardLimit
from poller.sources.sharded.tips import Tips
from poller.support.rate_limited_log import RateLimitedLog
from poller.values.errors import SourceUnavailable, StateError
from poller.values.record import Record

READ_AHEAD = 32 * 1024 * 1024
"""Bytes read from a shard and not settled at which it is read no further."""

SEEN_AT = "SeenAt"
"""Member of a raw item whose service does not say when it arrived."""
StartingPosition = Literal["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"]
OnRecreated = Literal["stop", "trim_horizon", "latest"]
Notify = Callable[[Discarded, str, float], Awaitable[None]]
"""Tells the on-failure destination what was given up, from which shard, at which instant (epoch seconds)."""


def is_of(event_source_arn: str, stream_arn: str) -> bool:
    """Whether this event source is the stream, by whatever way it is read: itself, or one of its consumers."""
    return event_source_arn == stream_arn or event_source_arn.startswith(f"{stream_arn}/consumer/")


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """What a mapping says about its stream."""

    starting_position: StartingPosition = "TRIM_HORIZON"
    starting_position_timestamp: float | None = None
    """Epoch seconds."""
    parallelization_factor: int = 1
    tumbling_window_in_seconds: int = 0
    """0 is none."""
    poll_interval: float = 1.0
    """Seconds between two reads of a shard."""
    idle_poll_interval: float = 1.0
    """The same of a shard that brings nothing, after a while."""
    on_stream_recreated: OnRecreated = "stop"
    max_bytes_in_flight: int = 2 * READ_AHEAD
    """Of the whole mapping; shards share it evenly, so that those which stand still leave the others room."""


@dataclass(slots=True, eq=False)
class Stream:
    """What every part of a stream source knows."""

    uuid: str
    name: str
    """Of the mapping."""
    arn: str
    api: ShardApi
    options: StreamOptions
    policy: StreamPolicy
    store: StateStore
    admission: Admission
    status: MappingStatus
    limits: ReadLimits
    notify: Notify | None
    chance: Chance
    log: RateLimitedLog
    wall: Callable[[], float]
    """Our own clock, epoch seconds; only for what no service has dated."""
    subscriptions: Subscriptions | None = None
    """Where records are pushed: enhanced fan-out. None: they are asked for."""
    clock: ServiceClock = field(default_factory=ServiceClock)
    progress: StreamProgress = field(init=False)
    tips: Tips = field(default_factory=Tips)
    """Of the shards that a mapping at LATEST began with."""
    retention: float | None = None
    """Seconds, as the service says."""
    iterator_age: float | None = None
    """Seconds: of the last record of the last batch."""
    record_bytes: float | None = None
    """Of a record of the last page, on average; None before the first: what a shard goes by that has read none yet."""
    running: int = 0
    """Shards that are read now."""
    criteria: Filter | None = None
    """Which records are wanted; None for all."""
    refused: SourceUnavailable | None = None
    """Why nothing may be read, until somebody decides."""

    def __post_init__(self) -> None:
        self.progress = StreamProgress(self.name, self.arn, "")

    def start_of(self, progress: ShardProgress) -> Position:
        """Where a shard begins that no lane has a position in."""
        latest = self.progress.start
        if latest is not None and progress.initial:
            if self.api.latest_is_instant:
                return Position("AT_TIMESTAMP", timestamp=latest)
            return Position("TRIM_HORIZON")
        if self.options.starting_position == "AT_TIMESTAMP":
            return Position("AT_TIMESTAMP", timestamp=self.options.starting_position_timestamp)
        return Position("TRIM_HORIZON")

    def passed_over_before(self, progress: ShardProgress) -> float:
        """What was created before this (epoch seconds) is not ours. Creation is told in whole seconds where an iterator
        cannot begin at an instant.
        """
        latest = self.progress.start
        if latest is None or not progress.initial or self.api.latest_is_instant:
            return 0.0
        return float(int(latest))

    @property
    def read_ahead(self) -> int:
        """Bytes one shard may hold before it is read no further."""
        return min(READ_AHEAD, self.options.max_bytes_in_flight // max(1, self.running))

    def limit(self, shard_id: str) -> ShardLimit:
        """Of reading one shard, shared with every mapping of this process that reads it."""
        return self.limits.of(self.api.arn, shard_id, self.api.reads_per_second, self.api.bytes_per_second)

    def service_time(self) -> float:
        """Epoch seconds now."""
        found = self.clock.time(asyncio.get_running_loop().time())
        return self.wall() if found is None else found

    def arrival(self, record: Record) -> float:
        """Epoch seconds; where the service does not say, when we first asked for it."""
        arrival = self.api.arrival(record.item)
        if arrival is None:
            arrival = record.item.setdefault(SEEN_AT, self.service_time())
        return arrival

    async def finish(self, shard: Shard) -> None:
        """Store that a shard is finished. Raises SourceUnavailable."""
        finished = ShardProgress(finished=True)
        try:
            await self.store.save(self.uuid, shard.id, finished)
        except StateError as error:
            raise SourceUnavailable("state", str(error)) from error
        self.progress.shards[shard.id] = finished
