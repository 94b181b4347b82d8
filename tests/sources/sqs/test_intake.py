"""Answers in which something is missing or has another type, as compatible services send them."""

import asyncio
import hashlib
import json
from typing import Any

import botocore.session
import pytest

from poller.aws.port import Reply
from tests.present import present
from tests.sources.sqs.harness import ATTRIBUTES, CHANGE, DELETE, RECEIVE, SEND, BrokenFilter, Harness, take

MODEL = botocore.session.get_session().get_service_model("sqs")
SYSTEM = ("SentTimestamp", "SenderId", "ApproximateReceiveCount", "AWSTraceHeader", "MessageGroupId", "SequenceNumber")
ABSENT = object()
WEIRD: tuple[Any, ...] = (ABSENT, None, 7, -1.5, True, "", "x", [], ["x"], {}, {"x": None})


def members_of(operation, *path):
    """Names of the members an answer may have, by the service's own model."""
    shape = MODEL.operation_model(operation).output_shape
    for step in path:
        shape = shape.members[step]
        shape = getattr(shape, "member", None) or getattr(shape, "value", shape)
    return sorted(shape.members)


def with_member(answer, path, value):
    """The answer with that in place of what `path` (keys and indices) leads to, or without it."""
    *way, last = path
    inner = answer
    for step in way:
        inner = inner[step]
    if value is ABSENT:
        inner.pop(last, None)
    else:
        inner[last] = value
    return answer


def change_answers(harness, operation, change, *, times=1):
    """The next answers of one operation pass through `change`."""
    call, left = harness.aws.call, [None] * times

    async def changed(sent, body, timeout=None, **more):  # noqa: ASYNC109
        reply = await call(sent, body, timeout, **more)
        if sent.name != operation or reply.body == b"{}" or not left:
            return reply
        left.pop()
        return Reply(reply.status, reply.headers, json.dumps(change(json.loads(reply.body))).encode())

    harness.aws.call = changed


def fill(harness, *, fifo):
    for number in range(3):
        harness.queue.send(
            f'{{"number": {number}}}',
            attributes={"kind": {"DataType": "String", "StringValue": "order"}},
            trace_header="Root=1-5759e988-bd862e3fe1be46a994272793",
            **({"group": f"g{number}"} if fifo else {}),
        )


PATHS = [
    *[("Messages", 0, name) for name in members_of(RECEIVE, "Messages")],
    *[("Messages", 0, "Attributes", name) for name in SYSTEM],
    *[
        ("Messages", 0, "MessageAttributes", "kind", name)
        for name in members_of(RECEIVE, "Messages", "MessageAttributes")
    ],
    ("Messages", 0, "MessageAttributes", "kind"),
    ("Messages", 0),
]


def shown(value):
    return "absent" if value is ABSENT else repr(value)


def words(path):
    return ".".join(map(str, path))


@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
@pytest.mark.parametrize("path", PATHS, ids=words)
async def test_a_message_with_a_member_missing_or_odd_stops_neither_the_mapping_nor_the_others(path, fifo):
    for value in WEIRD:
        if value is ABSENT and path == ("Messages", 0):
            continue
        patterns = ['{"body": {"number": [{"numeric": [">=", 0]}]}}', '{"messageId": [{"exists": true}]}']
        harness = Harness(name="q.fifo" if fifo else "q", lanes=1, patterns=patterns if fifo else ())
        fill(harness, fifo=fifo)
        change_answers(harness, RECEIVE, lambda answer, value=value: with_member(answer, path, value))
        async with harness.partition as partition:
            lane = partition.lane()
            seen: set[Any] = set()
            while len(seen) < 2:
                records = await take(lane)
                partition.behind()
                lane.trace(records)
                event = json.loads(lane.encode(records))
                seen |= {record["body"] for record in event["Records"]} & {'{"number": 1}', '{"number": 2}'}
                assert harness.unaccounted() == 0
                harness.settle(lane, records)
            await asyncio.sleep(1)
            assert harness.status.state == "running"
        assert harness.unaccounted() == 0
        assert harness.in_flight == 0


async def one(change, **settings):
    """The event's record of a message changed on its way, and the harness."""
    harness = Harness(**settings)
    group = "g" if harness.queue.fifo else None
    harness.queue.send("hello", attributes={"kind": {"DataType": "String", "StringValue": "order"}}, group=group)
    change_answers(harness, RECEIVE, lambda answer: {"Messages": [change(message) for message in answer["Messages"]]})
    async with harness.partition as partition:
        lane = partition.lane()
        records = await take(lane)
        [record] = json.loads(lane.encode(records))["Records"]
        harness.settle(lane, records)
    assert harness.aws.ledger.remaining() == set()
    return record, records[0]


async def test_what_is_missing_and_can_be_told_is_added():
    record, _ = await one(lambda message: with_member(message, ["MD5OfBody"], ABSENT))
    assert record["md5OfBody"] == hashlib.md5(b"hello", usedforsecurity=False).hexdigest()
    record, kept = await one(lambda message: with_member(message, ["MessageId"], ABSENT))
    assert record["messageId"] == record["receiptHandle"] == kept.identifier, "so that it can be named as failed"
    record, _ = await one(lambda message: with_member(message, ["Attributes"], None))
    assert record["attributes"] == {}
    record, _ = await one(lambda message: with_member(message, ["MessageAttributes", "kind", "DataType"], ABSENT))
    assert record["messageAttributes"]["kind"]["dataType"] == "String"
    record, _ = await one(lambda message: with_member(message, ["Attributes", "SentTimestamp"], 1767225600000))
    assert record["attributes"]["SentTimestamp"] == 1767225600000, "what is no fault is left as it is"


async def test_fifo_messages_without_a_group_are_kept_in_order():
    record, kept = await one(
        lambda message: with_member(message, ["Attributes", "MessageGroupId"], ABSENT), name="q.fifo"
    )
    assert kept.key == ""
    assert "MessageGroupId" not in record["attributes"]


async def test_a_message_that_cannot_be_deleted_is_named_once_and_left_to_the_queue():
    harness = Harness(visibility_timeout=10, lanes=1)
    [message] = harness.send()
    change_answers(
        harness, RECEIVE, lambda answer: with_member(answer, ["Messages", 0, "ReceiptHandle"], None), times=4
    )
    async with harness.partition as partition:
        records = await take(partition.lane())
        assert [record.identifier for record in records] == [message]
        [line] = harness.log.named("messages_not_deliverable")
        assert line["message_ids"] == [message]
        assert (harness.account.polled, harness.account.returned, harness.unaccounted()) == (5, 4, 0)


async def test_messages_held_without_attributes_can_be_looked_at():
    """One such message held by a slow function stopped the health check, and with it every mapping's status."""
    harness = Harness()
    harness.send(2)
    change_answers(harness, RECEIVE, lambda answer: with_member(answer, ["Messages", 1, "Attributes"], None))
    async with harness.partition as partition:
        lane = partition.lane()
        records = await take(lane)
        harness.status.sample(asyncio.get_running_loop().time())
        assert harness.status.lag().seconds == 0.0, "of the message that says its age"
        harness.settle(lane, records)


async def test_an_error_of_ours_leaves_nothing_unaccounted():
    harness = Harness(criteria=BrokenFilter())
    harness.send(3)

    async def polling():
        async with harness.partition as partition:
            await take(partition.lane())

    with pytest.raises(ZeroDivisionError):
        await polling()
    assert (harness.account.polled, harness.account.returned, harness.unaccounted()) == (3, 3, 0)


@pytest.mark.parametrize("value", WEIRD, ids=shown)
@pytest.mark.parametrize("path", [("Successful",), ("Failed",), ("Successful", 0), ("Successful", 0, "Id")], ids=words)
@pytest.mark.parametrize("operation", [DELETE, CHANGE, SEND])
async def test_an_answer_to_a_batch_with_a_member_missing_or_odd_is_asked_for_again(operation, path, value):
    if value is ABSENT and path == ("Successful", 0):
        pytest.skip("a list has no absent members")
    harness = Harness(visibility_timeout=10, patterns=['{"body": {"n": [1]}}'], target="unmatched")
    harness.queue.send('{"n": 1}')
    harness.queue.send('{"n": 2}')
    change_answers(harness, operation, lambda answer: with_member(answer, path, value), times=2)
    async with harness.partition as partition:
        lane = partition.lane()
        records = await take(lane)
        await asyncio.sleep(9)
        harness.settle(lane, records)
        await asyncio.sleep(20)
        assert harness.status.state == "running"
    assert set(harness.queue.messages) == set()
    assert len(present(harness.target).messages) in {1, 2, 3}, "not lost, and twice when in doubt"
    assert harness.unaccounted() == 0


@pytest.mark.parametrize("name", members_of(DELETE, "Failed"))
@pytest.mark.parametrize("value", WEIRD, ids=shown)
async def test_a_refusal_with_a_member_missing_or_odd_is_no_delete(name, value):
    harness = Harness()
    harness.send(1)
    harness.aws.faults.script_entries(DELETE, "InternalError")
    change_answers(harness, DELETE, lambda answer: with_member(answer, ["Failed", 0, name], value))
    async with harness.partition as partition:
        lane = partition.lane()
        records = await take(lane)
        harness.settle(lane, records)
        await asyncio.sleep(60)
        assert harness.account.deleted + len(harness.undeleted) == harness.account.delivered == 1
        assert harness.unaccounted() == 0
        assert harness.status.state == "running"


@pytest.mark.parametrize("value", ["3.0", "three", "", None, [], {}, "nan", "1e999"], ids=shown)
async def test_queue_attributes_that_are_no_numbers_are_a_reason_and_no_bug(value):
    harness = Harness()
    harness.send(3)
    async with harness.partition:
        for name in members_of(ATTRIBUTES):
            assert name == "Attributes"
        change_answers(harness, ATTRIBUTES, lambda answer: {"Attributes": dict.fromkeys(answer["Attributes"], value)})
        await harness.status.look(0.0)
        assert harness.status.lag().records == (3 if value == "3.0" else None)
        assert harness.status.state == "running"
