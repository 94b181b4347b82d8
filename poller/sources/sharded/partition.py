"""One shard as a partition: entered at its lanes' progress, read by one task, left with the progress stored.

A changed parallelization factor would give keys to other lanes while some lanes are ahead of others. So the old lanes
go on to the last record that any of them has received, and the keys are distributed anew from there.
"""

import asyncio
from contextlib import ExitStack
from dataclasses import replace
from typing import Self

from poller.policy.progress import LaneProgress, ShardProgress
from poller.ports.holdings import Hold, Permit
from poller.ports.source import Unsettled
from poller.sources.sharded.api import Shard, ShardPage
from poller.sources.sharded.checkpointing import Checkpointing
from poller.sources.sharded.distribution import Distribution
from poller.sources.sharded.lag import ShardLag, ShardQuiet
from poller.sources.sharded.lane import StreamLane
from poller.sources.sharded.reader import ShardReader
from poller.sources.sharded.shown_shard import ShownShard
from poller.sources.sharded.stream import Stream
from poller.sources.sharded.topology import Topology
from poller.sources.sharded.trim_horizon import TrimHorizon
from poller.values.errors import SourceUnavailable, StreamGone

SOFT_STOP, HARD_STOP = 15.0, 2.0
"""Seconds to store the lanes' progress, when left and when cancelled. Without it, records are delivered again."""


class ShardPartition:
    """One shard from its start until it is finished; entered again after an error and with other lanes."""

    def __init__(self, stream: Stream, shard: Shard, topology: Topology, hold: Hold) -> None:
        self.name = shard.id
        self.permit: Permit | None = hold.permit
        self.stop = stream.admission.partition_stop()
        self.finished = False
        self.inside = False
        """Whether it is entered and not left yet."""
        self._stream = stream
        self._shard = shard
        self._topology = topology
        self._lanes: list[StreamLane] = []
        self._lag = ShardLag(stream)
        self._hold = hold
        self._shown = ShownShard(stream.status, shard.id, self.stop, lambda: self.finished)
        self.show = self._shown.show
        hold.connect(give=self.stop.request, lose=self._lose)
        if hold.progress is not None:
            stream.progress.shards[shard.id] = hold.progress

    async def __aenter__(self) -> Self:
        with ExitStack() as failed:
            self._hold.enter()
            failed.callback(self._hold.left)
            await self._topology.check()
            self._begin_reading()
            failed.pop_all()
        return self

    def _begin_reading(self) -> None:
        stream = self._stream
        stored = stream.progress.shards.get(self.name, ShardProgress())
        progress = stored.dealt_to(stream.options.parallelization_factor)
        self._until = None if progress is not None else stored.furthest
        self._progress = progress or stored
        self._held = 0
        self._waits_for_room = False
        self._over = self._drained = False
        self._failure: BaseException | None = None
        self._quiet = ShardQuiet(stream)
        encode = stream.api.encoder(self.name)
        self._lanes = [StreamLane(stream, self.name, self, encode) for _ in self._progress.lanes]
        for lane, lane_progress in zip(self._lanes, self._progress.lanes, strict=True):
            lane.resume(lane_progress)
        self._distribution = Distribution(stream, self.name, self._progress, self._lanes, self._until)
        self._given_out = 0
        self._checkpointing = Checkpointing(
            stream,
            self.name,
            hold=self._hold,
            stop=self.stop,
            progress=self.progress,
            show=self.show,
            stored=self._stored,
        )
        self._reader = ShardReader(stream, self._shard, stream.begin_of(self._progress), self, self._topology)
        self._trim_horizon = TrimHorizon(stream, self._shard, self._lanes, self._topology.closed)
        self._tasks = [asyncio.create_task(self._reader.run()), asyncio.create_task(self._trim_horizon.watch())]
        for task in self._tasks:
            task.add_done_callback(self._task_ended)
        self._ignore_stop = self.stop.listen(self._stop_asked)
        self.inside = True
        if self.finished:
            # abandoned while it was entered
            self._checkpointing.stop()

    async def __aexit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        stream = self._stream
        complete = kind is None and not self.stop.soft and self._failure is None
        # for good: at any other end it is entered again
        leaving = self.stop.soft or (kind is not None and issubclass(kind, asyncio.CancelledError))
        self._ignore_stop()
        for task in self._tasks:
            task.cancel()
        # no await before this line: a hard stop may come at any await
        stream.status.account.returned += sum(lane.give_up() for lane in self._lanes)
        try:
            await asyncio.gather(*self._tasks, return_exceptions=True)
            if self.finished:
                return
            stream.progress.shards[self.name] = self.progress()
            seconds = SOFT_STOP if kind is None else HARD_STOP
            await self._checkpointing.finish(seconds, release=leaving and self.permit is not None)
        finally:
            self.inside = False
            await self._checkpointing.abandon()
            self._left()
        if kind is None and self._failure is not None:
            raise self._failure
        complete = complete and self._over and not (self._drained or self.finished)
        if complete and await stream.finish(self.name, self._hold):
            self.finished = True
            self._topology.finished(self.name)
        elif complete:
            # also where the hold was over before: entered again, it would wait for ever for a right to begin
            self.abandon()
            self._topology.look_again()

    def _left(self) -> None:
        self._hold.left()
        if self.finished or self.stop.soft:
            self._topology.look_again()

    @property
    def fixed_lanes(self) -> int:
        """The parallelization factor by which its keys are distributed."""
        return len(self._lanes)

    def lane(self) -> StreamLane:
        """The next lane that was not returned yet."""
        self._given_out += 1
        return self._lanes[self._given_out - 1]

    # what the lanes ask

    @property
    def over(self) -> bool:
        return self._over

    @property
    def read_to(self) -> str | None:
        return self._distribution.read_to

    @property
    def read_from(self) -> str | None:
        return self._distribution.read_from

    @property
    def failed(self) -> bool:
        return self._failure is not None

    def release(self, size: int) -> None:
        self._held -= size
        self._stream.admission.memory.release(size)
        if self._waits_for_room and not self._at_read_ahead:
            self._waits_for_room = False
            self.show(None)
            self._reader.wakeup.notify()
        elif not self._held:
            self._reader.wakeup.notify()
        if not self._held:
            self._reader.room.reserved.settled()

    def changed(self, *, at_once: bool) -> int:
        return self._checkpointing.changed(at_once=at_once)

    async def durable(self, change: int, *, at_once: bool) -> Unsettled | None:
        return await self._checkpointing.durable(change, at_once=at_once)

    # what the reader tells

    @property
    def empty(self) -> bool:
        return not self._held or self.urgent

    @property
    def urgent(self) -> bool:
        """Whether the records of a batch from an earlier run are not all read yet. The lane settles nothing before they
        are, so no memory bound may stop their reading.
        """
        return any(lane.waits_for_stored for lane in self._lanes)

    @property
    def full(self) -> bool:
        return self._at_read_ahead and not self.urgent

    def wait_for_room(self) -> None:
        """Show which lane a full shard waits for, until it is read on."""
        self._waits_for_room = True
        self._shown.show_full([lane.held for lane in self._lanes])

    @property
    def _at_read_ahead(self) -> bool:
        """Whether the next page may be more than the shard's share."""
        return self._held > 0 and self._held + self._reader.room.wanted > self._stream.read_ahead

    def take(self, page: ShardPage) -> bool:
        room, size = self._reader.room, 0
        if page.records:
            size = self._distribution.distribute(page.records, page.size)
            self._held += size
        room.note(max(size, page.size), len(page.records))
        room.reserved.became(size)
        passed = self._distribution.passed(page)
        if passed or (page.records and self._distribution.skipped):
            # where no record matches, no lane settles anything; the stored position must advance all the same
            self._checkpointing.changed(at_once=False)
        self._lag.note(page)
        self._quiet.note(page, self._lanes)
        self._drained = self._distribution.complete
        if self._drained:
            self._finish_reading()
        return not self._drained

    def end(self, children: tuple[Shard, ...]) -> None:
        self._topology.learn(children)
        self._finish_reading()

    def _finish_reading(self) -> None:
        self._over = True
        self._wake()

    def _stored(self, progress: ShardProgress) -> None:
        self._stream.progress.shards[self.name] = progress
        for lane in self._lanes if self.permit is not None else ():
            lane.stored()
        self._shown.stored(progress)

    # what the source tells

    def poke(self) -> None:
        """There may be memory again."""
        if self.inside:
            self._reader.wakeup.notify()

    def _stop_asked(self) -> None:
        self._reader.wakeup.notify()
        self._checkpointing.wakeup.notify()
        self._wake()

    def _lose(self) -> None:
        """Another daemon may have the shard, and delivers again what is in work here."""
        self._stream.status.account.fenced += sum(lane.in_work for lane in self._lanes if self.inside)
        self.abandon()

    def abandon(self) -> None:
        """Another stream has replaced this one, or another daemon may have the shard: store no more progress of it."""
        self.finished = True
        if self.inside:
            self._checkpointing.stop()
        self.stop.request()

    def _wake(self) -> None:
        for lane in self._lanes:
            lane.wakeup.notify()

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, StreamGone):
            self._topology.recheck()
            error = SourceUnavailable("source_missing", f"{self._stream.arn}: {error}; check the ARN and the region")
        self._failure = error
        self._wake()

    def progress(self) -> ShardProgress:
        """The present progress of every lane."""
        if self._drained and all(lane.idle for lane in self._lanes):
            return replace(self._progress, lanes=tuple(LaneProgress(self._until) for _ in self._lanes))
        return replace(self._progress, lanes=tuple(lane.progress() for lane in self._lanes))

    def behind(self) -> float | None:
        return self._lag.seconds(self._lanes, self._reader.unanswered) if self._lanes else None

    def unanswered_since(self, now: float) -> float | None:
        return self._reader.unanswered.since(now) if self._lanes else None

    @property
    def empty_at(self) -> float | None:
        """See `Lag.empty_at`."""
        return self._reader.empty_at if self._lanes else None

    @property
    def held(self) -> int:
        """Records in flight."""
        return sum(lane.held for lane in self._lanes)
