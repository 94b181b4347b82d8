"""Both transports hold the same recorded conversations, and nobody above them could tell which it was."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import pytest

from poller.aws.port import Operation
from poller.functions.lambda_api import LambdaFunction
from tests.aws.conversation import (
    BOTH,
    EITHER,
    NewTransport,
    Replay,
    Turn,
    conversation,
    ends_after,
    hangs,
    reference,
    resets,
    result_of,
    says,
    sdk_does_not_sleep,
    told,
)
from tests.aws.service import answer
from tests.fakes.operations import invoke, sqs
from tests.http.scripted import Peer, answering, serving

pytestmark = [pytest.mark.real_time, pytest.mark.usefixtures("sdk_does_not_sleep")]
__all__ = ["sdk_does_not_sleep"]

QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/q"
DATE = "Thu, 01 Jan 2026 00:00:00 GMT"
LATER = "Thu, 01 Jan 2026 00:01:30 GMT"
ODD = 'é "\\" \u2028 \U0001f980 \x7f \ud7ff \ue000 \uffff'
HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
RECEIVE, DELETE, CHANGE = sqs("ReceiveMessage"), sqs("DeleteMessageBatch"), sqs("ChangeMessageVisibilityBatch")
ATTRIBUTES, INVOKE = sqs("GetQueueAttributes"), invoke("f")
REQUESTS: dict[Operation, Any] = {
    RECEIVE: {
        "QueueUrl": QUEUE,
        "MaxNumberOfMessages": 10,
        "WaitTimeSeconds": 20,
        "MessageAttributeNames": ["All"],
        "MessageSystemAttributeNames": ["All"],
    },
    DELETE: {"QueueUrl": QUEUE, "Entries": [{"Id": "0", "ReceiptHandle": ODD}, {"Id": "1", "ReceiptHandle": "h="}]},
    CHANGE: {"QueueUrl": QUEUE, "Entries": [{"Id": "0", "ReceiptHandle": "h", "VisibilityTimeout": 0}]},
    ATTRIBUTES: {"QueueUrl": QUEUE, "AttributeNames": ["VisibilityTimeout", "RedrivePolicy"]},
    INVOKE: {"Records": [{"body": ODD}]},
}


def page(*bodies: str) -> dict[str, Any]:
    return {"Messages": [{"MessageId": f"m{n}", "ReceiptHandle": "h", "Body": body} for n, body in enumerate(bodies)]}


def partly(code: str) -> dict[str, Any]:
    return {
        "Successful": [{"Id": "0"}],
        "Failed": [{"Id": "1", "Code": code, "Message": ODD, "SenderFault": True}],
    }


def raw(status: int, body: bytes, **headers: str) -> bytes:
    head = answer(status, **headers).replace(b"Content-Length: 0", b"Content-Length: %d" % len(body))
    return head + body


def chunked(*pieces: bytes, trailer: bytes = b"0\r\n\r\n") -> bytes:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nx-amzn-RequestId: id\r\n\r\n"
    return head + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + trailer


SUCCESSES: dict[str, tuple[Operation, bytes]] = {
    "nothing received": (RECEIVE, answer(200, {}, x_amzn_RequestId="id", Date=DATE)),
    "messages with odd text": (RECEIVE, answer(200, page(ODD, "", "plain"), x_amzn_RequestId="id")),
    "text not escaped": (RECEIVE, raw(200, json.dumps(page(ODD), ensure_ascii=False).encode())),
    "a page of 1 MiB": (RECEIVE, answer(200, page("x" * 1_048_576))),
    "a chunked page": (RECEIVE, chunked(b'{"Messages"', b":[]}")),
    "members nobody knows": (RECEIVE, answer(200, {"New": 1, "Messages": [{"New": [None]}]})),
    "a body that is no JSON": (RECEIVE, raw(200, b"not JSON")),
    "a body that is no object": (RECEIVE, raw(200, b"[1]")),
    "an empty body": (DELETE, raw(200, b"")),
    "all deleted": (DELETE, answer(200, {"Successful": [{"Id": "0"}, {"Id": "1"}]})),
    "partly deleted": (DELETE, answer(200, partly("ReceiptHandleIsInvalid"))),
    "partly changed": (CHANGE, answer(200, partly("MessageNotInflight"))),
    "attributes": (ATTRIBUTES, answer(200, {"Attributes": {"VisibilityTimeout": "30"}})),
    "a function's answer": (
        INVOKE,
        answer(200, {"batchItemFailures": []}, x_amzn_RequestId="id", X_Amz_Executed_Version="$LATEST"),
    ),
    "a function's answer of 1 MiB": (INVOKE, answer(200, "x" * 1_048_576)),
    "a function's chunked answer": (INVOKE, chunked(b'{"a":', b"1}")),
    "a function's odd bytes": (INVOKE, raw(200, b"\x00\xff\xfe not JSON")),
    "no answer of a function": (INVOKE, raw(202, b"")),
    "204": (INVOKE, b"HTTP/1.1 204 No Content\r\n\r\n"),
    "a function error": (
        INVOKE,
        answer(200, {"errorType": "E", "errorMessage": ODD}, X_Amz_Function_Error="Unhandled", x_amzn_RequestId="id"),
    ),
    "1xx first": (INVOKE, b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + answer(200, {})),
    "until the end of the stream": (INVOKE, b"HTTP/1.0 200 OK\r\n\r\n{}"),
}


@dataclass(frozen=True)
class Refusal:
    operation: Operation
    answer: bytes
    code: str
    retry_after: float | None = None
    sent: int = 1
    """Requests, the repeated ones included."""


def error(kind: str) -> dict[str, str]:
    return {"__type": kind, "message": "no"}


REFUSALS = {
    "type with namespace": Refusal(
        RECEIVE, answer(400, error("com.amazonaws.sqs#QueueDoesNotExist")), "QueueDoesNotExist"
    ),
    "code of the former protocol": Refusal(
        RECEIVE,
        answer(
            400,
            error("com.amazonaws.sqs#QueueDoesNotExist"),
            x_amzn_query_error="AWS.SimpleQueueService.NonExistentQueue;Sender",
        ),
        "AWS.SimpleQueueService.NonExistentQueue",
    ),
    "denied": Refusal(ATTRIBUTES, answer(403, error("AccessDenied")), "AccessDenied"),
    "expired": Refusal(DELETE, answer(403, error("ExpiredToken")), "ExpiredToken"),
    "header means nothing here": Refusal(CHANGE, answer(400, error("A"), x_amzn_ErrorType="B"), "A"),
    "throttled": Refusal(RECEIVE, answer(400, error("RequestThrottled")), "RequestThrottled", sent=3),
    "slow down": Refusal(DELETE, answer(503, error("SlowDown"), Retry_After="7"), "SlowDown", 7.0, sent=3),
    "internal": Refusal(CHANGE, answer(500, error("InternalFailure")), "InternalFailure", sent=3),
    "500 without a body": Refusal(RECEIVE, answer(500), "500", sent=3),
    "503 until a date": Refusal(RECEIVE, answer(503, Date=DATE, Retry_After=LATER), "503", 90.0, sent=3),
    "502 with a page": Refusal(DELETE, raw(502, HTML, Content_Type="text/html"), "502", sent=3),
    "504 with a page": Refusal(DELETE, raw(504, HTML), "504", sent=3),
    "400 with a page": Refusal(DELETE, raw(400, HTML), "400"),
    "429 without a code": Refusal(RECEIVE, answer(429), "429"),
    "413 with a page": Refusal(RECEIVE, raw(413, HTML), "413"),
    "broken JSON": Refusal(RECEIVE, raw(400, b"{"), "400"),
    "JSON that is a list": Refusal(RECEIVE, raw(400, b'["no"]'), "400"),
    "JSON that is null": Refusal(INVOKE, raw(400, b"null"), "400"),
    "bytes that are no text": Refusal(RECEIVE, raw(400, b"\xff\xfe"), "400"),
    "a redirect": Refusal(RECEIVE, answer(307, Location="/elsewhere"), "307"),
    "an invoke redirected": Refusal(INVOKE, answer(307, Location="/elsewhere"), "307"),
    "an invoke moved": Refusal(INVOKE, answer(302, Location="http://127.0.0.1:1/"), "302"),
    "a function throttled": Refusal(
        INVOKE,
        answer(
            429,
            {
                "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded",
                "Type": "User",
                "message": "Rate Exceeded.",
            },
            x_amzn_ErrorType="TooManyRequestsException",
            Retry_After="1",
        ),
        "TooManyRequestsException",
        1.0,
    ),
    "a function missing": Refusal(
        INVOKE,
        answer(404, {"Message": ODD, "Type": "User"}, x_amzn_ErrorType="a.b#ResourceNotFoundException:http://x/"),
        "ResourceNotFoundException",
    ),
    "an event too large": Refusal(
        INVOKE, answer(413, {"message": "m"}, x_amzn_errortype="RequestTooLargeException"), "RequestTooLargeException"
    ),
    "a code in the body": Refusal(INVOKE, answer(400, {"code": "x#A:y", "message": "m"}), "A"),
    "an invoke that failed inside": Refusal(
        INVOKE, answer(500, {"Message": "m"}, x_amzn_errortype="ServiceException"), "ServiceException"
    ),
    "an invoke not available": Refusal(INVOKE, answer(503, Retry_After="soon"), "503"),
    "an invoke not available, with a page": Refusal(INVOKE, raw(503, HTML, Retry_After="3"), "503", 3.0),
    "502 for an invoke": Refusal(INVOKE, raw(502, HTML), "502"),
    "an invoke with expired credentials": Refusal(
        INVOKE, answer(403, {"message": "m"}, x_amzn_errortype="ExpiredTokenException"), "ExpiredTokenException"
    ),
}

LOSSES: dict[str, tuple[Turn, ...]] = {
    "reset after the request": (resets,),
    "closed after the request": (ends_after(b""),),
    "closed within the head": (ends_after(b"HTTP/1.1 200 OK\r\nContent-Le"),),
    "cut body": (ends_after(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}"),),
    "cut chunked body": (ends_after(chunked(b"{}", trailer=b"")),),
    "cut within a chunk": (ends_after(chunked(b"{}", trailer=b"ff\r\n{}")),),
    "cut body of a refusal": (ends_after(b"HTTP/1.1 400 No\r\nContent-Length: 10\r\n\r\n{}"),),
    "no HTTP": (ends_after(b"SSH-2.0-OpenSSH_9.2\r\n"),),
    "no length": (ends_after(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}"),),
    "no chunks": (ends_after(chunked(trailer=b"zz\r\n")),),
}


def body_for(operation: Operation) -> bytes:
    return json.dumps(REQUESTS[operation]).encode()


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


@pytest.mark.parametrize("case", REFUSALS.values(), ids=REFUSALS)
async def test_a_refusal_is_the_same_error_after_as_many_attempts(case: Refusal) -> None:
    body = body_for(case.operation)
    by_lean, by_sdk = [await conversation(new, case.operation, body, says(case.answer)) for new in BOTH.values()]
    assert by_lean == by_sdk
    result = by_lean.result
    assert (result["error"], result["code"], result["retry_after"]) == ("ServiceError", case.code, case.retry_after)
    assert result["body"] == case.answer.partition(b"\r\n\r\n")[2]
    assert (len(by_lean.requests), by_lean.pauses) == (case.sent, case.sent - 1)


@pytest.mark.parametrize("operation", [RECEIVE, INVOKE], ids=["ReceiveMessage", "Invoke"])
@pytest.mark.parametrize("turns", LOSSES.values(), ids=LOSSES)
async def test_an_answer_that_is_none_is_lost_and_an_invoke_sent_once(
    operation: Operation, turns: tuple[Turn, ...]
) -> None:
    by_lean, by_sdk = [await conversation(new, operation, body_for(operation), *turns) for new in BOTH.values()]
    assert by_lean == by_sdk
    assert by_lean.result == {"error": "AnswerLost"}
    assert len(by_lean.requests) == (3 if operation.resend else 1)


@pytest.mark.parametrize("operation", [RECEIVE, INVOKE], ids=["ReceiveMessage", "Invoke"])
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
        await conversation(new, operation, body_for(operation), then_hangs, limit=0.05) for new in BOTH.values()
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


@pytest.mark.parametrize("operation", [RECEIVE, INVOKE], ids=["ReceiveMessage", "Invoke"])
@EITHER
async def test_nobody_listening_means_not_sent(transport: NewTransport, operation: Operation) -> None:
    async with serving(answering()) as server:
        pass
    pauses: list[float] = []
    calls = transport(str(server.origin), pauses)
    assert await result_of(calls, operation, body_for(operation)) == {"error": "NotSent"}
    assert len(pauses) == (2 if operation.resend else 0)
    await calls.close()


@EITHER
async def test_a_name_that_nobody_has_means_not_sent(transport: NewTransport) -> None:
    calls = transport("http://nobody.invalid", [])
    assert await result_of(calls, INVOKE, b"{}") == {"error": "NotSent"}
    await calls.close()


@pytest.mark.parametrize("certificate", ["expired", "wrong_name", "valid"])
@EITHER
async def test_a_certificate_that_does_not_hold_means_not_sent(transport: NewTransport, certificate: str) -> None:
    """`valid` is signed by an authority that this machine does not trust."""
    replay = Replay([says(answer(200, {}))])
    async with serving(replay, certificate=certificate, scheme_host="localhost") as server:
        calls = transport(str(server.origin), [])
        assert await result_of(calls, INVOKE, b"{}") == {"error": "NotSent"}
        await calls.close()
    assert replay.requests == []


@EITHER
async def test_a_connection_reset_within_the_tls_handshake_means_not_sent(transport: NewTransport) -> None:
    async def resets_at_once(peer: Peer) -> None:
        peer.reset()

    async with serving(resets_at_once) as server:
        calls = transport(str(server.origin).replace("http://", "https://"), [])
        assert await result_of(calls, INVOKE, b"{}") == {"error": "NotSent"}
        await calls.close()


@EITHER
async def test_a_reset_within_a_large_request_is_a_lost_answer(transport: NewTransport) -> None:
    async def resets_after_the_head(peer: Peer) -> None:
        await peer.head()
        peer.reset()

    async with serving(resets_after_the_head) as server:
        calls = transport(str(server.origin), [])
        result = await result_of(calls, INVOKE, b"x" * 6_000_000)
        await calls.close()
    assert result == {"error": "AnswerLost"}
    assert server.connections == 1


@EITHER
async def test_a_connection_reset_on_arrival_never_counts_as_answered(transport: NewTransport) -> None:
    """Whether a byte of the request was written by then is chance, so either error is right."""

    async def resets_at_once(peer: Peer) -> None:
        peer.reset()

    async with serving(resets_at_once) as server:
        calls = transport(str(server.origin), [])
        assert await result_of(calls, INVOKE, b"{}") in ({"error": "NotSent"}, {"error": "AnswerLost"})
        assert server.connections == 1
        await calls.close()


@pytest.mark.parametrize("framing", ["length", "chunks"])
@EITHER
async def test_an_answer_over_the_operations_limit_is_lost(transport: NewTransport, framing: str) -> None:
    small = Operation("lambda", "Invoke", path=INVOKE.path, resend=False, max_reply_bytes=1000)
    for size, result in ((1000, 200), (1001, "AnswerLost")):
        data = b"x" * size
        turn = says(raw(200, data) if framing == "length" else chunked(data))
        got = (await conversation(transport, small, b"{}", turn)).result
        assert got.get("status", got.get("error")) == result


@EITHER
async def test_a_slow_drip_ends(transport: NewTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service is never silent for long, and never done."""
    monkeypatch.setattr("poller.aws.sdk_session.CONNECT_TIMEOUT", 0.1)

    async def drips(peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        gone = asyncio.create_task(peer.gone())
        while not gone.done():
            await peer.send(b"x")
            await asyncio.wait([gone], timeout=0.01)

    assert (await conversation(transport, INVOKE, b"{}", drips, limit=0.1)).result == {"error": "AnswerLost"}


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


async def test_all_first_calls_at_once_make_one_client_of_the_sdk() -> None:
    replay = Replay([says(answer(200, {}))])
    async with serving(replay) as server:
        transport = reference(str(server.origin), [])
        await asyncio.gather(*(transport.call(RECEIVE, body_for(RECEIVE)) for _ in range(20)))
        assert len(transport._clients) == 1  # type: ignore[attr-defined]
        await transport.close()
    assert len(replay.requests) == 20
