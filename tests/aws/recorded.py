"""Conversations with AWS as they were recorded or are documented, and what of HTTP goes wrong on the way."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from poller.aws.port import Operation
from tests.aws.conversation import Turn, ends_after, resets
from tests.aws.service import answer
from tests.fakes.operations import invoke, sqs

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


READ_OR_INVOKE = pytest.mark.parametrize("operation", [RECEIVE, INVOKE], ids=["ReceiveMessage", "Invoke"])
"""The two kinds there are: what may be sent again, and what may not."""
