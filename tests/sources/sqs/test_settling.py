"""Deletes: gathered, retried, remembered."""

import asyncio

import pytest

from poller.aws.port import Reply
from poller.sources.sqs import settling
from tests.fakes.faults import ACCESS_DENIED, LOST_AFTER, LOST_BEFORE
from tests.present import present
from tests.sources.sqs.harness import DELETE, Harness, settled, take


async def all_ready(lane):
    """As the lane's loop waits: try by try."""
    while await settled(lane):
        pass


async def test_deletes_of_several_lanes_share_a_call_after_a_short_while():
    harness = Harness(lanes=3)
    harness.send(7)
    async with harness.partition as partition:
        lanes = [partition.lane() for _ in range(3)]
        pages = [await take(lane, limit) for lane, limit in zip(lanes, (2, 2, 3), strict=True)]
        for lane, records in zip(lanes, pages, strict=True):
            harness.settle(lane, records)
        await asyncio.sleep(0.019)
        assert harness.deletes() == []
        await asyncio.sleep(0.002)
        assert harness.deletes() == [7]
    assert harness.account.deleted == 7


async def test_full_tens_are_deleted_at_once():
    harness = Harness(lanes=2)
    harness.send(14)
    async with harness.partition as partition:
        one, two = partition.lane(), partition.lane()
        harness.settle(one, await take(one, 7))
        harness.settle(two, await take(two, 7))
        await asyncio.sleep(0.001)
        assert harness.deletes() == [10]
        await asyncio.sleep(0.1)
        assert harness.deletes() == [10, 4]


async def test_a_soft_stop_flushes_at_once_and_nothing_waits_for_company_after_it():
    harness = Harness(lanes=2)
    harness.send(4)
    async with harness.partition as partition:
        one, two = partition.lane(), partition.lane()
        first, second = await take(one, 2), await take(two, 2)
        harness.settle(one, first)
        harness.stop.request()
        await asyncio.sleep(0.001)
        assert harness.deletes() == [2]
        harness.settle(two, second)
        await asyncio.sleep(0.001)
        assert harness.deletes() == [2, 2]


async def test_a_lane_goes_on_with_one_batch_of_deletes_outstanding_and_waits_with_two():
    harness = Harness()
    harness.send(2)
    async with harness.partition as partition:
        lane = partition.lane()
        harness.aws.faults.always(DELETE, LOST_BEFORE)
        harness.settle(lane, await take(lane, 1))
        async with asyncio.timeout(0.001):
            await settled(lane)
        harness.settle(lane, await take(lane, 1))
        ready = asyncio.create_task(all_ready(lane))
        await asyncio.sleep(100)
        assert not ready.done()
        harness.aws.faults.clear()
        await ready
    assert harness.aws.ledger.remaining() == set()


async def test_a_lane_that_waits_for_failing_deletes_is_told_of_each_try_and_of_the_next():
    harness = Harness()
    harness.send(2)
    async with harness.partition as partition:
        lane = partition.lane()
        harness.aws.faults.always(DELETE, ACCESS_DENIED)
        for _ in range(2):
            harness.settle(lane, await take(lane, 1))
        told = []
        for _ in range(4):
            unsettled = await settled(lane)
            told.append(unsettled.again_at - asyncio.get_running_loop().time())
            assert "sqs:DeleteMessage" in unsettled.text
            assert "AccessDenied" in unsettled.text
        assert told == sorted(told)
        assert told[0] > 0
        harness.aws.faults.clear()
        await all_ready(lane)


async def test_only_what_was_not_deleted_is_tried_again_and_each_failure_is_counted():
    harness = Harness()
    ids = harness.send(3)
    async with harness.partition as partition:
        lane = partition.lane()
        harness.aws.faults.script_entries(DELETE, None, "InternalError", None)
        harness.settle(lane, await take(lane))
        await asyncio.sleep(5)
        assert harness.deletes() == [3, 1]
        assert (harness.account.deleted, harness.account.delete_failed) == (3, 1)
        assert harness.log.named("delete_failed")
    assert harness.aws.ledger.remaining() == set()
    assert [len(harness.aws.ledger[i].deletes) for i in ids] == [1, 1, 1]


async def test_a_delete_whose_answer_was_lost_is_sent_again():
    harness = Harness()
    [message] = harness.send()
    async with harness.partition as partition:
        lane = partition.lane()
        harness.aws.faults.script(DELETE, LOST_AFTER)
        harness.settle(lane, await take(lane))
        await asyncio.sleep(5)
    assert len(harness.aws.ledger[message].deletes) == 2
    assert (harness.account.deleted, harness.account.delete_failed) == (1, 1)


async def test_deletes_that_fail_for_some_messages_stay_a_problem_while_others_go_through():
    harness = Harness(lanes=2)
    harness.send(20)
    async with harness.partition as partition:
        lane = partition.lane()
        refuse = ["InternalError"] * 10 + [None] * 10 + ["InternalError"] * 10
        harness.aws.faults.script_entries(DELETE, *refuse)
        for _ in range(2):
            harness.settle(lane, await take(lane))
            await asyncio.sleep(0.05)
        assert (harness.status.state, present(harness.status.reason).code) == ("problem", "unreachable")
        assert "InternalError" in present(harness.status.reason).text
        await asyncio.sleep(20)
        assert (harness.status.state, harness.status.reason) == ("running", None)


async def test_failing_deletes_are_a_problem_of_the_mapping_until_one_goes_through():
    harness = Harness()
    harness.send()
    async with harness.partition as partition:
        lane = partition.lane()
        harness.aws.faults.always(DELETE, ACCESS_DENIED)
        harness.settle(lane, await take(lane))
        await asyncio.sleep(100)
        assert (harness.status.state, present(harness.status.reason).code) == ("problem", "access_denied")
        assert len(harness.transport.of(DELETE)) < 20
        harness.aws.faults.clear()
        await asyncio.sleep(21)
        assert (harness.status.state, harness.status.reason) == ("running", None)


async def test_what_was_delivered_and_not_deleted_is_deleted_when_received_again_and_not_delivered():
    harness = Harness(visibility_timeout=30)
    [message] = harness.send()
    async with harness.partition as partition:
        lane = partition.lane()
        harness.aws.faults.script_entries(DELETE, "InternalError")
        harness.settle(lane, await take(lane))
        await asyncio.sleep(0.03)
        harness.queue.show_again(message)
        waiting = asyncio.create_task(take(lane))
        await asyncio.sleep(5)
        assert not waiting.done()
        assert harness.aws.ledger.remaining() == set()
        assert (harness.account.polled, harness.account.delivered, harness.unaccounted()) == (2, 2, 0)
        harness.stop.request()
        await waiting


async def test_a_soft_stop_tries_a_failing_delete_a_last_few_times_at_once_and_waits_for_no_end_of_the_outage():
    harness = Harness(visibility_timeout=600)
    harness.send()
    harness.aws.faults.always(DELETE, LOST_BEFORE)
    async with harness.partition as partition:
        lane = partition.lane()
        harness.settle(lane, await take(lane))
        await asyncio.sleep(300)
        tried = harness.aws.calls[DELETE]
        stopped = asyncio.get_running_loop().time()
        harness.stop.request()
    assert asyncio.get_running_loop().time() - stopped == pytest.approx(2.0, abs=0.1)
    assert harness.aws.calls[DELETE] - tried == 3
    assert (harness.account.delivered, harness.in_flight, harness.unaccounted()) == (1, 0, 0)


async def test_a_soft_stop_lets_a_delete_that_failed_by_chance_go_through():
    harness = Harness()
    harness.send()
    harness.aws.faults.script(DELETE, LOST_BEFORE, LOST_BEFORE)
    async with harness.partition as partition:
        lane = partition.lane()
        harness.settle(lane, await take(lane))
        harness.stop.request()
    assert harness.aws.ledger.remaining() == set()


async def test_it_is_remembered_over_a_restart_of_the_partition():
    harness = Harness(visibility_timeout=30)
    harness.send()

    async def polling():
        async with harness.partition as partition:
            lane = partition.lane()
            harness.settle(lane, await take(lane))
            await asyncio.sleep(1000)

    harness.aws.faults.always(DELETE, LOST_BEFORE)
    task = asyncio.create_task(polling())
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.wait([task])
    harness.aws.faults.clear()
    async with harness.partition as partition:
        waiting = asyncio.create_task(take(partition.lane()))
        await asyncio.sleep(60)
        assert not waiting.done()
        assert harness.aws.ledger.remaining() == set()
        harness.stop.request()
        await waiting


async def test_no_more_than_ten_thousand_are_remembered_the_latest_ones(monkeypatch):
    assert settling.REMEMBERED == 10_000
    monkeypatch.setattr(settling, "REMEMBERED", 3)
    harness = Harness()
    ids = harness.send(5)
    async with harness.partition as partition:
        lane = partition.lane()
        harness.aws.faults.always(DELETE, LOST_BEFORE)
        records = await take(lane)
        harness.settle(lane, records)
        await asyncio.sleep(0.1)
        assert list(harness.undeleted) == [record.identifier for record in records][-3:]
        harness.aws.faults.clear()
    assert not set(ids) & harness.aws.ledger.remaining()
    assert not harness.undeleted


async def test_a_receipt_that_is_no_longer_good_ends_the_try_and_is_remembered():
    harness = Harness(name="q.fifo", visibility_timeout=30)
    [message] = harness.send(group="g")
    async with harness.partition as partition:
        lane = partition.lane()
        records = await take(lane)
        harness.queue.messages[message].visible_at = 0.0
        harness.settle(lane, records)
        await asyncio.sleep(5)
        assert len(harness.transport.of(DELETE)) == 1
        assert harness.aws.ledger.remaining() == {message}
        waiting = asyncio.create_task(take(lane))
        await asyncio.sleep(1)
        assert harness.aws.ledger.remaining() == set(), "received again, it was deleted"
        harness.stop.request()
        await waiting


@pytest.mark.parametrize(
    "garbage",
    [
        b"{}",
        b'{"Successful": 3}',
        b'{"Failed": [{"Id": "x"}]}',
        b'{"Failed": [{"Id": "7"}]}',
        b"[]",
        b"null",
        b"<html>",
    ],
)
async def test_an_answer_that_makes_no_sense_is_no_delete(garbage):
    harness = Harness()
    harness.send(2)
    left = [garbage]

    async def nothing_done(call, operation, body, timeout=None, **more):  # noqa: ASYNC109
        if operation.name == DELETE and left:
            return Reply(200, {}, left.pop())
        return await call(operation, body, timeout, **more)

    harness.aws.intercept(nothing_done)
    async with harness.partition as partition:
        lane = partition.lane()
        harness.settle(lane, await take(lane))
        await asyncio.sleep(0.05)
        assert (harness.status.state, present(harness.status.reason).code) == ("problem", "unreachable")
        await asyncio.sleep(5)
        assert (harness.status.state, harness.status.reason) == ("running", None)
        assert harness.aws.ledger.remaining() == set()
        assert (harness.account.deleted, harness.account.delete_failed) == (2, 2)
