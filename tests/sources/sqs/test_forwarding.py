"""`on_no_match: {send_to: ARN}`: deleted only once the other queue has it, and held for as long as that takes."""

import asyncio

import pytest

from poller.sources.sqs import backlog
from poller.sources.sqs.options import SqsOptions
from tests.fakes.faults import ACCESS_DENIED, HANG, LOST_AFTER, LOST_BEFORE
from tests.present import present
from tests.sources.sqs.harness import DELETE, RECEIVE, SEND, Harness, take

WANTED = [{"body": {"kind": ["order"]}}]
ORDER, OTHER, PLAIN = '{"kind": "order"}', '{"kind": "other"}', "plain"


def arrived(harness):
    return [message.body for message in harness.target.messages.values()]


class Polling:
    """A lane that asks for as long as the block lasts."""

    def __init__(self, harness, lanes=1):
        self.harness, self.lanes = harness, lanes

    async def __aenter__(self):
        partition = await self.harness.partition.__aenter__()
        self.tasks = [asyncio.create_task(take(partition.lane())) for _ in range(self.lanes)]

    async def __aexit__(self, *error):
        self.harness.stop.request()
        await asyncio.gather(*self.tasks)
        await self.harness.partition.__aexit__(*error)


async def test_what_does_not_match_goes_to_the_other_queue_as_it_is_and_is_deleted():
    harness = Harness(patterns=WANTED, target="t")
    attributes = {"team": "shop", "raw": b"\x00", "n": 5}
    harness.queue.send(OTHER, attributes=attributes, trace_header="Root=1-2-3")
    wanted = harness.queue.send(ORDER)
    harness.queue.send(PLAIN)
    async with harness.partition as partition:
        lane = partition.lane()
        records = await take(lane)
        assert [record.identifier for record in records] == [wanted]
        assert (harness.account.filtered, harness.in_flight) == (0, 3)
        await asyncio.sleep(1)
        assert (harness.account.filtered, harness.account.filtered_not_json, harness.in_flight) == (2, 1, 1)
        assert set(arrived(harness)) == {OTHER, PLAIN}
        harness.settle(lane, records)
    sent = next(message for message in present(harness.target).messages.values() if message.body == OTHER)
    assert sent.attributes == {
        "team": {"DataType": "String", "StringValue": "shop"},
        "raw": {"DataType": "Binary", "BinaryValue": "AA=="},
        "n": {"DataType": "Number", "StringValue": "5"},
    }
    assert sent.trace_header == "Root=1-2-3"
    assert not harness.queue.messages
    assert harness.account.deleted == 3
    assert harness.memory.held == 0


async def test_messages_of_a_fair_queue_keep_their_group():
    harness = Harness(patterns=WANTED, target="t")
    harness.queue.send(OTHER, group="tenant-1")
    harness.queue.send(PLAIN)
    async with Polling(harness):
        await asyncio.sleep(1)
    assert {message.body: message.group for message in present(harness.target).messages.values()} == {
        OTHER: "tenant-1",
        PLAIN: None,
    }


@pytest.mark.parametrize("fault", [LOST_BEFORE, ACCESS_DENIED, HANG])
async def test_a_target_that_does_not_accept_is_tried_for_as_long_as_it_takes(fault):
    harness = Harness(patterns=WANTED, target="t", visibility_timeout=20)
    message = harness.queue.send(OTHER)
    harness.aws.faults.always(SEND, fault)
    async with Polling(harness):
        await asyncio.sleep(3600)
        assert harness.aws.ledger[message].receives == [0.0], "kept invisible meanwhile"
        assert (harness.account.filtered, harness.in_flight) == (0, 1)
        assert not harness.transport.of(DELETE)
        assert harness.status.state == "problem"
        assert present(harness.target).arn in present(harness.status.reason).text
        assert "sqs:SendMessage" in present(harness.status.reason).text
        assert len(harness.transport.of(SEND)) < 3600 / 10 + 20
        harness.aws.faults.clear()
        await asyncio.sleep(40)
        assert (harness.account.filtered, harness.in_flight) == (1, 0)
        assert harness.status.state == "running"
    assert arrived(harness) == [OTHER]
    assert not harness.queue.messages


async def test_a_lost_answer_sends_twice_rather_than_never():
    harness = Harness(patterns=WANTED, target="t")
    harness.queue.send(OTHER)
    harness.aws.faults.script(SEND, LOST_AFTER)
    async with Polling(harness):
        await asyncio.sleep(10)
    assert arrived(harness) == [OTHER, OTHER]
    assert harness.account.filtered == 1


async def test_only_what_the_target_refused_is_sent_again():
    harness = Harness(patterns=WANTED, target="t")
    for number in range(8):
        harness.queue.send(f"{PLAIN} {number}")
    harness.aws.faults.entries_at_random(SEND, 0.5)
    async with Polling(harness):
        await asyncio.sleep(300)
    assert sorted(arrived(harness)) == [f"{PLAIN} {number}" for number in range(8)]
    assert len(harness.transport.of(SEND)) > 1
    assert harness.account.filtered == 8


async def test_sent_on_and_not_deleted_it_is_not_sent_again_when_it_is_received_again():
    harness = Harness(patterns=WANTED, target="t", visibility_timeout=30)
    message = harness.queue.send(OTHER)
    harness.aws.faults.always(DELETE, LOST_BEFORE)
    async with Polling(harness):
        await asyncio.sleep(10)
        assert arrived(harness) == [OTHER]
        harness.queue.show_again(message)
        await asyncio.sleep(1)
        assert len(harness.aws.ledger[message].receives) == 2
        harness.aws.faults.clear()
        await asyncio.sleep(60)
    assert arrived(harness) == [OTHER]
    assert not harness.queue.messages
    assert (harness.account.polled, harness.account.filtered) == (2, 2)


async def test_large_messages_share_a_call_only_as_far_as_the_service_takes_them():
    harness = Harness(patterns=WANTED, target="t")
    for _ in range(5):
        harness.queue.send("x" * 100_000)
    harness.queue.send("x" * 250_000)
    async with Polling(harness):
        await asyncio.sleep(60)
    assert len(present(harness.target).messages) == 6
    assert not harness.log.named("call_failed")


async def test_a_target_that_is_down_holds_receiving_up_and_loses_nothing(monkeypatch):
    monkeypatch.setattr(backlog, "MOST_WAITING", 20)
    harness = Harness(patterns=WANTED, target="t")
    for number in range(100):
        harness.queue.send(f"{PLAIN} {number}")
    harness.aws.faults.always(SEND, LOST_BEFORE)
    async with Polling(harness, lanes=3):
        await asyncio.sleep(600)
        assert harness.account.polled <= 20 + 3 * 10
        assert harness.in_flight == harness.account.polled
        receives = len(harness.transport.of(RECEIVE))
        await asyncio.sleep(600)
        assert len(harness.transport.of(RECEIVE)) == receives
        harness.aws.faults.clear()
        await asyncio.sleep(120)
        assert harness.account.filtered == 100
    assert len(present(harness.target).messages) == 100
    assert harness.memory.held == 0


async def test_a_soft_stop_waits_for_no_target_and_gives_back_what_it_did_not_take():
    harness = Harness(patterns=WANTED, target="t", visibility_timeout=300)
    message = harness.queue.send(OTHER)
    harness.aws.faults.always(SEND, LOST_BEFORE)
    async with Polling(harness):
        await asyncio.sleep(100)
        begun = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - begun <= 21, "one long poll"
    assert harness.account.returned == 1
    assert not harness.queue.messages[message].in_flight(asyncio.get_running_loop().time())
    assert not harness.unaccounted()
    assert harness.in_flight == 0
    assert harness.memory.held == 0


async def test_a_hard_stop_gives_back_what_is_being_sent():
    harness = Harness(patterns=WANTED, target="t", visibility_timeout=300)
    for _ in range(15):
        harness.queue.send(OTHER)
    harness.aws.faults.always(SEND, HANG)

    async def polling():
        async with harness.partition as partition:
            await take(partition.lane())

    task = asyncio.create_task(polling())
    await asyncio.sleep(5)
    assert harness.in_flight == 15
    begun = asyncio.get_running_loop().time()
    task.cancel()
    await asyncio.wait([task])
    assert asyncio.get_running_loop().time() - begun <= 2.1
    assert (harness.account.returned, harness.in_flight, harness.unaccounted()) == (15, 0, 0)
    assert harness.queue.counts()[0] == 15


async def test_what_cannot_be_held_any_longer_is_given_back():
    harness = Harness(patterns=WANTED, target="t", options=SqsOptions(maximum_hold_seconds=100))
    message = harness.queue.send(OTHER)
    harness.aws.faults.always(SEND, LOST_BEFORE)
    async with Polling(harness):
        await asyncio.sleep(150)
        assert harness.account.returned == 1
        assert len(harness.aws.ledger[message].receives) == 2
        assert not harness.unaccounted()
        harness.aws.faults.clear()
        await asyncio.sleep(30)
    assert arrived(harness) == [OTHER]


async def test_fifo_groups_reach_a_fifo_target_in_their_order_with_their_ids():
    harness = Harness(name="q.fifo", patterns=WANTED, target="t.fifo")
    for number in range(30):
        harness.queue.send(f"{PLAIN} {number:02}", group=f"g{number % 3}", deduplication_id=f"d{number}")
    harness.aws.faults.entries_at_random(SEND, 0.4)
    harness.aws.faults.script(SEND, LOST_AFTER, None, LOST_BEFORE, LOST_AFTER)
    async with Polling(harness):
        await asyncio.sleep(600)
    messages = list(present(harness.target).messages.values())
    assert len(messages) == 30, "deduplicated by the ids of the originals"
    assert {message.deduplication_id for message in messages} == {f"d{number}" for number in range(30)}
    for group in ("g0", "g1", "g2"):
        order = [message.body for message in messages if message.group == group]
        assert order == sorted(order)
        assert len(order) == 10
    assert harness.account.filtered == 30
    assert not harness.unaccounted()


async def test_fifo_messages_may_go_to_a_standard_queue():
    harness = Harness(name="q.fifo", patterns=WANTED, target="t")
    harness.queue.send(PLAIN, group="g")
    async with Polling(harness):
        await asyncio.sleep(1)
    assert arrived(harness) == [PLAIN]
