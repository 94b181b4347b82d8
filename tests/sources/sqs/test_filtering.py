"""Messages that match no filter: deleted at once, counted, in no batch, and never a reason to race or to stand still."""

import asyncio
import json

import pytest

from poller.policy.filtering import compile_filters
from poller.sources.sqs import backlog
from poller.sources.sqs.message import judge
from poller.sources.sqs.queue import QueueName
from poller.support import codec
from tests.fakes.faults import ACCESS_DENIED, LOST_AFTER, LOST_BEFORE
from tests.policy.filtering.kinds import SQS_RECORDS
from tests.present import present
from tests.sources.sqs.harness import CHANGE, DELETE, RECEIVE, Harness, take

WANTED = [{"body": {"kind": ["order"]}}]
ORDER, OTHER, PLAIN = '{"kind": "order"}', '{"kind": "other"}', "plain"


def bodies(records):
    return [record.item["Body"] for record in records]


async def test_what_does_not_match_is_deleted_at_once_and_counted_while_the_rest_is_still_in_work():
    harness = Harness(patterns=WANTED)
    ids = [harness.queue.send(body) for body in (ORDER, OTHER, ORDER, PLAIN)]
    async with harness.partition as partition:
        lane = partition.lane()
        records = await take(lane)
        assert bodies(records) == [ORDER, ORDER]
        assert (harness.account.polled, harness.account.filtered, harness.in_flight) == (4, 2, 2)
        assert not harness.unaccounted()
        await asyncio.sleep(0.1)
        assert harness.aws.ledger.remaining() == {ids[0], ids[2]}
        harness.settle(lane, records)
    assert harness.aws.ledger.remaining() == set()
    assert (harness.account.deleted, harness.account.delivered) == (4, 2)
    assert harness.memory.held == 0


async def test_what_matches_only_in_its_metadata_is_delivered_whatever_its_body():
    harness = Harness(patterns=[{"messageAttributes": {"team": {"stringValue": ["shop"]}}}])
    harness.queue.send(PLAIN, attributes={"team": "shop"})
    harness.queue.send(ORDER, attributes={"team": "press"})
    async with harness.partition as partition:
        lane = partition.lane()
        records = await take(lane)
        assert bodies(records) == [PLAIN]
        harness.settle(lane, records)
    assert (harness.account.filtered, harness.account.filtered_not_json) == (1, 0)


async def test_what_is_no_json_is_counted_apart_and_shown_now_and_then():
    harness = Harness(patterns=WANTED)
    [first, *_] = [harness.queue.send(body) for body in (PLAIN + "!" * 100, PLAIN, PLAIN, OTHER)]
    async with harness.partition as partition:
        task = asyncio.create_task(take(partition.lane()))
        await asyncio.sleep(1)
        assert (harness.account.filtered, harness.account.filtered_not_json) == (4, 3)
        [told] = harness.log.named("payload_not_json")
        assert told["message_id"] == first
        assert told["begins"] == (PLAIN + "!" * 100)[:60]
        harness.stop.request()
        await task


async def test_a_receive_that_brings_nothing_wanted_is_followed_by_the_next_until_the_queue_is_empty():
    harness = Harness(patterns=WANTED)
    for _ in range(95):
        harness.queue.send(OTHER)
    last = harness.queue.send(ORDER)
    async with harness.partition as partition:
        lane = partition.lane()
        records = await take(lane)
        assert [record.identifier for record in records] == [last]
        assert len(harness.transport.of(RECEIVE)) == 10
        harness.settle(lane, records)
        await asyncio.sleep(60)
        waiting = asyncio.create_task(take(lane))
        await asyncio.sleep(60)
        # one long poll after the other, as if there were no filter
        assert len(harness.transport.of(RECEIVE)) <= 10 + 4
        harness.stop.request()
        await waiting
    assert harness.account.filtered == 95
    assert harness.aws.ledger.remaining() == set()


async def test_what_does_not_match_opens_no_window_and_takes_no_place_in_a_batch():
    harness = Harness(patterns=WANTED)
    async with harness.partition as partition:
        lane = partition.lane()
        gathering = asyncio.create_task(lane.receive(3, 5.0, gathering=True))
        for _ in range(6):
            harness.queue.send(OTHER)
        await asyncio.sleep(1)
        assert not gathering.done()
        for _ in range(3):
            harness.queue.send(ORDER)
        page = await gathering
        assert bodies(page.records) == [ORDER] * 3
        assert page.bound <= 3 * 2000
        harness.settle(lane, page.records)


async def test_what_could_not_be_deleted_is_not_delivered_when_it_is_received_again():
    harness = Harness(patterns=WANTED, name="q", visibility_timeout=10)
    [message] = [harness.queue.send(OTHER)]
    async with harness.partition as partition:
        task = asyncio.create_task(take(partition.lane()))
        harness.aws.faults.always(DELETE, LOST_BEFORE)
        await asyncio.sleep(60)
        assert harness.aws.ledger[message].receives == [0.0], "kept invisible meanwhile"
        harness.queue.show_again(message)
        await asyncio.sleep(1)
        assert len(harness.aws.ledger[message].receives) == 2
        assert (harness.account.polled, harness.account.filtered) == (2, 2)
        assert not harness.unaccounted()
        harness.aws.faults.clear()
        await asyncio.sleep(30)
        assert harness.aws.ledger.remaining() == set()
        harness.stop.request()
        assert await task == ()


async def test_a_queue_that_refuses_deletes_is_read_no_further_than_the_bound(monkeypatch):
    monkeypatch.setattr(backlog, "MOST_WAITING", 30)
    harness = Harness(patterns=WANTED, visibility_timeout=30)
    for _ in range(200):
        harness.queue.send(OTHER)
    wanted = harness.queue.send(ORDER)
    harness.aws.faults.always(DELETE, ACCESS_DENIED)
    async with harness.partition as partition:
        lanes = [partition.lane() for _ in range(3)]
        tasks = [asyncio.create_task(take(lane)) for lane in lanes]
        await asyncio.sleep(600)
        assert harness.account.polled <= 30 + 3 * 10
        assert present(harness.status.reason).code == "access_denied"
        assert harness.queue.counts()[1] == harness.account.polled
        harness.aws.faults.clear()
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        [records] = [await task for task in done]
        assert [record.identifier for record in records] == [wanted]
        harness.settle(lanes[0], records)
        harness.stop.request()
        await asyncio.gather(*tasks)
    assert harness.account.filtered == 200
    assert harness.aws.ledger.remaining() == set()
    assert harness.memory.held == 0


async def test_a_stop_sees_the_deletes_through():
    harness = Harness(patterns=WANTED)
    for _ in range(5):
        harness.queue.send(OTHER)
    harness.aws.faults.script(DELETE, LOST_AFTER)
    async with harness.partition as partition:
        task = asyncio.create_task(take(partition.lane()))
        await asyncio.sleep(0.001)
        harness.stop.request()
        await task
    assert harness.aws.ledger.remaining() == set()
    assert harness.account.filtered == 5
    assert harness.in_flight == 0


async def test_fifo_what_does_not_match_leaves_and_the_rest_of_its_group_stays_in_order():
    harness = Harness(name="q.fifo", patterns=WANTED, lanes=2)
    sent = [harness.queue.send(body, group="g", deduplication_id=str(n)) for n, body in enumerate((ORDER, OTHER) * 4)]
    async with harness.partition as partition:
        lane = partition.lane()
        records = await take(lane)
        assert [record.identifier for record in records] == sent[::2]
        assert {record.key for record in records} == {"g"}
        await asyncio.sleep(0.1)
        assert harness.aws.ledger.remaining() == set(sent[::2])
        # the group waits for what is in work, at the service as ever
        later = asyncio.create_task(take(lane))
        harness.queue.send(ORDER, group="g")
        await asyncio.sleep(1)
        assert not later.done()
        harness.settle(lane, records)
        harness.settle(lane, await later)
    assert harness.aws.ledger.remaining() == set()
    assert harness.account.filtered == 4


async def test_visibility_of_what_matches_is_extended_though_the_rest_of_its_receive_is_gone():
    harness = Harness(patterns=WANTED, visibility_timeout=10)
    wanted = harness.queue.send(ORDER)
    harness.queue.send(OTHER)
    async with harness.partition as partition:
        lane = partition.lane()
        records = await take(lane)
        await asyncio.sleep(60)
        assert {len(request.entries) for request in harness.transport.of(CHANGE)} == {1}
        assert harness.aws.ledger[wanted].receives == [0.0]
        harness.settle(lane, records)


MESSAGE = {
    "MessageId": "m",
    "ReceiptHandle": "h",
    "MD5OfBody": "d",
    "Body": ORDER,
    "Attributes": {"SenderId": "s", "MessageGroupId": "g"},
    "MessageAttributes": {"n": {"DataType": "Number", "StringValue": "5"}},
    "MD5OfMessageAttributes": "e",
}
NAME = QueueName("arn:aws:sqs:eu-west-1:1:q", "http://q", "eu-west-1", fifo=False)
MEMBERS = {
    "messageId": ["m"],
    "receiptHandle": ["h"],
    "md5OfBody": ["d"],
    "md5OfMessageAttributes": ["e"],
    "attributes": {"MessageGroupId": ["g"]},
    "messageAttributes": {"n": {"stringValue": ["5"], "dataType": ["Number"]}},
    "eventSource": ["aws:sqs"],
    "eventSourceARN": ["arn:aws:sqs:eu-west-1:1:q"],
    "awsRegion": ["eu-west-1"],
    "body": {"kind": ["order"]},
}


@pytest.mark.parametrize("member", MEMBERS)
def test_every_member_of_the_event_can_be_matched(member):
    assert judge(compile_filters([{member: MEMBERS[member]}], SQS_RECORDS), NAME)(MESSAGE)
    assert not judge(compile_filters([{member: ["no"]}], SQS_RECORDS), NAME)(MESSAGE)


def test_a_body_nobody_looks_at_is_not_parsed():
    def explode(_):
        raise AssertionError

    criteria = compile_filters([{"messageId": ["m"]}], SQS_RECORDS, loads=explode)
    assert judge(criteria, NAME)(MESSAGE)


def test_the_fast_parser_judges_as_the_standard_one():
    for patterns in ([{"body": {"kind": ["order"]}}], [{"body": {"n": [{"numeric": [">", 1]}]}}], [{"body": [PLAIN]}]):
        fast, slow = (
            judge(compile_filters(patterns, SQS_RECORDS, loads=loads), NAME) for loads in (codec.fast_loads, None)
        )
        for body in (ORDER, OTHER, PLAIN, '{"n": 2}', "[]", "NaN", '{"kind": "\\ud800"}', json.dumps({"n": 10**30})):
            assert fast(MESSAGE | {"Body": body}) is slow(MESSAGE | {"Body": body})
