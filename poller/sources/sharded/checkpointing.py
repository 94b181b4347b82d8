"""Stores one shard's progress after each change, one write at a time, and retries until it is stored.

Where each write has a price the hold asks for an interval between two. Retry states, closed windows and the end are
stored at once all the same, and no lane waits for a write that is only put off.
"""

import asyncio
from collections.abc import Awaitable, Callable
from math import inf

from poller.policy.backoff import STATE, TIMERS_EARLY
from poller.policy.progress import ShardProgress
from poller.ports.holdings import Hold
from poller.ports.source import Unsettled
from poller.ports.status import Reason, ReasonCode
from poller.runtime.stop import Stop
from poller.sources.sharded.stream import Stream
from poller.sources.sharded.wakeup import Wakeup
from poller.values.errors import LeaseLost, StateError


class Checkpointing:
    """Changes during a write go into the next one together."""

    def __init__(
        self,
        stream: Stream,
        shard_id: str,
        *,
        hold: Hold,
        stop: Stop,
        progress: Callable[[], ShardProgress],
        show: Callable[[Reason | None], None],
        stored: Callable[[ShardProgress], None],
    ) -> None:
        """`stored` is called with progress that became durable."""
        self.wakeup = Wakeup()
        """Notified when progress became durable or could not; the partition notifies it at a soft stop."""
        self._stream = stream
        self._shard_id = shard_id
        self._hold = hold
        self._save = hold.save
        self._stop = stop
        self._leaving = False
        self._progress = progress
        self._show = show
        self._report_stored = stored
        self._changes = 0
        self._durable = 0
        self._urgent = 0
        """The last change that is to be stored at once."""
        self._wrote_at = -inf
        self._resting = False
        """Whether what is not stored is only put off."""
        self._stopped = False
        self._failing_since: float | None = None
        self._stored: tuple[Callable[[ShardProgress], Awaitable[None]], ShardProgress] | None = None
        self._failed: Unsettled | None = None
        self._task: asyncio.Task[None] | None = None

    def changed(self, *, at_once: bool) -> int:
        """Store the present progress, at once or when the interval is over. Returns the number of this change."""
        self._changes += 1
        if at_once:
            self._hurry(self._changes)
        if not self._stopped and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._write())
        return self._changes

    def _hurry(self, change: int) -> None:
        self._urgent = max(self._urgent, change)
        if self._resting:
            self.wakeup.notify()

    async def durable(self, change: int, *, at_once: bool) -> Unsettled | None:
        """Return None when a change is stored, or is only put off where it is not wanted `at_once`, or at a soft stop;
        else the reason after each failed try.
        """
        failed = self._failed
        if at_once:
            self._hurry(change)
        while self._durable < change and not (self._stopped or self._stop.soft or (self._resting and not at_once)):
            if self._failed is not failed and self._failed is not None:
                return self._failed
            await self.wakeup.wait()
        return None

    async def finish(self, seconds: float, *, release: bool) -> None:
        """Store the present progress, within so many seconds; `release` lets others have the shard with it."""
        if release:
            self._leaving, self._save = True, self._hold.release
        self.changed(at_once=True)
        assert self._task is not None
        # waited for, because it is cancelled where another daemon turns out to have the shard
        done, _ = await asyncio.wait({self._task}, timeout=seconds)
        if not done:
            self._stream.log.repeating(
                "progress_not_stored", asyncio.get_running_loop().time(), partition=self._shard_id
            )
        elif not self._task.cancelled():
            self._task.result()

    def stop(self) -> None:
        """Start no more writes, and cancel the running one."""
        if self._task is not None:
            self._task.cancel()
        self._stopped = True

    async def abandon(self) -> None:
        """Stop, and wait until the running write has ended."""
        self.stop()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def _write(self) -> None:
        failures = 0
        while self._durable < self._changes:
            if self._hold.interval:
                await self._rest()
            changes, progress, save = self._changes, self._progress(), self._save
            try:
                # a release is due although the same progress was saved by a write that still ran
                if (save, progress) != self._stored:
                    await save(progress)
            except LeaseLost:
                # the hold has told the partition, which stops
                return
            except StateError as error:
                failures += 1
                if self._stop.soft and not self._leaving:
                    self._show_failure(error, 0.0)
                    return
                await self._wait(error, failures)
                continue
            if failures:
                failures, self._failing_since = 0, None
                self._show(None)
            self._stored, self._durable = (save, progress), changes
            self._report_stored(progress)
            self.wakeup.notify()

    async def _rest(self) -> None:
        """Until the interval since the last write is over, or something is to be stored at once."""
        now = asyncio.get_running_loop().time
        until = self._wrote_at + self._hold.interval
        self._resting = True
        self.wakeup.notify()
        # a timer may fire a moment early, and two shards would then wake each other without end
        try:
            while self._urgent <= self._durable and not self._stop.soft and (left := until - now()) > TIMERS_EARLY:
                await self.wakeup.wait(left)
        finally:
            self._resting = False
        self._wrote_at = now()

    def _show_failure(self, error: StateError, delay: float) -> None:
        now = asyncio.get_running_loop().time()
        if self._failing_since is None:
            self._failing_since = now
        self._show(Reason(ReasonCode.STATE, str(error), since=self._failing_since, next_try=now + delay))
        self._stream.log.repeating("progress_not_stored", now, partition=self._shard_id, text=str(error))

    async def _wait(self, error: StateError, failures: int) -> None:
        delay = STATE.delay(failures, self._stream.chance)
        self._show_failure(error, delay)
        until = asyncio.get_running_loop().time() + delay
        self._failed = Unsettled(str(error), until)
        self.wakeup.notify()
        while (
            not (self._stop.soft and not self._leaving)
            and (left := until - asyncio.get_running_loop().time()) > TIMERS_EARLY
        ):
            await self.wakeup.wait(left)
