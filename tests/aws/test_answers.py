"""Refusals have the values the SDK gives them."""

import json

import pytest
from botocore.parsers import create_parser
from hypothesis import given
from hypothesis import strategies as st

from poller.aws.answers import retry_after, service_error, timestamp
from poller.aws.port import Operation, Reply

SQS = Operation("sqs", "ReceiveMessage", "AmazonSQS.ReceiveMessage")
INVOKE = Operation("lambda", "Invoke", path="/2015-03-31/functions/f/invocations")

CASES = {
    "type with namespace": (SQS, 400, {}, {"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "none"}),
    "bare type": (SQS, 400, {}, {"__type": "ResourceNotFoundException", "Message": "none"}),
    "type with suffix": (SQS, 400, {}, {"__type": "Throttled:http://x#y", "message": "m"}),
    "query code": (
        SQS,
        400,
        {"x-amzn-query-error": "AWS.SimpleQueueService.NonExistentQueue;Sender"},
        {"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "none"},
    ),
    "query code that is none": (SQS, 400, {"x-amzn-query-error": "x"}, {"__type": "A"}),
    "query code that is empty": (SQS, 400, {"x-amzn-query-error": ";Sender"}, {"__type": "A"}),
    "no type": (SQS, 403, {}, {"message": "m"}),
    "nothing": (SQS, 400, {}, None),
    "nothing from a load balancer": (SQS, 503, {}, None),
    "header for REST": (
        INVOKE,
        429,
        {"x-amzn-errortype": "TooManyRequestsException:http://x/"},
        {"Reason": "r", "message": "m"},
    ),
    "header for REST with namespace": (
        INVOKE,
        404,
        {"x-amzn-errortype": "a.b#ResourceNotFoundException"},
        {"Message": "m"},
    ),
    "code for REST": (INVOKE, 400, {}, {"code": "x#InvalidRequestContentException:y", "message": "m"}),
    "Code for REST": (INVOKE, 400, {}, {"Code": "A", "message": "m"}),
    "header means nothing in JSON": (SQS, 400, {"x-amzn-errortype": "A"}, {"__type": "B"}),
    "code means nothing in JSON": (SQS, 400, {}, {"code": "A"}),
}


def by_sdk(operation: Operation, reply: Reply) -> tuple[str, str]:
    parser = create_parser("rest-json" if operation.target is None else "json")
    response = {"status_code": reply.status, "headers": reply.headers, "body": reply.body}
    error = parser.parse(response, None)["Error"]
    return error["Code"], error["Message"]


def same(operation: Operation, reply: Reply) -> bool:
    error = service_error(operation, reply)
    return (error.code, error.message) == by_sdk(operation, reply)


@pytest.mark.parametrize(("operation", "status", "headers", "body"), CASES.values(), ids=CASES)
def test_code_and_message_are_the_sdks(
    operation: Operation, status: int, headers: dict[str, str], body: object
) -> None:
    assert same(operation, Reply(status, headers, b"" if body is None else json.dumps(body).encode()))


@pytest.mark.parametrize(
    "body", [b"<html>no</html>", b" \n", b"<html", b"plain text", b"{broken", b"[", b"\xef\xbb\xbf{}"]
)
@pytest.mark.parametrize("status", [400, 500, 502, 599])
def test_bodies_that_are_no_json_are_read_as_the_sdk_reads_them(status: int, body: bytes) -> None:
    assert same(SQS, Reply(status, {}, body))


names = st.text("aA#:.;", max_size=8)


@given(
    operation=st.sampled_from([SQS, INVOKE]),
    status=st.sampled_from([400, 403, 404, 429, 500, 503]),
    headers=st.dictionaries(st.sampled_from(["x-amzn-query-error", "x-amzn-errortype"]), names),
    body=st.dictionaries(st.sampled_from(["__type", "code", "Code", "message", "Message", "other"]), names),
)
def test_whatever_form_a_refusal_has_it_is_the_sdks(
    operation: Operation, status: int, headers: dict[str, str], body: dict[str, str]
) -> None:
    assert same(operation, Reply(status, headers, json.dumps(body).encode()))


@given(
    body=st.binary(max_size=60)
    | st.recursive(st.none() | st.integers(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_no_body_makes_reading_it_fail(body: bytes) -> None:
    for operation in (SQS, INVOKE):
        error = service_error(operation, Reply(418, {}, body))
        assert (error.status, error.code, error.body) == (418, "418", body)


def test_retry_after_is_seconds_or_counts_from_the_answers_own_date() -> None:
    date = "Wed, 21 Oct 2026 07:28:00 GMT"
    assert retry_after({}) is None
    assert retry_after({"retry-after": " 7 "}) == 7
    assert retry_after({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": date}) == 30
    assert retry_after({"retry-after": date, "date": "Wed, 21 Oct 2026 07:28:30 GMT"}) == 0
    assert retry_after({"retry-after": date}) is None
    for nonsense in ("", "soon", "-1", "1e9", "nan", "99999999999999999999"):
        assert retry_after({"retry-after": nonsense, "date": date}) is None
    assert service_error(SQS, Reply(503, {"retry-after": "3"}, b"")).retry_after == 3


def test_a_date_is_read_and_nonsense_is_not() -> None:
    assert timestamp("Thu, 01 Jan 1970 00:00:10 GMT") == 10
    for nonsense in ("", "yesterday", "Thu, 99 Jan 1970 00:00:10 GMT", "Thu, 01 Jan 999999 00:00:10 GMT"):
        assert timestamp(nonsense) is None
