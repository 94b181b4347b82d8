"""A shard's progress is stored one write at a time, and what lets others have the shard is always written."""

import asyncio
from types import SimpleNamespace
from typing import Any

from poller.policy.progress import LaneProgress, ShardProgress
from poller.runtime.stop import Stop
from poller.sources.sharded.checkpointing import Checkpointing


class Hold:
    """Notes what is written; a save takes a second."""

    def __init__(self):
        self.written = []

    async def save(self, progress):
        await asyncio.sleep(1.0)
        self.written.append(("save", progress.position))

    async def release(self, progress):
        self.written.append(("release", progress.position))


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
    checkpointing.changed()
    await asyncio.sleep(0.5)
    await checkpointing.finish(10.0, release=True)
    assert hold.written == [("save", "7"), ("release", "7")]
