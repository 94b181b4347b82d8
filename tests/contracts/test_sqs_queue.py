"""What SQS promises about a queue, kept by the fake as by real servers. This is what keeps the fake honest.

Messages are waited for by a long poll, never by sleeping. Where a server is known to be wrong, the promise says so.
"""

import asyncio
import json
from typing import Any

import pytest

from poller.values.errors import ServiceError
from tests.contracts.backends import bodies, change_visibility, delete, promise, receive
from tests.fakes.message import md5_of_attributes, md5_of_body, wire_attributes
from tests.fakes.operations import call_sqs, sqs

ATTRIBUTES = {"kind": "order", "blob": b"\x00\x01", "count": 7}


@promise()
async def test_an_empty_receive_answers_an_empty_object(backend):
    url = backend.create("q")
    request = json.dumps({"QueueUrl": url, "MaxNumberOfMessages": 10}).encode()
    assert (await backend.transport.call(sqs("ReceiveMessage"), request)).body == b"{}"


@promise()
async def test_a_message_comes_with_exactly_these_members(backend):
    url = backend.create("q")
    message_id = backend.send(url, 'hé "x"', attributes=ATTRIBUTES, trace_header="Root=1-5759e988-bd862e3fe1be46a9942")
    [message] = await receive(backend, url)
    system, attributes = message.pop("Attributes"), wire_attributes(ATTRIBUTES)
    assert message.pop("ReceiptHandle")
    assert message == {
        "MessageId": message_id,
        "Body": 'hé "x"',
        "MD5OfBody": md5_of_body('hé "x"'),
        "MessageAttributes": attributes,
        "MD5OfMessageAttributes": md5_of_attributes(attributes),
    }
    times = {system.pop(name) for name in ("SentTimestamp", "ApproximateFirstReceiveTimestamp")}
    assert all(len(time) == 13 and time.isdigit() for time in times)
    assert system.pop("SenderId")
    assert system == {"ApproximateReceiveCount": "1", "AWSTraceHeader": "Root=1-5759e988-bd862e3fe1be46a9942"}


@promise()
async def test_attributes_come_only_when_asked_for(backend):
    url = backend.create("q")
    backend.send(url, "m", attributes=ATTRIBUTES)
    plain: dict[str, Any] = {"MessageSystemAttributeNames": [], "MessageAttributeNames": []}
    [message] = await receive(backend, url, VisibilityTimeout=0, **plain)
    assert message.keys() == {"MessageId", "ReceiptHandle", "MD5OfBody", "Body"}
    some: dict[str, Any] = {"MessageSystemAttributeNames": ["SentTimestamp"], "MessageAttributeNames": ["kind"]}
    [message] = await receive(backend, url, **some)
    assert message["Attributes"].keys() == {"SentTimestamp"}
    assert message["MessageAttributes"] == wire_attributes({"kind": "order"})


@promise()
async def test_a_received_message_is_hidden_then_comes_again_counted_with_a_new_handle(backend):
    url = backend.create("q", visibility=1)
    backend.send(url, "m")
    [first] = await receive(backend, url)
    assert await receive(backend, url) == []
    [second] = await receive(backend, url, WaitTimeSeconds=20)
    assert second["MessageId"] == first["MessageId"]
    assert second["ReceiptHandle"] != first["ReceiptHandle"]
    assert second["Attributes"]["ApproximateReceiveCount"] == "2"
    again = "ApproximateFirstReceiveTimestamp"
    assert second["Attributes"][again] == first["Attributes"][again]


@promise()
async def test_a_receive_may_set_its_own_visibility_timeout(backend):
    url = backend.create("q", visibility=600)
    backend.send(url, "m")
    assert len(await receive(backend, url, VisibilityTimeout=1)) == 1
    assert len(await receive(backend, url, WaitTimeSeconds=20)) == 1


@promise()
async def test_a_long_poll_is_woken_by_a_send(backend):
    url = backend.create("q")
    poll = asyncio.create_task(receive(backend, url, WaitTimeSeconds=20))
    empty = await receive(backend, url, WaitTimeSeconds=1)
    await asyncio.to_thread(backend.send, url, "m")
    assert (empty, bodies(await poll)) == ([], ["m"])


@promise()
async def test_one_message_goes_to_one_of_several_polls(backend):
    url = backend.create("q")
    polls = [asyncio.create_task(receive(backend, url, WaitTimeSeconds=1)) for _ in range(4)]
    await asyncio.to_thread(backend.send, url, "m")
    assert sorted(map(len, await asyncio.gather(*polls))) == [0, 0, 0, 1]


@promise()
async def test_a_receive_brings_at_most_what_it_asked_for(backend):
    url = backend.create("q")
    for n in range(12):
        backend.send(url, str(n))
    taken = [await receive(backend, url, limit=limit) for limit in (3, 10, 10)]
    assert [len(page) for page in taken] == [3, 9, 0]
    assert {body for page in taken for body in bodies(page)} == set(map(str, range(12)))


@promise()
async def test_deleted_messages_stay_away_and_a_bad_handle_fails_alone(backend):
    url = backend.create("q", visibility=1)
    backend.send(url, "gone")
    backend.send(url, "stays")
    received = {message["Body"]: message for message in await receive(backend, url)}
    answer = await delete(backend, url, received["gone"], "bogus")
    assert [one["Id"] for one in answer["Successful"]] == ["0"]
    assert [(one["Id"], one["Code"], one["SenderFault"]) for one in answer["Failed"]] == [
        ("1", "ReceiptHandleIsInvalid", True)
    ]
    assert bodies(await receive(backend, url, WaitTimeSeconds=20)) == ["stays"]
    assert await receive(backend, url) == []


@promise(ministack="lists the second delete under Failed")
async def test_deleting_twice_is_success(backend):
    url = backend.create("q")
    backend.send(url, "m")
    [message] = await receive(backend, url)
    for _ in range(2):
        answer = await delete(backend, url, message)
        assert [one["Id"] for one in answer["Successful"]] == ["0"]
        assert not answer.get("Failed")


@promise(ministack="refuses every handle but the newest")
async def test_an_older_handle_deletes_on_a_standard_queue(backend):
    url = backend.create("q", visibility=1)
    backend.send(url, "m")
    [old] = await receive(backend, url)
    assert await receive(backend, url, WaitTimeSeconds=20, VisibilityTimeout=1)
    assert not (await delete(backend, url, old)).get("Failed")
    assert await receive(backend, url, WaitTimeSeconds=2) == []


@promise()
async def test_visibility_zero_gives_back_at_once_and_more_keeps_hidden(backend):
    url = backend.create("q", visibility=1)
    backend.send(url, "kept")
    backend.send(url, "returned")
    received = {message["Body"]: message for message in await receive(backend, url)}
    done, failed = await change_visibility(backend, url, (received["kept"], 600), (received["returned"], 0))
    assert (done, failed) == (["0", "1"], {})
    [returned] = await receive(backend, url)
    assert (returned["Body"], returned["Attributes"]["ApproximateReceiveCount"]) == ("returned", "2")
    assert bodies(await receive(backend, url, WaitTimeSeconds=20)) == ["returned"]


@promise(ministack="accepts it", moto="accepts it")
async def test_what_is_visible_again_has_no_visibility_to_change(backend):
    url = backend.create("q")
    backend.send(url, "m")
    [message] = await receive(backend, url, VisibilityTimeout=0)
    assert await change_visibility(backend, url, (message, 5)) == ([], {"0": "MessageNotInflight"})


@promise(ministack="does not look at the total", moto="does not look at the total")
async def test_twelve_hours_after_its_receive_nothing_stays_hidden(backend):
    url = backend.create("q", visibility=3600)
    backend.send(url, "m")
    [message] = await receive(backend, url)
    await asyncio.sleep(1800)
    assert await change_visibility(backend, url, (message, 43_200)) == ([], {"0": "InvalidParameterValue"})
    assert await change_visibility(backend, url, (message, 43_200 - 1800)) == (["0"], {})


@promise(moto="has another code for eleven entries")
async def test_malformed_batches_are_refused_as_a_whole(backend):
    url = backend.create("q")
    entry = {"Id": "0", "ReceiptHandle": "h"}
    wrong = {
        "EmptyBatchRequest": [],
        "BatchEntryIdsNotDistinct": [entry, entry],
        "TooManyEntriesInBatchRequest": [{"Id": str(n), "ReceiptHandle": "h"} for n in range(11)],
    }
    for code, entries in wrong.items():
        with pytest.raises(ServiceError) as refused:
            await call_sqs(backend.transport, "DeleteMessageBatch", QueueUrl=url, Entries=entries)
        assert (refused.value.status, refused.value.code) == (400, f"AWS.SimpleQueueService.{code}")


@promise()
async def test_a_queue_that_does_not_exist_is_named_so(backend):
    url = backend.create("q").removesuffix("q") + "none"
    with pytest.raises(ServiceError) as refused:
        await receive(backend, url)
    assert (refused.value.status, refused.value.code) == (400, "AWS.SimpleQueueService.NonExistentQueue")
    with pytest.raises(ServiceError, match="NonExistentQueue"):
        await call_sqs(backend.transport, "GetQueueUrl", QueueName="none")


@promise()
async def test_attributes_of_a_queue_are_text_and_as_many_as_asked_for(backend):
    backend.create("dead")
    url = backend.create("q", visibility=45, dead_letter="dead", max_receive_count=6)
    assert await call_sqs(backend.transport, "GetQueueUrl", QueueName="q") == {"QueueUrl": url}
    names = ["VisibilityTimeout", "RedrivePolicy"]
    answer = await call_sqs(backend.transport, "GetQueueAttributes", QueueUrl=url, AttributeNames=names)
    assert answer["Attributes"].keys() == set(names)
    assert answer["Attributes"]["VisibilityTimeout"] == "45"
    assert int(json.loads(answer["Attributes"]["RedrivePolicy"])["maxReceiveCount"]) == 6
    every = await call_sqs(backend.transport, "GetQueueAttributes", QueueUrl=url, AttributeNames=["All"])
    assert every["Attributes"]["QueueArn"].endswith(":q")
    assert "FifoQueue" not in every["Attributes"]


@promise()
async def test_counts_tell_visible_from_in_flight(backend):
    url = backend.create("q")
    for body in "abc":
        backend.send(url, body)
    await receive(backend, url, limit=1)
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = await call_sqs(backend.transport, "GetQueueAttributes", QueueUrl=url, AttributeNames=names)
    assert [answer["Attributes"][name] for name in names] == ["2", "1"]


@promise()
async def test_the_receive_after_the_last_allowed_one_finds_the_message_in_the_dead_letter_queue(backend):
    dead = backend.create("dead")
    url = backend.create("q", dead_letter="dead", max_receive_count=2)
    message_id = backend.send(url, "m")
    for count in ("1", "2"):
        [message] = await receive(backend, url, VisibilityTimeout=0)
        assert message["Attributes"]["ApproximateReceiveCount"] == count
        assert await receive(backend, dead) == []
    assert await receive(backend, url) == []
    [message] = await receive(backend, dead)
    assert (message["MessageId"], message["Body"]) == (message_id, "m")


@promise(moto="leaves it out")
async def test_a_redriven_message_names_where_it_came_from(backend):
    dead = backend.create("dead")
    url = backend.create("q", dead_letter="dead", max_receive_count=1)
    backend.send(url, "m")
    await receive(backend, url, VisibilityTimeout=0)
    await receive(backend, url)
    [message] = await receive(backend, dead)
    assert message["Attributes"]["DeadLetterQueueSourceArn"].endswith(":q")


@promise()
async def test_a_group_on_a_standard_queue_is_kept_and_locks_nothing(backend):
    url = backend.create("q")
    backend.send(url, "a", group="g")
    backend.send(url, "b", group="g")
    [first] = await receive(backend, url, limit=1)
    [second] = await receive(backend, url, limit=1)
    assert {first["Body"], second["Body"]} == {"a", "b"}
    assert first["Attributes"]["MessageGroupId"] == "g"
    assert "SequenceNumber" not in first["Attributes"]
