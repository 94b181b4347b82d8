"""How far behind a mapping of a queue is, without a call that nobody asked for."""

import asyncio
from math import inf

import pytest

from poller.aws.port import Reply
from poller.ports.status import Lag
from poller.sources.sqs.message import sent_at
from poller.sources.sqs.queue import Depth, Queue, QueueAttributes, QueueName, Redrive
from poller.support import codec
from tests.fakes.faults import ACCESS_DENIED, HANG
from tests.sources.sqs.harness import ATTRIBUTES, RECEIVE, Harness, take

FOUR_DAYS = 345_600.0


async def test_the_oldest_message_in_hand_tells_how_far_behind_and_when_it_expires():
    harness = Harness()
    harness.send(2)
    await asyncio.sleep(100)
    async with harness.partition as partition:
        lane = partition.lane()
        records = await take(lane)
        assert harness.status.lag() == Lag(None, 100.0, FOUR_DAYS - 100.0, retention=FOUR_DAYS)
        harness.settle(lane, records)


async def test_a_queue_found_empty_is_not_behind():
    harness = Harness()
    async with harness.partition as partition:
        waiting = asyncio.create_task(partition.lane().receive(10, inf, gathering=False))
        await asyncio.sleep(30)
        assert harness.status.lag() == Lag(None, 0.0, None, retention=FOUR_DAYS)
        harness.stop.request()
        await waiting


async def test_before_the_first_answer_nothing_is_known():
    harness = Harness()
    assert harness.status.lag() == Lag()
    async with harness.partition:
        assert harness.status.lag() == Lag(retention=FOUR_DAYS)


async def test_the_depth_is_asked_for_when_somebody_looks_and_not_oftener_than_the_looker_wants():
    harness = Harness()
    harness.send(7)
    async with harness.partition:
        asked = len(harness.transport.of(ATTRIBUTES))
        await asyncio.gather(*(harness.status.look(10.0) for _ in range(5)))
        assert harness.status.lag().records == 7
        assert len(harness.transport.of(ATTRIBUTES)) == asked + 1
        await asyncio.sleep(11)
        await harness.status.look(10.0)
        assert len(harness.transport.of(ATTRIBUTES)) == asked + 2
        await asyncio.sleep(160)
        assert harness.status.lag().records is None
        assert len(harness.transport.of(ATTRIBUTES)) == asked + 2


async def test_a_queue_that_does_not_tell_its_depth_leaves_it_unknown():
    harness = Harness()
    async with harness.partition:
        harness.aws.faults.script(ATTRIBUTES, ACCESS_DENIED)
        await harness.status.look(10.0)
        assert harness.status.lag().records is None


async def test_before_the_queue_was_reached_looking_asks_nothing():
    harness = Harness()
    await harness.status.look(10.0)
    assert harness.transport.of(ATTRIBUTES) == []


class Says:
    """A service whose answer to everything is this."""

    def __init__(self, answer):
        self._body = codec.dumps(answer)

    async def call(self, operation, body, timeout=None, *, trace=None, room=None):  # noqa: ASYNC109 - the port's own
        return Reply(200, {}, self._body)

    async def subscribe(self, operation, body):
        raise NotImplementedError

    async def close(self):
        """It holds nothing."""


@pytest.mark.parametrize(
    ("told", "depth"), [("3.0", 3), (3, 3), ("three", None), (None, None), ([], None), ("1e999", None), ("nan", None)]
)
async def test_a_depth_that_is_no_whole_number_is_read_as_what_it_is_or_left_unknown(told, depth):
    attributes = {"ApproximateNumberOfMessages": told, "ApproximateNumberOfMessagesNotVisible": told}
    queue = Queue(QueueName("arn", "url", "eu-west-1", fifo=False), Says({"Attributes": attributes}))
    assert await queue.depth() == Depth(depth, depth)


@pytest.mark.parametrize(
    "attributes", [None, [], "none", {"VisibilityTimeout": None, "MessageRetentionPeriod": "soon"}]
)
async def test_attributes_that_cannot_be_read_are_the_service_s_defaults(attributes):
    queue = Queue(QueueName("arn", "url", "eu-west-1", fifo=False), Says({"Attributes": attributes}))
    assert await queue.attributes() == QueueAttributes(30, FOUR_DAYS)


@pytest.mark.parametrize(
    ("policy", "redrive"),
    [
        ('{"deadLetterTargetArn": "arn", "maxReceiveCount": "3"}', Redrive("arn", 3)),
        ('{"deadLetterTargetArn": "arn"}', Redrive("arn", None)),
        *[(policy, None) for policy in (None, "", "no JSON", "[]", '{"deadLetterTargetArn": 1}')],
    ],
)
async def test_a_redrive_policy_is_read_as_far_as_it_can_be(policy, redrive):
    queue = Queue(QueueName("arn", "url", "eu-west-1", fifo=False), Says({"Attributes": {"RedrivePolicy": policy}}))
    assert (await queue.attributes()).redrive == redrive
    assert await queue.dead_letters() == (redrive and redrive.dead_letters)


@pytest.mark.parametrize("attributes", [None, [], {"SentTimestamp": None}, {"SentTimestamp": "soon"}])
def test_a_message_without_a_proper_age_leaves_its_age_unknown(attributes):
    assert sent_at({"MessageId": "1", "Attributes": attributes}) is None
    assert sent_at({"MessageId": "1"}) is None


async def test_a_queue_that_owes_an_answer_is_not_taken_for_an_empty_one():
    harness = Harness()
    async with harness.partition as partition:
        waiting = asyncio.create_task(partition.lane().receive(10, inf, gathering=False))
        await asyncio.sleep(30)
        assert harness.status.lag().seconds == 0.0
        harness.aws.faults.script(RECEIVE, HANG)
        await asyncio.sleep(42)
        assert partition.unanswered_since(asyncio.get_running_loop().time()) == pytest.approx(40.0)
        assert harness.status.lag().seconds is None
        harness.stop.request()
        await waiting
