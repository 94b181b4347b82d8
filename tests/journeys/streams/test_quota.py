"""A backlog is read as fast as the service lets a shard be read, and no read of it is refused."""

import asyncio

import pytest

from tests.fakes.queue import loop_time
from tests.fakes.streams.kinesis import LIMITS
from tests.journeys.streams.world import StreamLife, StreamWorld

KEY = "customer-17"
CREDIT = 1.0
"""Seconds of the quota that may be read at once."""


async def catching_up(size: int, records: int) -> tuple[float, int]:
    """Share of the quota at which a shard's backlog of records of so many bytes is read, and reads that were refused."""
    world = StreamWorld()
    for _ in range(records):
        world.kinesis.put(KEY, bytes(size))
    life = StreamLife(world, world.mapping(batch_size=1000))
    begun, before, polled = loop_time(), 0, 0
    while polled < records:
        # what the last page takes of the quota would be waited for by the next one
        before, polled = polled, life.account.polled
        await asyncio.sleep(0 if polled > before else 0.01)
    seconds = loop_time() - begun + CREDIT
    await world.until_done()
    await life.end()
    world.check()
    return (size + len(KEY)) * before / seconds / LIMITS.bytes_per_second, len(life.log.named("call_failed"))


@pytest.mark.parametrize(("size", "records"), [(1024, 10_000), (20_000, 1_000)])
async def test_a_backlog_is_read_at_the_rate_of_the_quota_and_no_faster(size: int, records: int):
    share, refused = await catching_up(size, records)
    print(f"records of {size} bytes: {share:.3f} of the quota")  # noqa: T201  (`pytest -rP` shows it)
    assert 0.95 <= share <= 1.0
    assert refused == 0
