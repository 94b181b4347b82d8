"""What SQS promises about a FIFO queue, kept by the fake as by real servers."""

import asyncio

from tests.contracts.backends import bodies, change_visibility, delete, promise, receive


@promise()
async def test_one_receive_brings_many_of_a_group_in_order(backend):
    url = backend.create("q.fifo")
    for body in "abcd":
        backend.send(url, body, group="g")
    assert bodies(await receive(backend, url, limit=3)) == ["a", "b", "c"]


@promise(moto="a random number, and only with a deduplication id")
async def test_sequence_numbers_have_twenty_digits_and_grow(backend):
    url = backend.create("q.fifo")
    for body in "abc":
        backend.send(url, body, group=body, deduplication_id=f"id-{body}")
    messages = await receive(backend, url)
    numbers = {message["Body"]: message["Attributes"]["SequenceNumber"] for message in messages}
    assert all(len(number) == 20 and number.isdigit() for number in numbers.values())
    assert numbers["a"] < numbers["b"] < numbers["c"]
    identifiers = {(m["Attributes"]["MessageGroupId"], m["Attributes"]["MessageDeduplicationId"]) for m in messages}
    assert identifiers == {("a", "id-a"), ("b", "id-b"), ("c", "id-c")}


@promise()
async def test_a_group_is_locked_while_any_of_its_messages_is_in_flight(backend):
    url = backend.create("q.fifo")
    for body, group in (("a1", "a"), ("a2", "a"), ("b1", "b")):
        backend.send(url, body, group=group)
    [first] = await receive(backend, url, limit=1)
    assert bodies(await receive(backend, url)) == ["b1"]
    assert await receive(backend, url) == []
    await delete(backend, url, first)
    assert bodies(await receive(backend, url)) == ["a2"]


@promise()
async def test_a_group_stays_locked_when_only_its_head_is_given_back(backend):
    url = backend.create("q.fifo")
    for body in "abc":
        backend.send(url, body, group="g")
    head, second = await receive(backend, url, limit=2)
    await change_visibility(backend, url, (head, 0))
    assert await receive(backend, url) == []
    await change_visibility(backend, url, (second, 0))
    assert bodies(await receive(backend, url)) == ["a", "b", "c"]


@promise(moto="leaves the first one out")
async def test_after_a_timeout_a_group_starts_again_at_its_head(backend):
    url = backend.create("q.fifo", visibility=1)
    for body in "abc":
        backend.send(url, body, group="g")
    assert bodies(await receive(backend, url)) == ["a", "b", "c"]
    again = await receive(backend, url, WaitTimeSeconds=20)
    assert bodies(again) == ["a", "b", "c"]
    assert {message["Attributes"]["ApproximateReceiveCount"] for message in again} == {"2"}


@promise(moto="accepts it again once the first is deleted")
async def test_a_deduplication_id_holds_after_the_message_is_deleted(backend):
    url = backend.create("q.fifo")
    first = backend.send(url, "m", group="g", deduplication_id="once")
    await delete(backend, url, *await receive(backend, url))
    assert backend.send(url, "m", group="g", deduplication_id="once") == first
    assert await receive(backend, url) == []


@promise(ministack="deletes while nobody received it since", moto="deletes")
async def test_an_expired_handle_deletes_nothing(backend):
    url = backend.create("q.fifo")
    backend.send(url, "m", group="g")
    [message] = await receive(backend, url, VisibilityTimeout=0)
    [refused] = (await delete(backend, url, message))["Failed"]
    assert (refused["Code"], refused["Message"]) == ("ReceiptHandleIsInvalid", "The receipt handle has expired")
    assert bodies(await receive(backend, url)) == ["m"]


@promise(ministack="receives anew", moto="receives anew")
async def test_a_receive_asked_again_under_its_attempt_id_gives_the_same_answer(backend):
    url = backend.create("q.fifo")
    for body in "abc":
        backend.send(url, body, group="g")
    first = await receive(backend, url, limit=2, ReceiveRequestAttemptId="attempt")
    again = await receive(backend, url, limit=2, ReceiveRequestAttemptId="attempt")
    assert again == first
    assert await receive(backend, url, ReceiveRequestAttemptId="another") == []
    await delete(backend, url, first[0])
    assert await receive(backend, url, limit=2, ReceiveRequestAttemptId="attempt") == []


@promise(ministack="receives anew", moto="receives anew")
async def test_an_attempt_id_is_forgotten_after_five_minutes(backend):
    url = backend.create("q.fifo", visibility=600)
    backend.send(url, "m", group="g")
    assert len(await receive(backend, url, ReceiveRequestAttemptId="attempt")) == 1
    await asyncio.sleep(301)
    assert await receive(backend, url, ReceiveRequestAttemptId="attempt") == []


@promise()
async def test_redrive_frees_the_group(backend):
    dead = backend.create("dead.fifo")
    url = backend.create("q.fifo", dead_letter="dead.fifo", max_receive_count=1)
    for body in "ab":
        backend.send(url, body, group="g")
    assert bodies(await receive(backend, url, limit=1, VisibilityTimeout=0)) == ["a"]
    assert bodies(await receive(backend, url)) == ["b"]
    assert bodies(await receive(backend, dead)) == ["a"]
