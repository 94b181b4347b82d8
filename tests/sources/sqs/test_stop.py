"""What a soft stop does to the receives that are under way and to the messages they bring."""

import asyncio

from tests.sources.sqs.harness import CHANGE, RECEIVE, Harness, take


async def test_what_a_stop_gives_back_is_not_received_again_by_receives_still_under_way():
    """Each of them would spend one of the receives after which a message goes to the dead-letter queue."""
    harness = Harness(lanes=2)
    harness.send(20)
    async with harness.partition as partition:
        lanes = [partition.lane(), partition.lane()]
        # full pages while a lane stands in line, so that two receives may run at once
        for lane, records in zip(lanes, await asyncio.gather(*map(take, lanes)), strict=True):
            harness.settle(lane, records)
        receives = [asyncio.ensure_future(take(lane)) for lane in lanes]
        await asyncio.sleep(1)
        assert harness.queue.long_polls == 2
        harness.stop.request()
        harness.send(1)
        for lane, ended in zip(lanes, receives, strict=True):
            harness.release(lane, await ended, failed=False)
    # kept invisible meanwhile, and visible at once in the end
    assert [request.entries[0]["VisibilityTimeout"] for request in harness.transport.of(CHANGE)] == [30, 0]
    message = list(harness.queue.messages.values())[-1]
    assert message.receives == 1
    assert len(harness.transport.of(RECEIVE)) == 4
    assert not harness.unaccounted()
