"""A shard's limits are one for all mappings of the process."""

import asyncio
from contextlib import nullcontext

import pytest

from poller.sources.sharded.limits import ReadLimits, ShardLimit, Throttled


def test_every_reader_of_a_shard_gets_the_same_limit_and_every_shard_its_own():
    limits = ReadLimits(lambda _: nullcontext())
    one = limits.of("arn", "a", 5, 100)
    assert limits.of("arn", "a", 5, 100) is one
    assert limits.of("arn", "b", 5, 100) is not one
    assert limits.of("other", "a", 5, 100) is not one
    limits.forget("arn", "a")
    assert limits.of("arn", "a", 5, 100) is not one


def test_bytes_are_paid_for_after_the_read_with_a_second_s_worth_of_credit():
    limit = ShardLimit(nullcontext(), 100.0)
    limit.spend(50, 10.0)
    assert limit.wait(10.0) == 0
    limit.spend(450, 10.0)
    assert limit.wait(10.0) == pytest.approx(4.0)
    assert limit.wait(14.0) == pytest.approx(0.0)


@pytest.mark.real_time
async def test_no_more_calls_begin_in_a_second_than_the_service_allows():
    limit, begun = Throttled(50.0), []

    async def call():
        async with limit:
            begun.append(asyncio.get_running_loop().time())

    await asyncio.gather(*(call() for _ in range(60)))
    assert begun[50] - begun[0] > 0.9
