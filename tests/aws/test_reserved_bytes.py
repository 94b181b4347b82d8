"""No more of an answer is read than there is room for, through each transport and of what is pushed."""

import asyncio

import pytest

from poller.runtime.memory import Memory
from poller.sources.kinesis.api import KinesisApi
from poller.sources.sharded.api import Position
from poller.values.errors import NoRoom
from tests.aws.conversation import EITHER
from tests.aws.test_event_stream import subscribed
from tests.fakes.server import real_time_aws, serving

pytestmark = pytest.mark.usefixtures("sdk_does_not_sleep")
RECORD = 3_000_000
BOUND = 5_000_000
"""One record fits, as JSON; two do not."""


def account():
    aws = real_time_aws()
    stream = aws.stream("s", reads_per_second=None)
    for _ in range(2):
        stream.put("key", "x" * RECORD)
    return aws, stream


def reserved(memory):
    room = memory.reservation()
    assert room.ask(lambda: 1000, lambda: None)
    return room


@EITHER
async def test_an_answer_takes_what_is_free_and_is_given_up_or_waits_where_there_is_too_little(transport):
    aws, stream = account()
    async with serving(aws) as url, asyncio.timeout(30):
        made = transport(url, [])
        api = KinesisApi(made, arn=stream.arn, region="eu-west-1", invoke_identity_arn="r")
        iterator = await api.iterator("shardId-000000000000", Position("TRIM_HORIZON"))
        memory = Memory(BOUND)
        one = reserved(memory)
        page = await api.page(iterator, 1, one)
        assert len(page.records) == 1
        assert RECORD < one.size <= BOUND
        one.became(page.size)
        with pytest.raises(NoRoom) as refused:
            await api.page(iterator, 1, reserved(memory))
        assert refused.value.size > RECORD
        memory.hold(BOUND)
        memory.reservation(patient=True).grow(1, lambda: None)  # the one that may pass the bound
        in_line = asyncio.Event()
        memory.on_waiting = in_line.set
        waiting = asyncio.create_task(api.page(iterator, 1, memory.reservation(patient=True)))
        await in_line.wait()
        memory.release(2 * BOUND)
        assert len((await waiting).records) == 1
        await made.close()


async def test_a_pushed_event_that_found_no_room_is_there_when_it_is_asked_for_again():
    aws, stream = account()
    memory = Memory(BOUND)
    memory.hold(BOUND - 2000)
    async with subscribed(aws, stream) as subscription:
        room = reserved(memory)
        with pytest.raises(NoRoom) as refused:
            await subscription.page(room)
        assert refused.value.size > RECORD
        memory.release(BOUND - 2000)
        page = await subscription.page(room)
        assert len(page.records) >= 1
        assert room.size >= refused.value.size
