"""How often a queue is asked, for how many messages, how long each time, and which lane gets them."""

import asyncio
from math import inf

import pytest

from poller.values.errors import SourceUnavailable
from tests.fakes.faults import ACCESS_DENIED, LOST_BEFORE, refused
from tests.present import present
from tests.sources.sqs.harness import ATTRIBUTES, RECEIVE, BrokenFilter, Harness, settled, take


async def working(lane, harness, batch=10):
    """A lane as the runtime drives one, with a function that takes no time; until a soft stop."""
    while not harness.stop.soft:
        page = await lane.receive(batch, inf, gathering=False)
        if page.records:
            harness.settle(lane, page.records)
            await settled(lane)


async def test_a_quiet_queue_costs_one_long_poll_at_a_time_however_many_lanes_wait():
    harness = Harness(lanes=5)
    async with harness.partition as partition:
        waiting = [asyncio.create_task(take(partition.lane())) for _ in range(5)]
        await asyncio.sleep(59)
        assert harness.transport.times(RECEIVE) == [0, 20, 40]
        assert {request.body["WaitTimeSeconds"] for request in harness.transport.of(RECEIVE)} == {20}
        harness.stop.request()
        await asyncio.gather(*waiting)


async def test_everything_a_message_has_is_asked_for():
    harness = Harness()
    async with harness.partition as partition:
        harness.send()
        harness.settle(lane := partition.lane(), await take(lane))
        body = harness.transport.of(RECEIVE)[0].body
        assert body.keys() == {
            "QueueUrl", "MaxNumberOfMessages", "WaitTimeSeconds", "MessageAttributeNames", "MessageSystemAttributeNames",
            "AttributeNames",
        }  # fmt: skip
        assert body["MessageAttributeNames"] == body["MessageSystemAttributeNames"] == ["All"]


@pytest.mark.parametrize(
    ("limit", "wait", "most", "seconds"),
    [(10_000, inf, 10, 20), (10, inf, 10, 20), (3, inf, 3, 20), (10, 7.4, 10, 7), (10, 1.0, 10, 1), (10, 300, 10, 20)],
)
async def test_a_receive_asks_for_what_the_lane_can_take_and_waits_the_whole_seconds_of_its_window(
    limit, wait, most, seconds
):
    harness = Harness()
    async with harness.partition as partition:
        task = asyncio.create_task(take(partition.lane(), limit, wait, gathering=wait < inf))
        await asyncio.sleep(0.5)
        body = harness.transport.of(RECEIVE)[0].body
        assert (body["MaxNumberOfMessages"], body["WaitTimeSeconds"]) == (most, seconds)
        harness.stop.request()
        await task


async def test_lanes_that_wait_are_asked_for_together():
    harness = Harness(lanes=5)
    async with harness.partition as partition:
        tasks = [asyncio.create_task(take(partition.lane(), 3)) for _ in range(5)]
        await asyncio.sleep(25)
        assert [request.body["MaxNumberOfMessages"] for request in harness.transport.of(RECEIVE)] == [3, 10]
        harness.stop.request()
        await asyncio.gather(*tasks)


async def test_an_open_batch_is_served_before_lanes_that_have_nothing():
    harness = Harness()
    async with harness.partition as partition:
        idle = asyncio.create_task(take(partition.lane()))
        await asyncio.sleep(1)
        open_batch = asyncio.create_task(take(lane := partition.lane(), 5, 60.0, gathering=True))
        await asyncio.sleep(1)
        harness.send()
        records = await open_batch
        assert len(records) == 1
        assert not idle.done()
        harness.settle(lane, records)
        harness.stop.request()
        assert await idle == ()


async def test_a_window_that_ends_gives_nothing_and_leaves_the_long_poll_alone():
    harness = Harness()
    async with harness.partition as partition:
        lane = partition.lane()
        assert await take(lane, 10, 5.5, gathering=True) == ()
        assert asyncio.get_running_loop().time() == 5.5
        again = asyncio.create_task(take(lane))
        await asyncio.sleep(3)
        assert harness.transport.times(RECEIVE) == [0, 5, 6], "the second one outlasts the window and is not cut"
        harness.stop.request()
        await again


async def test_no_window_ever_makes_short_polls():
    harness = Harness()
    async with harness.partition as partition:
        lane = partition.lane()
        for _ in range(30):
            await take(lane, 10, 1.9, gathering=True)
        assert all(
            request.body["WaitTimeSeconds"] >= 1
            for request in harness.transport.requests
            if request.operation == RECEIVE
        )
        assert len(harness.transport.of(RECEIVE)) <= 60
        harness.stop.request()


async def test_full_receives_bring_more_of_them_and_short_ones_fewer():
    harness = Harness(lanes=20, visibility_timeout=600)
    harness.aws.latency = 1.0
    harness.send(2000)
    async with harness.partition as partition:
        lanes = [asyncio.create_task(working(partition.lane(), harness)) for _ in range(20)]
        await asyncio.sleep(20)
        times = harness.transport.times(RECEIVE)
        assert len([at for at in times if at < 2]) == 1
        assert len([at for at in times if 15 <= at < 16]) >= 8
        while harness.queue.messages:  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(1)
        await asyncio.sleep(60)
        before = len(harness.transport.of(RECEIVE))
        await asyncio.sleep(60)
        assert len(harness.transport.of(RECEIVE)) - before <= 3
        harness.stop.request()
        await asyncio.gather(*lanes)
        assert harness.unaccounted() == 0


async def test_no_more_is_received_than_lanes_can_take():
    harness = Harness(lanes=3, most=3)
    harness.send(100)
    async with harness.partition as partition:
        lanes = [partition.lane() for _ in range(3)]
        taken = await asyncio.gather(*(take(lane, 4) for lane in lanes))
        await asyncio.sleep(10)
        assert harness.in_flight == sum(map(len, taken)) == 12
        for lane, records in zip(lanes, taken, strict=True):
            harness.settle(lane, records)


async def test_a_page_larger_than_what_the_first_can_take_is_dealt_out():
    harness = Harness(lanes=3)
    async with harness.partition as partition:
        tasks = [asyncio.create_task(take(partition.lane(), limit)) for limit in (2, 5, 10)]
        await asyncio.sleep(21)
        ids = harness.send(17)
        pages = await asyncio.gather(*tasks)
        assert [len(page) <= limit for page, limit in zip(pages, (2, 5, 10), strict=True)] == [True] * 3
        taken = [record.identifier for page in pages for record in page]
        assert len(set(taken)) == len(taken)
        assert set(taken) <= set(ids)
        assert harness.unaccounted() == 0


async def test_what_found_no_place_goes_to_the_next_free_lane_first():
    harness = Harness(lanes=2)
    harness.send(3)
    async with harness.partition as partition:
        one, two = partition.lane(), partition.lane()
        page = await one.receive(10, inf, gathering=False)
        over = page.records[2:]
        page.records = over
        one.unread(page)
        harness.send(1)
        assert await take(two) == over
        assert harness.unaccounted() == 0


async def test_what_found_no_place_stays_invisible_until_a_lane_is_free():
    harness = Harness(lanes=2, visibility_timeout=10)
    harness.send(2)
    async with harness.partition as partition:
        one = partition.lane()
        one.unread(await one.receive(10, inf, gathering=False))
        await asyncio.sleep(100)
        assert harness.queue.counts() == (0, 2, 0)
        assert len(await take(one)) == 2


@pytest.mark.parametrize("turns", range(8))
async def test_a_lane_cancelled_as_it_is_served_loses_nothing(turns):
    """At each turn of the loop after the message was sent: it is with a lane, or nobody has received it."""
    harness = Harness(lanes=2)
    async with harness.partition as partition:
        one, two = partition.lane(), partition.lane()
        task = asyncio.create_task(take(one, 10, 60.0, gathering=True))
        await asyncio.sleep(1)
        harness.send(1)
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        records = await take(two) if task.cancelled() else task.result()
        assert len(records) == 1
        assert harness.unaccounted() == 0


async def test_while_nothing_may_be_received_nothing_is():
    harness = Harness()
    harness.admission.waits_for_slot(waits=True)
    harness.send(1)
    async with harness.partition as partition:
        task = asyncio.create_task(take(partition.lane()))
        await asyncio.sleep(100)
        assert harness.transport.of(RECEIVE) == []
        assert present(harness.status.reason).code == "waiting_for_slot"
        harness.admission.waits_for_slot(waits=False)
        assert len(await task) == 1
        assert harness.status.reason is None


async def test_at_the_memory_bound_nothing_is_received_and_the_reason_says_so():
    harness = Harness(memory=1000)
    harness.send(30)
    async with harness.partition as partition:
        one, two = partition.lane(), partition.lane()
        records = await take(one)
        assert harness.memory.held > 1000
        task = asyncio.create_task(take(two))
        await asyncio.sleep(100)
        assert len(harness.transport.of(RECEIVE)) == 1
        assert present(harness.status.reason).code == "memory"
        harness.settle(one, records)
        assert len(await task) == 10
        assert harness.unaccounted() == 0


async def test_memory_is_let_go_of_with_the_last_message_of_a_receive():
    harness = Harness()
    harness.send(5)
    async with harness.partition as partition:
        lane = partition.lane()
        records = await take(lane)
        held = harness.memory.held
        assert held > 0
        harness.settle(lane, records[:4])
        await asyncio.sleep(1)
        assert harness.memory.held == held
        harness.release(lane, records[4:], failed=False)
        await asyncio.sleep(1)
        assert harness.memory.held == 0


async def test_memory_of_deletes_that_a_hard_stop_cut_off_is_let_go_of():
    harness = Harness()
    harness.send(5)

    async def polling():
        async with harness.partition as partition:
            lane = partition.lane()
            harness.settle(lane, await take(lane))
            await asyncio.sleep(1000)

    harness.aws.faults.always("DeleteMessageBatch", LOST_BEFORE)
    task = asyncio.create_task(polling())
    await asyncio.sleep(5)
    task.cancel()
    await asyncio.wait([task])
    assert harness.memory.held == 0
    assert harness.log.named("settling_cut_off")


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (ACCESS_DENIED, "access_denied"),
        (refused(400, "AWS.SimpleQueueService.NonExistentQueue"), "source_missing"),
        (refused(403, "InvalidClientTokenId"), "credentials"),
        (refused(400, "ThrottlingException"), "throttled"),
        (refused(400, "SomethingNew"), "error"),
        (LOST_BEFORE, "unreachable"),
    ],
)
async def test_a_queue_that_cannot_be_read_is_unavailable_with_a_typed_reason(fault, code):
    harness = Harness()
    harness.aws.faults.script(ATTRIBUTES, fault)
    with pytest.raises(SourceUnavailable) as unavailable:
        async with harness.partition:
            pass
    assert unavailable.value.code == code
    assert harness.queue.arn in unavailable.value.text


async def test_a_failing_receive_shows_until_one_goes_through():
    harness = Harness()
    async with harness.partition as partition:
        harness.aws.faults.script(RECEIVE, ACCESS_DENIED, ACCESS_DENIED)
        task = asyncio.create_task(take(partition.lane()))
        await asyncio.sleep(0.1)
        assert (harness.status.state, present(harness.status.reason).code) == ("problem", "access_denied")
        assert present(present(harness.status.reason).next_try) > asyncio.get_running_loop().time()
        harness.send()
        await task
        assert (harness.status.state, harness.status.reason) == ("running", None)
        assert harness.transport.times(RECEIVE) == pytest.approx([0, 0.75, 2.25])


@pytest.mark.parametrize(
    "garbage", [b"<html>not JSON at all</html>", b"[1, 2, 3, 4, 5, 6, 7, 8]", b'{"Messages": 1' + b" " * 20]
)
async def test_an_answer_that_is_no_answer_is_tried_again(garbage):
    harness = Harness()
    left = [garbage]

    async def sometimes(call, operation, body, timeout=None, **more):  # noqa: ASYNC109
        reply = await call(operation, body, timeout, **more)
        if operation.name == RECEIVE and left:
            reply.body = left.pop()
        return reply

    harness.aws.intercept(sometimes)
    harness.send()
    async with harness.partition as partition:
        lane = partition.lane()
        task = asyncio.create_task(take(lane))
        await asyncio.sleep(31)
        assert len(await task) == 1


async def test_an_error_of_ours_in_a_receive_ends_the_partition_instead_of_stalling_it():
    """The supervisor restarts it and shows the reason; a receiver that died in silence would poll no more."""
    harness = Harness(criteria=BrokenFilter())
    harness.send(3)

    async def polling():
        async with harness.partition as partition, asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(take(partition.lane()))

    with pytest.raises(ExceptionGroup) as ended:
        await polling()
    assert {type(error) for error in ended.value.exceptions} == {ZeroDivisionError}


async def test_a_message_twice_in_one_receive_is_delivered_once():
    harness = Harness()
    harness.send()

    async def doubled(call, operation, body, timeout=None, **more):  # noqa: ASYNC109
        reply = await call(operation, body, timeout, **more)
        if operation.name == RECEIVE and b"MessageId" in reply.body:
            start, end = reply.body.index(b"[") + 1, reply.body.rindex(b"]")
            one = reply.body[start:end]
            reply.body = reply.body[:start] + one + b"," + one.replace(b"AQEB", b"AQEBx") + reply.body[end:]
        return reply

    harness.aws.intercept(doubled)
    async with harness.partition as partition:
        [record] = await take(partition.lane())
        assert record.item["ReceiptHandle"].startswith("AQEBx"), "the newest receipt"
        assert (harness.account.polled, harness.account.returned, harness.unaccounted()) == (2, 1, 0)


async def test_a_message_received_again_while_held_goes_no_further_and_leaves_its_newest_receipt():
    harness = Harness(lanes=2, visibility_timeout=30)
    [message] = harness.send()
    async with harness.partition as partition:
        one, two = partition.lane(), partition.lane()
        records = await take(one)
        harness.queue.show_again(message)
        waiting = asyncio.create_task(take(two))
        await asyncio.sleep(5)
        assert len(harness.aws.ledger[message].receives) == 2
        assert not waiting.done()
        assert (harness.account.returned, harness.unaccounted()) == (1, 0)
        harness.settle(one, records)
        await asyncio.sleep(1)
        assert harness.aws.ledger.remaining() == set()
        harness.stop.request()
        await waiting
