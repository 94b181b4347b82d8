"""What only the fakes promise: faults, the ledger, the function side. Queue semantics are in the contract suite."""

import asyncio
import json

import pytest

from poller.policy.response import Failed, Succeeded
from poller.values.errors import AnswerLost, NotSent, ServiceError
from tests.fakes.aws import FakeAws
from tests.fakes.faults import HANG, LOST_AFTER, LOST_BEFORE, NOT_SENT, THROTTLED
from tests.fakes.function import ScriptedFunction
from tests.fakes.lambda_service import Hang, batch_item_failures, function_error, throttled
from tests.fakes.message import md5_of_attributes, wire_attributes
from tests.fakes.operations import call_sqs, invoke


def event(*identifiers, group=None):
    attributes = {} if group is None else {"MessageGroupId": group}
    return json.dumps({"Records": [{"messageId": i, "attributes": attributes} for i in identifiers]}).encode()


async def receive(aws, queue, **request):
    return (await call_sqs(aws, "ReceiveMessage", QueueUrl=queue.url, **request)).get("Messages", [])


def test_digest_of_attributes_is_the_one_servers_compute():
    attributes = wire_attributes({"a": "x", "b": b"123", "n": {"DataType": "Number.int", "StringValue": "7"}})
    assert md5_of_attributes(attributes) == "f06b0649e5481d1d1ca2231feb3cd505"


async def test_scripted_faults_come_in_order_and_only_the_last_kind_is_carried_out():
    aws = FakeAws()
    queue = aws.queue("q")
    aws.faults.script("ReceiveMessage", NOT_SENT, None, THROTTLED, LOST_BEFORE, LOST_AFTER)
    with pytest.raises(NotSent):
        await receive(aws, queue)
    assert await receive(aws, queue) == []
    with pytest.raises(ServiceError, match="ThrottlingException"):
        await receive(aws, queue)
    message_id = queue.send("m")
    for received in (0, 1):
        with pytest.raises(AnswerLost):
            await receive(aws, queue)
        assert len(aws.ledger[message_id].receives) == received
    assert aws.calls["ReceiveMessage"] == 5


async def test_a_hanging_call_ends_by_its_timeout():
    aws = FakeAws()
    queue = aws.queue("q")
    aws.faults.always("ReceiveMessage", HANG)
    with pytest.raises(AnswerLost):
        await receive(aws, queue)
    assert asyncio.get_running_loop().time() == 30
    aws.faults.clear()
    assert await receive(aws, queue) == []


@pytest.mark.parametrize("seed", range(3))
async def test_chance_is_repeatable_by_seed(seed):
    async def outcomes():
        aws = FakeAws(seed=seed)
        queue = aws.queue("q")
        aws.faults.at_random("ReceiveMessage", 0.5, NOT_SENT, LOST_BEFORE)
        results = await asyncio.gather(*(receive(aws, queue) for _ in range(20)), return_exceptions=True)
        return [type(result) for result in results]

    first = await outcomes()
    assert first == await outcomes()
    assert {list, NotSent, AnswerLost} == set(first)


async def test_entries_of_a_batch_fail_alone():
    aws = FakeAws()
    queue = aws.queue("q")
    queue.send("a")
    queue.send("b")
    received = await receive(aws, queue, MaxNumberOfMessages=10)
    aws.faults.script_entries("DeleteMessageBatch", None, "InternalError")
    entries = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(received)]
    answer = await call_sqs(aws, "DeleteMessageBatch", QueueUrl=queue.url, Entries=entries)
    assert [one["Id"] for one in answer["Successful"]] == ["0"]
    assert [(one["Id"], one["SenderFault"]) for one in answer["Failed"]] == [("1", False)]
    assert aws.ledger.remaining() == {received[1]["MessageId"]}


async def test_latency_takes_loop_time_and_a_cancelled_call_may_have_been_carried_out():
    aws = FakeAws()
    queue = aws.queue("q")
    message_id = queue.send("m")
    aws.latency = 2.0
    call = asyncio.create_task(receive(aws, queue))
    await asyncio.sleep(1.5)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert aws.ledger[message_id].receives == [1.0]


async def test_the_ledger_tells_a_delete_on_a_guess_from_a_proved_one():
    aws = FakeAws()
    queue = aws.queue("q")
    proved, guessed, kept = (queue.send(body) for body in "abc")
    aws.function("fn", lambda _: None)
    handles = {m["MessageId"]: m["ReceiptHandle"] for m in await receive(aws, queue, MaxNumberOfMessages=10)}
    await aws.call(invoke("fn"), event(proved))
    for message_id in (proved, guessed):
        await call_sqs(aws, "DeleteMessage", QueueUrl=queue.url, ReceiptHandle=handles[message_id])
    assert aws.ledger.deleted_unproved() == aws.ledger.lost() == {guessed}
    assert aws.ledger.remaining() == aws.ledger.remaining("q") == {kept}


async def test_an_answer_that_never_arrived_proves_nothing():
    aws = FakeAws()
    queue = aws.queue("q")
    message_id = queue.send("m")
    aws.function("fn")
    aws.faults.script("Invoke", LOST_AFTER)
    with pytest.raises(AnswerLost):
        await aws.call(invoke("fn"), event(message_id))
    assert aws.ledger[message_id].succeeded
    assert not aws.ledger[message_id].proved


async def test_function_errors_partial_failures_and_exceptions_prove_what_they_should():
    aws = FakeAws()
    queue = aws.queue("q")
    a, b = queue.send("a"), queue.send("b")
    function = aws.function("fn", lambda event: 1 // 0)
    function.script(function_error(), batch_item_failures(b))
    reply = await aws.call(invoke("fn"), event(a, b))
    assert reply.headers["x-amz-function-error"] == "Unhandled"
    reply = await aws.call(invoke("arn:aws:lambda:eu-west-1:123456789012:function%3Afn%3Alive"), event(a, b))
    assert json.loads(reply.body) == {"batchItemFailures": [{"itemIdentifier": b}]}
    reply = await aws.call(invoke("fn"), event(a, b))
    assert json.loads(reply.body)["errorType"] == "ZeroDivisionError"
    assert len(aws.ledger[a].proved) == 1
    assert not aws.ledger[b].proved


async def test_throttles_missing_functions_and_hangs():
    aws = FakeAws()
    function = aws.function("fn", delay=5)
    function.script(throttled(retry_after=3), Hang())
    with pytest.raises(ServiceError) as refused:
        await aws.call(invoke("fn"), event("a"))
    assert (refused.value.status, refused.value.retry_after) == (429, 3)
    with pytest.raises(AnswerLost):
        await aws.call(invoke("fn"), event("a"))
    function.concurrency = 0
    with pytest.raises(ServiceError, match="TooManyRequestsException"):
        await aws.call(invoke("fn"), event("a"))
    with pytest.raises(ServiceError, match="ResourceNotFoundException"):
        await aws.call(invoke("none"), event("a"))


async def test_invocations_know_their_peaks_and_a_groups_order():
    aws = FakeAws()
    function = aws.function("fn", delay=5)
    calls = [aws.call(invoke("fn"), event(i, group=g)) for i, g in (("1", "x"), ("2", "y"), ("3", "x"))]
    await asyncio.gather(*calls)
    assert function.invocations.peak == 3
    assert function.invocations.group_peak == {"x": 2, "y": 1}
    assert function.invocations.order_of_groups() == {"x": ["1", "3"], "y": ["2"]}


async def test_a_scripted_function_gives_its_outcomes_then_the_usual_one():
    function = ScriptedFunction(Failed("Unhandled"), delay=1)
    assert await function.invoke(event("a")) == Failed("Unhandled")
    assert await function.invoke(event("b")) == Succeeded(b"")
    assert function.batches == [["a"], ["b"]]


async def test_a_scripted_function_waits_at_its_gate():
    function = ScriptedFunction()
    function.gate.clear()
    invocations = [asyncio.create_task(function.invoke(event(i))) for i in "ab"]
    await asyncio.sleep(1)
    assert function.invocations.running == 2
    function.gate.set()
    await asyncio.gather(*invocations)
    assert (function.invocations.running, function.invocations.peak) == (0, 2)
