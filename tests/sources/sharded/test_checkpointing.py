"""A shard's progress is stored one write at a time, and what lets others have the shard is always written."""

import asyncio
from types import SimpleNamespace
from typing import Any

from poller.policy.progress import LaneProgress, ShardProgress
from poller.runtime.stop import Stop
from poller.sources.sharded.checkpointing import Checkpointing
from tests.fakes.queue import loop_time


class Hold:
    """Notes what is written; a save takes so many seconds."""

    def __init__(self, interval=0.0, takes=1.0):
        self.interval = interval
        self.takes = takes
        self.written = []

    async def save(self, progress):
        await asyncio.sleep(self.takes)
        self.written.append(("save", progress.position))

    async def release(self, progress):
        self.written.append(("release", progress.position))


class Shard:
    """A shard that progresses, with its checkpointing."""

    def __init__(self, interval):
        self.position = 0
        hold: Any = Hold(interval, takes=0.01)
        self.hold = hold
        stream: Any = SimpleNamespace()
        self.checkpointing = Checkpointing(
            stream,
            "a",
            hold=hold,
            stop=Stop(),
            progress=lambda: ShardProgress((LaneProgress(str(self.position)),)),
            show=lambda _: None,
            stored=lambda _: None,
        )

    async def batches(self, count, seconds):
        """Settle so many, each after so long, and wait as a lane does."""
        before = 0
        for _ in range(count):
            await asyncio.sleep(seconds)
            self.position += 1
            change = self.checkpointing.changed(at_once=False)
            assert await self.checkpointing.durable(before, at_once=False) is None
            before = change


async def test_an_interval_puts_off_writes_and_no_lane_waits_for_them():
    shard = Shard(1.0)
    began = loop_time()
    await shard.batches(100, 0.1)
    assert loop_time() - began < 10.5
    # the first one at once, then one a second
    assert shard.hold.written[0] == ("save", "1")
    assert 10 <= len(shard.hold.written) <= 11
    await asyncio.sleep(1.5)
    assert shard.hold.written[-1] == ("save", "100")


async def test_what_cannot_wait_is_written_in_the_middle_of_an_interval():
    shard = Shard(60.0)
    await shard.batches(5, 0.1)
    began = loop_time()
    shard.checkpointing.changed(at_once=True)
    await asyncio.sleep(0.1)
    assert shard.hold.written == [("save", "1"), ("save", "5")]
    await shard.batches(5, 0.1)
    change = shard.checkpointing.changed(at_once=False)
    assert await shard.checkpointing.durable(change, at_once=True) is None
    assert shard.hold.written[-1] == ("save", "10")
    await shard.batches(5, 0.1)
    await shard.checkpointing.finish(10.0, release=True)
    assert shard.hold.written[-1] == ("release", "15")
    assert loop_time() - began < 5


async def test_a_shard_is_released_although_its_progress_is_being_saved_at_that_moment():
    hold: Any = Hold()
    stream: Any = SimpleNamespace()
    checkpointing = Checkpointing(
        stream,
        "a",
        hold=hold,
        stop=Stop(),
        progress=lambda: ShardProgress((LaneProgress("7"),)),
        show=lambda _: None,
        stored=lambda _: None,
    )
    checkpointing.changed(at_once=False)
    await asyncio.sleep(0.5)
    await checkpointing.finish(10.0, release=True)
    assert hold.written == [("save", "7"), ("release", "7")]
