"""A stream as a source: opened once, then each shard as a partition once its parents are finished."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence

from poller.policy.progress import LaneProgress, ShardProgress, StreamProgress
from poller.policy.shards import forgettable
from poller.ports.holdings import Hold
from poller.ports.source import Partition
from poller.ports.status import Lag, PartitionStatus, Reason, ReasonCode
from poller.sources.sharded.api import StreamFacts
from poller.sources.sharded.partition import ShardPartition
from poller.sources.sharded.stream import Stream, is_of
from poller.sources.sharded.topology import Topology
from poller.values.errors import SourceUnavailable, StateError


class ShardedSource:
    """One mapping's stream."""

    def __init__(self, stream: Stream, mappings: Collection[str]) -> None:
        """`mappings` are the uuids of all that are configured: positions of others were left by removed ones."""
        self.stream = stream
        self._mappings = mappings
        self._topology = Topology(stream)
        self.unanswered_since = self._topology.unanswered.since
        self._running: dict[str, ShardPartition] = {}
        self._abandoned: list[ShardPartition] = []
        """Shards of a stream that was replaced, until their tasks have ended."""

    async def partitions(self) -> AsyncIterator[Partition]:
        """Each shard when it may run."""
        stream, topology = self.stream, self._topology
        stream.admission.connect(self._poke)
        stream.holdings.connect(topology.look_again)
        opened, unopened = False, None
        while not stream.admission.stopping:
            if stream.refused is not None:
                await topology.wakeup.wait()
                continue
            facts = await topology.refreshed() or unopened
            if facts is not None:
                unopened = None if stream.holdings.known else facts
                opened = unopened is None and await self._open(facts)
            self._running = {
                name: one for name, one in self._running.items() if one.inside or not (one.finished or one.stop.soft)
            }
            stream.running = len(self._running)
            for hold in self._new_holds() if opened and stream.refused is None else ():
                stream.running = len(self._running) + 1
                shard = topology.shards[hold.shard_id]
                partition = self._running[shard.id] = ShardPartition(stream, shard, topology, hold)
                yield partition
        await stream.tips.close()

    def _new_holds(self) -> Sequence[Hold]:
        """Shards to begin with now."""
        stream, running = self.stream, set(self._running)
        for shard_id in stream.holdings.finished():
            stream.progress.shards[shard_id] = ShardProgress(finished=True)
        if stream.holdings.elsewhere:
            running.update(stream.holdings.elsewhere)
        others = [PartitionStatus(shard_id, reason=reason) for shard_id, reason in stream.holdings.waiting()]
        stream.status.waiting = [*self._topology.waiting(running), *others]
        return stream.holdings.take(self._topology.startable(running))

    def in_flight(self) -> int:
        """See `RunningSource`."""
        return sum(partition.held for partition in (*self._running.values(), *self._abandoned))

    def lag(self) -> Lag:
        """The lag is the age of the oldest record, even while nothing is read."""
        ages = [age for partition in self._running.values() if (age := partition.behind()) is not None]
        seconds, retention = max(ages, default=None), self.stream.retention
        expires = max(0.0, retention - seconds) if seconds and retention is not None else None
        return Lag(
            seconds=seconds,
            expires_in_seconds=expires,
            iterator_age=self.stream.iterator_age,
            retention=retention,
            empty_at=self._empty_at(),
        )

    def _empty_at(self) -> float | None:
        """None while a shard is not read yet, for it may hold anything."""
        asked = [partition.empty_at for partition in self._running.values() if not partition.finished]
        if self.stream.status.waiting or None in asked:
            return None
        return min(filter(None, asked), default=None)

    async def look(self, max_age: float) -> None:
        """See `RunningSource`. What is known of a stream comes with its records."""

    def waits(self, _now: float) -> Reason | None:
        """See `RunningSource`. The partitions say what each waits for, where there are any."""
        return None if self._running else next((one.reason for one in self.stream.status.waiting), None)

    def _poke(self) -> None:
        self._topology.wakeup.notify()
        for partition in self._running.values():
            partition.poke()

    async def _open(self, facts: StreamFacts) -> bool:
        """Load the stored positions, and check that they belong to this stream. Returns whether shards may start."""
        stream = self.stream
        try:
            if not stream.progress.epoch and not await self._load(facts):
                return False
            replacement = self._replacement(facts)
            if replacement is not None and (conflict := stream.holdings.conflict()) is not None:
                # not even by on_stream_recreated: the position is in use
                self._topology.show_unavailable(ReasonCode.CONFLICT, conflict)
                return False
            if replacement is not None and not await self._replaced(facts, *replacement):
                return False
            await self._forget_trimmed()
        except StateError as error:
            self._topology.show_unavailable(ReasonCode.STATE, str(error))
            return False
        self._show_whether_active(facts)
        return True

    def _show_whether_active(self, facts: StreamFacts) -> None:
        status = self.stream.status
        status.reached = True
        self.stream.retention = facts.retention
        if facts.active:
            status.source_problem = None
        elif status.source_problem is None or status.source_problem.code is not ReasonCode.STREAM_DISABLED:
            text = f"{self.stream.arn} is disabled or being deleted; what it still holds is read"
            now = asyncio.get_running_loop().time()
            status.source_problem = Reason(ReasonCode.STREAM_DISABLED, text, since=now)
            self.stream.log.repeating("source_unavailable", now, code=ReasonCode.STREAM_DISABLED.value, text=text)
        if not self.stream.admission.stopping:
            status.show_problems()

    async def _load(self, facts: StreamFacts) -> bool:
        stream = self.stream
        progress = await stream.store.load(stream.uuid)
        if progress is None:
            left = await self._left_by_others()
            if left is not None:
                self._refuse(ReasonCode.POSITION_LEFT, left)
                return False
            progress = await self._begin(facts, stream.options.starting_position == "LATEST", None)
        stream.progress = progress
        return True

    async def _left_by_others(self) -> str | None:
        stream = self.stream
        for uuid, (name, arn) in (await stream.store.stored()).items():
            if is_of(arn, stream.api.arn) and uuid not in self._mappings:
                return (
                    f"{name!r}, a mapping that was removed, left its position in this stream, and {stream.name!r} has "
                    f"none: set `uuid: {uuid}` to go on from there, or give it up by `poller state forget {name}`"
                )
        return None

    async def _begin(self, facts: StreamFacts, latest: bool, instead_of: StreamProgress | None) -> StreamProgress:
        """Store where a mapping starts, before the first read, unless another daemon has. Returns what is stored.

        The shards were listed before the instant was taken: one that was closed then holds nothing younger, and one
        that is not among them is read from its beginning.
        """
        stream = self.stream
        start = (stream.wall() if facts.date is None else facts.date) if latest else None
        progress = StreamProgress(stream.name, stream.arn, facts.epoch, start)
        if latest:
            # where the service names its tip, that is more precise than an instant
            factor = stream.options.parallelization_factor
            lanes = () if facts.tip is None else (LaneProgress(facts.tip),) * factor
            for shard in self._topology.shards.values():
                progress.shards[shard.id] = ShardProgress(lanes, initial=True, finished=shard.closed)
        progress = await stream.store.open(stream.uuid, progress, instead_of=instead_of)
        await stream.tips.close()
        if latest and facts.tip is None and not stream.holdings.shared:
            # only now: reading that has to start again from here on has the instant
            await stream.tips.take(self._topology.shards.values(), stream.polled, stream.subscriptions, stream.log)
        return progress

    def _replacement(self, facts: StreamFacts) -> tuple[ReasonCode, str] | None:
        """Why the stored positions are not of this stream: another ARN, or another creation time. None if they are."""
        stream, stored = self.stream, self.stream.progress
        if not is_of(stored.event_source_arn, stream.api.arn):
            text = f"{stream.arn} is read now, and the position stored is one in {stored.event_source_arn}"
            return ReasonCode.STREAM_CHANGED, text
        if stored.epoch != facts.epoch:
            text = f"{stream.arn} was made anew, and the position stored is one in the old stream"
            return ReasonCode.STREAM_RECREATED, text
        return None

    async def _replaced(self, facts: StreamFacts, code: ReasonCode, text: str) -> bool:
        """Every stored position is of another stream. Returns whether this one may be read."""
        stream, choice = self.stream, self.stream.options.on_stream_recreated
        if choice == "stop":
            advice = f"or give it up by `poller state forget {stream.name}`"
            self._refuse(code, f"{text}: set on_stream_recreated to trim_horizon or latest, {advice}")
            return False
        text = f"{text}; the stream is read from {choice.upper()}"
        if code is ReasonCode.STREAM_CHANGED:
            stream.log.each("stream_changed", text=text)
        else:
            stream.log.each("stream_recreated", text=text)
        # first, because progress that they store later would be taken for positions in the new stream
        self._abandon_all()
        stream.progress = await self._begin(facts, choice == "latest", stream.progress)
        return True

    def _refuse(self, code: ReasonCode, text: str) -> None:
        self.stream.refused = SourceUnavailable(code.value, text)
        self._topology.show_unavailable(code, text)
        self._abandon_all()

    def _abandon_all(self) -> None:
        for partition in self._running.values():
            partition.abandon()
        self._abandoned = [one for one in (*self._abandoned, *self._running.values()) if one.inside]
        self._running = {}
        self.stream.holdings.reset()

    async def _forget_trimmed(self) -> None:
        stream, shards = self.stream, self._topology.shards
        finished = {shard_id for shard_id, progress in stream.progress.shards.items() if progress.finished}
        trimmed = forgettable(finished, shards.values()) - self._running.keys()
        if trimmed:
            await stream.store.drop(stream.uuid, trimmed)
            for shard_id in trimmed:
                del stream.progress.shards[shard_id]
