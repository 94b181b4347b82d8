"""`unwrap` on a queue's messages: what a lane gets, and what becomes of a message that is no envelope."""

import asyncio
import json

from poller.sources.sqs.envelopes import opener
from poller.sources.sqs.options import SqsOptions
from tests.sources.sqs.harness import Harness, take
from tests.sources.sqs.test_envelopes import EVENTBRIDGE, FUNCTION, S3_TEST

EVENT = json.dumps(EVENTBRIDGE)


def unwrapping(which="eventbridge", **more):
    return Harness(options=SqsOptions(unwrap=opener(which, FUNCTION)), **more)


async def test_the_event_of_a_batch_is_the_body_of_its_message():
    harness = unwrapping()
    harness.queue.send(EVENT)
    async with harness.partition as partition:
        lane = partition.lane()
        records = await take(lane, 1)
        assert lane.encode(records) == EVENT.encode()
        assert lane.encode(()) == b""
        harness.settle(lane, records)
    assert (harness.account.deleted, harness.unaccounted()) == (1, 0)


async def test_a_message_that_is_no_envelope_is_released_as_failed_and_the_redrive_policy_ends_it():
    harness = unwrapping(visibility_timeout=30)
    bad, good = harness.queue.send("plain " * 100), harness.queue.send(EVENT)
    async with harness.partition as partition:
        lane = partition.lane()
        records = await take(lane)
        assert [record.identifier for record in records] == [good]
        assert (harness.account.returned, harness.account.not_unwrapped, harness.in_flight) == (1, 1, 1)
        harness.settle(lane, records)
        task = asyncio.create_task(take(lane))
        await asyncio.sleep(100)
        # it comes again with each visibility timeout, and no sooner
        assert harness.account.not_unwrapped == 4
        assert not harness.unaccounted()
        assert harness.status.last_failure is not None
        assert bad in harness.status.last_failure.text
        [first, *_] = harness.log.named("message_not_unwrapped")
        assert (first["code"], first["message_ids"], len(first["begins"])) == ("not_json", [bad], 60)
        harness.stop.request()
        await task
    assert harness.aws.ledger.remaining() == {bad}
    assert harness.memory.held == 0


async def test_a_service_s_test_message_is_deleted_and_counted_as_filtered():
    harness = unwrapping("s3")
    harness.queue.send(json.dumps(S3_TEST))
    async with harness.partition as partition:
        task = asyncio.create_task(take(partition.lane()))
        await asyncio.sleep(1)
        assert (harness.account.filtered, harness.account.deleted, harness.account.not_unwrapped) == (1, 1, 0)
        harness.stop.request()
        await task
    assert harness.aws.ledger.remaining() == set()
    assert not harness.unaccounted()


async def test_filters_see_the_message_and_come_first():
    harness = unwrapping(patterns=[{"body": {"source": ["aws.rds"]}}])
    harness.queue.send("plain")
    good = harness.queue.send(EVENT)
    async with harness.partition as partition:
        lane = partition.lane()
        records = await take(lane)
        assert [record.identifier for record in records] == [good]
        harness.settle(lane, records)
    assert (harness.account.filtered, harness.account.not_unwrapped) == (1, 0)


async def test_fifo_messages_do_not_overtake_one_of_their_group_that_is_refused():
    harness = unwrapping(name="q.fifo")
    before = harness.queue.send(EVENT, group="a")
    harness.queue.send("plain", group="a")
    harness.queue.send(EVENT, group="a")
    other = harness.queue.send(EVENT, group="b")
    async with harness.partition as partition:
        lane = partition.lane()
        found = [*await take(lane)]
        while len(found) < 2:
            found += await take(lane)
        assert [record.identifier for record in found] == [before, other]
        assert (harness.account.not_unwrapped, harness.account.returned) == (1, 2)
        harness.settle(lane, found)
    assert not harness.unaccounted()
