"""An event bus as destination: the event that Lambda puts, and answers that do not take it, or say nothing."""

import asyncio
import json
from typing import Any

import pytest

from poller.aws.error_reasons import code_of
from poller.aws.port import Operation, Reply
from poller.destinations.eventbridge.destination import EventBusDestination
from poller.values.errors import AnswerLost, ServiceError
from tests.aws.conversation import BOTH

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:f"
BUS = "arn:aws:events:eu-west-1:123456789012:event-bus/failed"
GIVEN: dict[str, Any] = {"batch_event": b"{}", "shard_id": "shardId-1", "now": 0.0}


def record_of(condition: str) -> dict[str, Any]:
    context = {"requestId": "id", "functionArn": FUNCTION, "condition": condition, "approximateInvokeCount": 1}
    return {"requestContext": context, "version": "1.0", "note": "ü"}


class Answering:
    """A transport whose service has one answer."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.sent: list[tuple[Operation, dict[str, Any]]] = []

    async def call(self, operation: Operation, body: bytes, *_: Any, **__: Any) -> Reply:
        self.sent.append((operation, json.loads(body)))
        return Reply(200, {}, self.answer)

    async def subscribe(self, operation: Operation, body: bytes) -> Any:
        raise NotImplementedError

    async def close(self) -> None:
        """Nothing is open."""


def sent_to(answer: bytes) -> tuple[Answering, EventBusDestination]:
    transport = Answering(answer)
    return transport, EventBusDestination(BUS, transport)


@pytest.mark.parametrize(
    ("condition", "result"),
    [("RetryAttemptsExhausted", "Failure"), ("Success", "Success"), ("EventAgeExceeded", "Failure")],
)
async def test_a_bus_gets_the_record_as_the_detail_of_lambda_s_event(condition, result):
    transport, destination = sent_to(b'{"FailedEntryCount":0,"Entries":[{"EventId":"e"}]}')
    await destination.send(record_of(condition), **GIVEN)
    [(operation, body)] = transport.sent
    assert (operation.service, operation.target) == ("events", "AWSEvents.PutEvents")
    detail = json.dumps(record_of(condition), ensure_ascii=False, separators=(",", ":"))
    assert body == {
        "Entries": [
            {
                "Source": "lambda",
                "Resources": [BUS, FUNCTION],
                "DetailType": f"Lambda Function Invocation Result - {result}",
                "Detail": detail,
                "EventBusName": BUS,
            }
        ]
    }


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("ThrottlingException", "throttled"),
        ("InternalFailure", "unreachable"),
        ("AccessDeniedException", "access_denied"),
        ("ResourceNotFoundException", "source_missing"),
        ("MalformedDetail", "error"),
        (["x"], "error"),
    ],
)
async def test_an_event_that_the_answer_refuses_is_a_call_error_with_its_code(code, reason):
    answer = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": code, "ErrorMessage": "why " * 1000}]}
    _, destination = sent_to(json.dumps(answer).encode())
    with pytest.raises(ServiceError) as caught:
        await destination.send(record_of("RetryAttemptsExhausted"), **GIVEN)
    assert code_of(caught.value) == reason
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "answer",
    [
        *(b"", b"x", b"null", b"[]", b"{}", b'{"Entries":null}', b'{"Entries":[]}', b'{"Entries":[1]}', b"\xff"),
        *(b'{"Entries":[{}]}', b'{"Entries":[{"EventId":""}]}', b'{"Entries":[{"EventId":"a"},{"EventId":"b"}]}'),
        *(b'{"Entries":"e"}', b'{"Entries":{"EventId":"e"}}', b"[" * 100_000),
    ],
)
async def test_an_answer_that_does_not_say_that_the_event_was_taken_is_none(answer):
    _, destination = sent_to(answer)
    with pytest.raises(AnswerLost):
        await destination.send(record_of("RetryAttemptsExhausted"), **GIVEN)


@pytest.mark.live
@pytest.mark.parametrize("new", BOTH.values(), ids=BOTH)
async def test_a_rule_of_the_bus_sees_the_event_through_each_transport(ministack, new):
    url, events = ministack.create_queue("of-bus"), ministack.client("events")
    arn = events.create_event_bus(Name="failed")["EventBusArn"]
    pattern = json.dumps({"source": ["lambda"], "detail-type": ["Lambda Function Invocation Result - Failure"]})
    events.put_rule(Name="r", EventBusName="failed", EventPattern=pattern)
    events.put_targets(Rule="r", EventBusName="failed", Targets=[{"Id": "1", "Arn": ministack.queue_arn("of-bus")}])
    transport = new(ministack.url, [], ministack.account)
    try:
        await EventBusDestination(arn, transport).send(record_of("RetryAttemptsExhausted"), **GIVEN)
    finally:
        await transport.close()
    receive = ministack.client("sqs").receive_message
    [message] = (await asyncio.to_thread(receive, QueueUrl=url, WaitTimeSeconds=10))["Messages"]
    assert json.loads(message["Body"])["detail"] == record_of("RetryAttemptsExhausted")
