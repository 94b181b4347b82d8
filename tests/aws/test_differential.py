"""Both transports hold the same recorded conversations, and nobody above them could tell which it was."""

import json
from dataclasses import replace

import pytest

from poller.aws.port import Operation
from poller.functions.lambda_api.function import LambdaFunction
from tests.aws.conversation import BOTH, Replay, Turn, conversation, ends_after, hangs, resets, says, told
from tests.aws.recorded import (
    INVOKE,
    LOSSES,
    READ_OR_INVOKE,
    RECEIVE,
    REFUSALS,
    REQUESTS,
    SUCCESSES,
    Refusal,
    body_for,
    error,
)
from tests.aws.service import answer
from tests.http.scripted import Peer, serving

pytestmark = [pytest.mark.real_time, pytest.mark.usefixtures("sdk_does_not_sleep")]


@pytest.mark.parametrize(("operation", "data"), SUCCESSES.values(), ids=SUCCESSES)
async def test_a_success_is_the_same_reply(operation: Operation, data: bytes) -> None:
    turn = ends_after(data) if data.startswith(b"HTTP/1.0") else says(data)
    by_lean, by_sdk = [await conversation(new, operation, body_for(operation), turn) for new in BOTH.values()]
    assert by_lean == by_sdk
    assert by_lean.result["status"] // 100 == 2
    assert [request["body"] for request in by_lean.requests] in (
        [REQUESTS[operation]],
        [body_for(operation)],
    )
    if b"chunked" not in data:
        assert data.endswith(by_lean.result["body"])


async def test_a_trace_goes_along_unsigned_and_only_where_there_is_one() -> None:
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"
    for new in BOTH.values():
        replay = Replay([says(answer(200, {}))])
        async with serving(replay) as server:
            transport = new(str(server.origin), [])
            for each in (trace, None):
                await transport.call(INVOKE, b"{}", trace=each)
            await transport.close()
        heads = [request.partition(b"\r\n\r\n")[0].decode().lower() for request in replay.requests]
        lines = [line for head in heads for line in head.split("\r\n") if line.startswith("x-amzn-trace-id")]
        assert lines == [f"x-amzn-trace-id: {trace.lower()}"]
        assert "x-amzn-trace-id" not in heads[0].partition("signedheaders=")[2].partition(",")[0]


async def test_a_workflow_is_started_by_both_alike() -> None:
    operation = Operation("stepfunctions", "StartSyncExecution", "AWSStepFunctions.StartSyncExecution", resend=False)
    body = b'{"stateMachineArn":"arn:aws:states:eu-west-1:123456789012:stateMachine:m","input":"{}"}'
    turn = says(answer(200, {"status": "SUCCEEDED", "output": "{}", "startDate": 1.5, "stopDate": 2.5}))
    by_lean, by_sdk = [await conversation(new, operation, body, turn) for new in BOTH.values()]
    assert by_lean.result == by_sdk.result
    for one in (by_lean, by_sdk):
        assert [request["body"] for request in one.requests] == [json.loads(body)]
        assert one.requests[0]["x-amz-target"] == "AWSStepFunctions.StartSyncExecution"


async def test_what_an_invoke_asks_for_beyond_the_ordinary_is_asked_by_both() -> None:
    headers = (("x-amz-invocation-type", "Event"), ("x-amz-log-type", "Tail"))
    operation = replace(INVOKE, headers=headers)
    for new in BOTH.values():
        replay = Replay([says(answer(202, {}))])
        async with serving(replay) as server:
            transport = new(str(server.origin), [])
            assert (await transport.call(operation, b"{}")).status == 202
            await transport.close()
        head = replay.requests[0].partition(b"\r\n\r\n")[0].decode().lower().split("\r\n")
        assert {f"{name}: {value.lower()}" for name, value in headers} <= set(head)


@pytest.mark.parametrize("case", REFUSALS.values(), ids=REFUSALS)
async def test_a_refusal_is_the_same_error_after_as_many_attempts(case: Refusal) -> None:
    body = body_for(case.operation)
    by_lean, by_sdk = [await conversation(new, case.operation, body, says(case.answer)) for new in BOTH.values()]
    assert by_lean == by_sdk
    result = by_lean.result
    assert (result["error"], result["code"], result["retry_after"]) == ("ServiceError", case.code, case.retry_after)
    assert result["body"] == case.answer.partition(b"\r\n\r\n")[2]
    assert (len(by_lean.requests), by_lean.pauses) == (case.sent, case.sent - 1)


@READ_OR_INVOKE
@pytest.mark.parametrize("turns", LOSSES.values(), ids=LOSSES)
async def test_an_answer_that_is_none_is_lost_and_an_invoke_sent_once(
    operation: Operation, turns: tuple[Turn, ...]
) -> None:
    by_lean, by_sdk = [await conversation(new, operation, body_for(operation), *turns) for new in BOTH.values()]
    assert by_lean == by_sdk
    assert by_lean.result == {"error": "AnswerLost"}
    assert len(by_lean.requests) == (3 if operation.resend else 1)


@READ_OR_INVOKE
@pytest.mark.parametrize(
    "turn",
    [hangs, says(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}")],
    ids=["before the answer", "within the answer"],
)
async def test_silence_ends_in_a_lost_answer(operation: Operation, turn: Turn) -> None:
    async def then_hangs(peer: Peer) -> None:
        await turn(peer)
        await peer.gone()

    by_lean, by_sdk = [
        await conversation(new, operation, body_for(operation), then_hangs, limit=0.15) for new in BOTH.values()
    ]
    assert by_lean == by_sdk
    assert by_lean.result == {"error": "AnswerLost"}
    assert len(by_lean.requests) == (3 if operation.resend else 1)


@pytest.mark.parametrize(
    "turns",
    [
        (resets, says(answer(200, {}))),
        (says(answer(500)), resets, says(answer(200, {}))),
        (says(answer(400, error("ThrottlingException"))), says(answer(200, {}))),
        (ends_after(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), says(answer(200, {}))),
    ],
)
async def test_a_read_that_fails_at_first_succeeds_by_the_same_requests(turns: tuple[Turn, ...]) -> None:
    by_lean, by_sdk = [await conversation(new, RECEIVE, body_for(RECEIVE), *turns) for new in BOTH.values()]
    assert by_lean == by_sdk
    assert by_lean.result["body"] == b"{}"
    assert (len(by_lean.requests), by_lean.pauses) == (len(turns), len(turns) - 1)


FUNCTIONS = {
    "name": ("orders", None),
    "name and qualifier": ("orders", "live"),
    "latest": ("orders", "$LATEST"),
    "partial ARN": ("123456789012:function:orders", "7"),
    "ARN": ("arn:aws:lambda:eu-west-1:123456789012:function:or-de_rs", "live-2"),
}


@pytest.mark.parametrize(("name", "qualifier"), FUNCTIONS.values(), ids=FUNCTIONS)
async def test_a_function_is_named_the_same_way(name: str, qualifier: str | None) -> None:
    seen = []
    event = body_for(INVOKE)
    for new in BOTH.values():
        replay = Replay([says(answer(200, {"batchItemFailures": []}, x_amz_executed_version="7"))])
        async with serving(replay) as server:
            transport = new(str(server.origin), [])
            function = LambdaFunction(
                "f", transport, function_name=name, qualifier=qualifier, timeout=5, payload_limit=1000, rie=False
            )
            outcome = await function.invoke(event)
            await transport.close()
        place = str(server.origin).partition("//")[2]
        seen.append((outcome, [told(request, place) for request in replay.requests]))
    assert seen[0] == seen[1]
    [request] = seen[0][1]
    assert request["body"] == event
    assert request["line"][1].endswith("/invocations" if qualifier is None else f"Qualifier={request_text(qualifier)}")


def request_text(qualifier: str) -> str:
    return qualifier.replace("$", "%24")
