"""Stores one shard's progress after each change, one write at a time, and retries until it is stored."""

import asyncio
from collections.abc import Awaitable, Callable

from poller.policy.backoff import STATE
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
        self._stopped = False
        self._failing_since: float | None = None
        self._stored: tuple[Callable[[ShardProgress], Awaitable[None]], ShardProgress] | None = None
        self._failed: Unsettled | None = None
        self._task: asyncio.Task[None] | None = None

    def changed(self) -> int:
        """Store the present progress soon. Returns the number of this change."""
        self._changes += 1
        if not self._stopped and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._write())
        return self._changes

    async def durable(self, change: int) -> Unsettled | None:
        """Return None when a change is stored, or at a soft stop; else the reason after each failed try."""
        failed = self._failed
        while self._durable < change and not (self._stopped or self._stop.soft):
            if self._failed is not failed and self._failed is not None:
                return self._failed
            await self.wakeup.wait()
        return None

    async def finish(self, seconds: float, *, release: bool) -> None:
        """Store the present progress, within so many seconds; `release` lets others have the shard with it."""
        if release:
            self._leaving, self._save = True, self._hold.release
        self.changed()
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
        while not (self._stop.soft and not self._leaving) and (left := until - asyncio.get_running_loop().time()) > 0:
            await self.wakeup.wait(left)
