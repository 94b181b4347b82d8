"""How long messages stay invisible while they are held, and when they appear again."""

import asyncio

import pytest

from poller.policy.visibility import LONGEST_HOLD, SERVICE_HOLD
from poller.sources.sqs.options import SqsOptions
from tests.fakes.faults import LOST_BEFORE
from tests.sources.sqs.harness import ATTRIBUTES, CHANGE, DELETE, RECEIVE, Harness, settled, take


async def settle_all(harness, lane, records):
    harness.settle(lane, records)
    await asyncio.sleep(1)


async def test_what_is_held_is_extended_for_the_queues_timeout_at_half_of_it():
    harness = Harness(visibility_timeout=30)
    harness.send()
    async with harness.partition as partition:
        lane = partition.lane()
        records = await take(lane)
        await asyncio.sleep(70)
        assert harness.transport.times(CHANGE) == [15, 30, 45, 60]
        assert {entry["VisibilityTimeout"] for call in harness.transport.of(CHANGE) for entry in call.entries} == {30}
        assert "VisibilityTimeout" not in harness.transport.of(RECEIVE)[0].body
        await settle_all(harness, lane, records)
        await asyncio.sleep(100)
        assert len(harness.transport.of(CHANGE)) == 4, "what is deleted is extended no more"
    assert harness.aws.ledger.remaining() == set()


async def test_a_queue_of_two_seconds_is_asked_for_ten_and_renewed_at_five():
    harness = Harness(visibility_timeout=2)
    [message] = harness.send()
    async with harness.partition as partition:
        lane = partition.lane()
        [record] = await take(lane)
        assert harness.transport.of(RECEIVE)[0].body["VisibilityTimeout"] == 10
        await asyncio.sleep(21)
        assert harness.transport.times(CHANGE) == [5, 10, 15, 20]
        harness.release(lane, [record], failed=True)
        await asyncio.sleep(0.5)
        assert harness.queue.messages[message].visible_at == pytest.approx(22, abs=0.1)


async def test_a_queue_of_two_seconds_shows_a_quick_failure_again_after_its_two():
    harness = Harness(visibility_timeout=2)
    [message] = harness.send()
    async with harness.partition as partition:
        lane = partition.lane()
        harness.release(lane, await take(lane), failed=True)
        await asyncio.sleep(0.5)
        assert harness.queue.messages[message].visible_at == pytest.approx(2, abs=0.1)


async def test_extensions_go_out_in_tens():
    harness = Harness(lanes=3)
    harness.send(25)
    async with harness.partition as partition:
        lanes = [partition.lane() for _ in range(3)]
        await asyncio.gather(*(take(lane) for lane in lanes))
        await asyncio.sleep(16)
        assert sorted(len(call.entries) for call in harness.transport.of(CHANGE)) == [5, 10, 10]


async def test_a_thousand_messages_are_extended_though_each_call_takes_a_second():
    harness = Harness(lanes=20, visibility_timeout=30)
    harness.aws.latency = 1
    harness.send(1000)
    async with harness.partition as partition:
        lanes = [partition.lane() for _ in range(100)]
        harness.pace.lanes = 100
        taken = await asyncio.gather(*(take(lane) for lane in lanes))
        assert sum(map(len, taken)) == 1000
        await asyncio.sleep(120)
        assert all(len(entry.receives) == 1 for entry in harness.aws.ledger.entries.values())
        assert harness.queue.counts() == (0, 1000, 0)


async def test_after_a_failure_within_the_queues_timeout_no_call_is_made():
    harness = Harness(visibility_timeout=30)
    [message] = harness.send()
    async with harness.partition as partition:
        lane = partition.lane()
        records = await take(lane)
        await asyncio.sleep(10)
        harness.release(lane, records, failed=True)
        [again] = await take(lane)
        assert asyncio.get_running_loop().time() == pytest.approx(30)
        assert harness.transport.of(CHANGE) == []
        harness.release(lane, [again], failed=True)
    assert len(harness.aws.ledger[message].receives) == 2


@pytest.mark.parametrize(
    ("failed_after", "option", "visible_at"),
    [
        pytest.param(20, None, 30, id="extended once: one queue timeout after the receive"),
        pytest.param(29.5, None, 30.5, id="just before it: a second later"),
        pytest.param(40, None, 41, id="long after: a second later"),
        pytest.param(3, 5, 8, id="sooner where the user says so"),
        pytest.param(40, 0, 40, id="or at once"),
        pytest.param(20, 600, 30, id="but never later"),
    ],
)
async def test_a_failed_message_appears_again(failed_after, option, visible_at):
    harness = Harness(visibility_timeout=30, options=SqsOptions(failure_visibility_timeout_seconds=option))
    [message] = harness.send()
    async with harness.partition as partition:
        lane = partition.lane()
        records = await take(lane)
        await asyncio.sleep(failed_after)
        harness.release(lane, records, failed=True)
        await asyncio.sleep(0.4)
        assert harness.queue.messages[message].visible_at == pytest.approx(visible_at, abs=0.6)
        assert harness.queue.messages[message].visible_at >= visible_at
        assert harness.unaccounted() == 0


async def test_what_was_never_invoked_appears_at_once():
    harness = Harness()
    harness.send()
    async with harness.partition as partition:
        lane = partition.lane()
        harness.release(lane, await take(lane), failed=False)
        [again] = await take(lane)
        assert asyncio.get_running_loop().time() < 0.1
        harness.release(lane, [again], failed=False)


async def test_messages_given_back_together_take_one_call_per_ten():
    for name in ("q", "q.fifo"):
        harness = Harness(name=name)
        harness.send(10, **({"group": "g"} if harness.queue.fifo else {}))
        async with harness.partition as partition:
            lane = partition.lane()
            harness.release(lane, await take(lane), failed=False)
            await asyncio.sleep(0.1)
            assert [len(call.entries) for call in harness.transport.of(CHANGE)] == [10]


@pytest.mark.parametrize("option", [LONGEST_HOLD, 600])
async def test_a_batch_may_be_held_so_long_after_its_receive(option):
    harness = Harness(options=SqsOptions(maximum_hold_seconds=option))
    harness.send()
    async with harness.partition as partition:
        lane = partition.lane()
        await asyncio.sleep(7)
        records = await take(lane)
        assert lane.delivery(records).hold_until == 7 + option
        harness.release(lane, records, failed=False)


@pytest.mark.parametrize("queue_timeout", [600, 30_000, 43_200])
async def test_at_the_services_twelve_hours_extending_stops_is_told_and_the_delete_is_still_tried(queue_timeout):
    harness = Harness(visibility_timeout=queue_timeout)
    harness.send()
    async with harness.partition as partition:
        lane = partition.lane()
        records = await take(lane)
        await asyncio.sleep(SERVICE_HOLD - 5)
        assert harness.queue.counts() == (0, 1, 0), "still invisible"
        await asyncio.sleep(100)
        assert harness.queue.counts() == (1, 0, 0)
        calls = len(harness.transport.of(CHANGE))
        assert len(harness.log.named("visibility_ended")) == 1
        assert harness.log.named("extension_failed") == []
        await asyncio.sleep(3600)
        assert len(harness.transport.of(CHANGE)) == calls
        await settle_all(harness, lane, records)
        assert len(harness.transport.of(DELETE)) == 1
    assert harness.aws.ledger.remaining() == set()


async def test_an_extension_whose_answer_is_lost_is_made_again_in_time():
    harness = Harness(visibility_timeout=30)
    [message] = harness.send()
    async with harness.partition as partition:
        lane = partition.lane()
        records = await take(lane)
        harness.aws.faults.script(CHANGE, LOST_BEFORE, LOST_BEFORE, LOST_BEFORE)
        await asyncio.sleep(40)
        assert harness.queue.counts() == (0, 1, 0)
        assert len(harness.aws.ledger[message].receives) == 1
        assert len(harness.log.named("extension_failed")) >= 1
        await settle_all(harness, lane, records)


async def test_an_entry_the_service_could_not_extend_is_tried_again_in_time():
    harness = Harness(visibility_timeout=30)
    harness.send(2)
    async with harness.partition as partition:
        lane = partition.lane()
        records = await take(lane)
        harness.aws.faults.script_entries(CHANGE, None, "InternalError")
        await asyncio.sleep(40)
        assert harness.queue.counts() == (0, 2, 0)
        await settle_all(harness, lane, records)


async def test_a_message_given_back_while_an_extension_is_under_way_is_not_hidden_by_it():
    harness = Harness(visibility_timeout=30)
    [message] = harness.send()
    async with harness.partition as partition:
        lane = partition.lane()
        records = await take(lane)
        await asyncio.sleep(14)
        harness.aws.latency = 4
        await asyncio.sleep(1.5)
        harness.release(lane, records, failed=False)
        harness.aws.latency = 0.2
        await asyncio.sleep(5)
        assert harness.queue.messages[message].visible_at < 20


async def test_visibility_is_kept_until_the_delete_has_its_answer():
    harness = Harness(visibility_timeout=30)
    [message] = harness.send()
    async with harness.partition as partition:
        lane = partition.lane()
        harness.aws.faults.always(DELETE, LOST_BEFORE)
        harness.settle(lane, await take(lane))
        await asyncio.sleep(120)
        assert harness.queue.counts() == (0, 1, 0)
        harness.aws.faults.clear()
        await settled(lane)
    assert len(harness.aws.ledger[message].receives) == 1
    assert harness.aws.ledger.remaining() == set()


async def test_attributes_are_read_again_after_fifteen_minutes_and_only_when_something_comes():
    harness = Harness(visibility_timeout=300)
    async with harness.partition as partition:
        lane = partition.lane()
        waiting = asyncio.create_task(take(lane))
        await asyncio.sleep(3600)
        assert len(harness.transport.of(ATTRIBUTES)) == 1
        for _ in range(30):
            harness.send()
            await settle_all(harness, lane, await waiting)
            waiting = asyncio.create_task(take(lane))
            await asyncio.sleep(59)
        assert len(harness.transport.of(ATTRIBUTES)) == 3
        harness.stop.request()
        await waiting


async def test_a_timeout_that_was_shortened_is_honoured_once_it_was_read_though_an_older_message_is_held():
    harness = Harness(visibility_timeout=3600)
    harness.send()
    async with harness.partition as partition:
        lane, other = partition.lane(), partition.lane()
        old = await take(lane)
        harness.queue.visibility_timeout = 20
        await asyncio.sleep(1000)
        harness.send()
        await settle_all(harness, other, await take(other))
        [message] = harness.send()
        new = await take(other)
        await asyncio.sleep(60)
        assert len(harness.aws.ledger[message].receives) == 1
        assert harness.queue.counts() == (0, 2, 0)
        await settle_all(harness, lane, old)
        await settle_all(harness, other, new)


async def test_attributes_that_cannot_be_read_again_change_nothing_but_the_log():
    harness = Harness(visibility_timeout=30)
    async with harness.partition as partition:
        lane = partition.lane()
        harness.aws.faults.always(ATTRIBUTES, LOST_BEFORE)
        await asyncio.sleep(1000)
        harness.send()
        records = await take(lane)
        await asyncio.sleep(40)
        assert harness.queue.counts() == (0, 1, 0)
        assert len(harness.log.named("attributes_not_read")) == 1
        await settle_all(harness, lane, records)
