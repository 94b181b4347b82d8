"""The rules of FIFO queues: attempt ids, groups and the lanes that hold them."""

import asyncio
import itertools
from math import inf

import pytest

from tests.fakes.faults import LOST_AFTER, LOST_BEFORE
from tests.sources.sqs.harness import RECEIVE, Harness, take


async def test_fifo_receives_ask_for_a_batch_and_each_under_its_own_attempt_id():
    harness = Harness(name="q.fifo", lanes=2)
    async with harness.partition as partition:
        task = asyncio.create_task(take(partition.lane(), 4))
        await asyncio.sleep(45)
        bodies = [request.body for request in harness.transport.of(RECEIVE)]
        assert {body["MaxNumberOfMessages"] for body in bodies} == {4}
        assert len({body["ReceiveRequestAttemptId"] for body in bodies}) == 3
        harness.stop.request()
        await task


async def test_a_lost_fifo_answer_is_asked_for_again_under_the_same_attempt_id():
    harness = Harness(name="q.fifo", visibility_timeout=600)
    ids = harness.send(3, group="g")
    harness.aws.faults.script(RECEIVE, LOST_AFTER, LOST_BEFORE, None)
    async with harness.partition as partition:
        lane = partition.lane()
        records = await take(lane)
        assert [record.identifier for record in records] == ids
        assert asyncio.get_running_loop().time() < 5
        attempts = {request.body["ReceiveRequestAttemptId"] for request in harness.transport.of(RECEIVE)[:3]}
        assert len(attempts) == 1
        harness.settle(lane, records)


async def test_fifo_deletes_are_not_kept_for_company():
    harness = Harness(name="q.fifo", lanes=2)
    harness.send(1, group="a")
    harness.send(1, group="b")
    async with harness.partition as partition:
        one, two = partition.lane(), partition.lane()
        first, second = await take(one, 1), await take(two, 1)
        harness.settle(one, first)
        harness.settle(two, second)
        await asyncio.sleep(0.001)
        assert harness.deletes() == [1, 1]


async def test_a_fifo_page_goes_to_one_lane_whole_and_groups_run_in_parallel():
    harness = Harness(name="q.fifo", lanes=3)
    for group in "abc":
        harness.send(5, group=group)
    async with harness.partition as partition:
        lanes = [partition.lane() for _ in range(3)]
        tasks = [asyncio.create_task(take(lane, 5)) for lane in lanes]
        pages = await asyncio.gather(*tasks)
        assert sorted("".join({record.key for record in page}) for page in pages) == ["a", "b", "c"]
        for lane, page in zip(lanes, pages, strict=True):
            assert [record.item["Body"] for record in page] == ["0", "1", "2", "3", "4"]
            harness.settle(lane, page)


async def test_what_found_no_place_in_a_fifo_batch_stays_with_its_lane():
    harness = Harness(name="q.fifo", lanes=2)
    harness.send(4, group="g")
    async with harness.partition as partition:
        one, two = partition.lane(), partition.lane()
        page = await one.receive(10, inf, gathering=False)
        batch, page.records = page.records[:2], page.records[2:]
        rest = list(page.records)
        one.unread(page)
        other = asyncio.create_task(take(two))
        await asyncio.sleep(5)
        assert not other.done()
        harness.settle(one, batch)
        assert await take(one) == rest
        harness.settle(one, rest)
        harness.stop.request()
        await other


@pytest.mark.parametrize("failed", [True, False])
async def test_with_a_fifo_batch_that_goes_back_goes_what_was_kept_of_its_groups(failed):
    harness = Harness(name="q.fifo", lanes=2)
    for body in ("a1", "b1", "a2", "c1"):
        harness.queue.send(body, group=body[0])
    async with harness.partition as partition:
        lane = partition.lane()
        page = await lane.receive(10, inf, gathering=False)
        by_body = {record.item["Body"]: record for record in page.records}
        page.records = [by_body["a2"], by_body["c1"]]
        lane.unread(page)
        harness.release(lane, [by_body["a1"], by_body["b1"]], failed=failed)
        assert await take(lane) == [by_body["c1"]]
        assert harness.unaccounted() == 0
        harness.settle(lane, [by_body["c1"]])


@pytest.mark.parametrize("failing", [False, True], ids=["deleted", "failed"])
async def test_a_group_that_has_become_free_waits_for_no_long_poll_that_does_not_notice_it(failing):
    harness = Harness(name="q.fifo", lanes=2, visibility_timeout=10)
    harness.queue.groups_when_asked = True
    harness.send(5, group="g")
    time, begun = asyncio.get_running_loop().time, []

    async def work(lane):
        while records := await take(lane, 1):
            begun.append(time())
            await asyncio.sleep(0.7)
            if failing and len(begun) == 1:
                harness.release(lane, records, failed=True)
            else:
                harness.settle(lane, records)

    async with harness.partition as partition:
        lanes = [asyncio.create_task(work(partition.lane())) for _ in range(2)]
        await asyncio.sleep(40)
        harness.stop.request()
        await asyncio.gather(*lanes)
    assert len(begun) == 5 + failing
    gaps = [later - earlier for earlier, later in itertools.pairwise(begun)]
    assert max(gaps[failing:]) <= 2
    assert gaps[0] <= (12 if failing else 2), "a failed message is invisible for ten seconds"


async def test_a_group_of_which_a_lane_holds_messages_does_not_reach_another_lane():
    """Its visibility ended at the service although it is held here."""
    harness = Harness(name="q.fifo", lanes=2, visibility_timeout=30)
    harness.send(2, group="g")
    async with harness.partition as partition:
        one, two = partition.lane(), partition.lane()
        held = await take(one, 1)
        harness.queue.messages[held[0].identifier].visible_at = 0.0
        other = asyncio.create_task(take(two))
        await asyncio.sleep(25)
        assert not other.done()
        assert harness.unaccounted() == 0
        harness.settle(one, held)
        [second] = await other
        assert second.item["Body"] == "1"
        harness.settle(two, [second])
