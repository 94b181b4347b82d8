"""Not invoked, failed, succeeded: what each answer of the Invoke API means for a batch."""

import json
from typing import Any

import pytest

from poller.aws.port import Reply
from poller.functions.function_errors import RESPONSE_LIMIT
from poller.functions.lambda_api.function import LambdaFunction
from poller.policy.response import Failed, NotInvoked, Succeeded, TooLarge
from poller.values.errors import AnswerLost, NoCredentials, NotSent, ServiceError


class Endpoint:
    """A transport that gives one answer."""

    def __init__(self, answer):
        self.answer = answer
        self.operation: Any = None

    async def call(self, operation, body, timeout=None, *, trace=None, room=None):  # noqa: ASYNC109 - the port's own
        self.operation = operation
        self.trace = trace
        self.body = json.loads(body)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def subscribe(self, operation, body):
        raise NotImplementedError

    async def close(self):
        """It holds nothing."""


def behind(endpoint, **changes):
    settings: dict[str, Any] = {
        "function_name": "f",
        "qualifier": None,
        "timeout": 60,
        "payload_limit": 6_291_456,
        "rie": False,
        **changes,
    }
    return LambdaFunction("f", endpoint, **settings)


async def outcome(answer, *, rie=False):
    return await behind(Endpoint(answer), rie=rie).invoke(b"{}")


@pytest.mark.parametrize(
    ("status", "code", "means"),
    [
        (429, "TooManyRequestsException", "throttled"),
        (429, "AnythingElse", "throttled"),
        (400, "ThrottlingException", "throttled"),
        (502, "EC2ThrottledException", "throttled"),
        (500, "ServiceException", "unavailable"),
        *[
            (502, code, "unavailable")
            for code in (
                 "EC2UnexpectedException", "EC2AccessDeniedException", "ENILimitReachedException",
                "SubnetIPAddressLimitReachedException", "InvalidSubnetIDException", "InvalidSecurityGroupIDException",
                "KMSDisabledException", "KMSInvalidStateException", "KMSNotFoundException", "InvalidZipFileException",
                "InvalidRuntimeException", "ResourceNotReadyException",
            )
        ],
        *[
            (408, code, "unavailable")
            for code in (
                "SnapStartTimeoutException", "EFSMountConnectivityException", "EFSMountTimeoutException",
                "S3FilesMountConnectivityException", "S3FilesMountTimeoutException",
            )
        ],
        (403, "EFSMountFailureException", "unavailable"),
        (403, "S3FilesMountFailureException", "unavailable"),
        (410, "EFSIOException", "unavailable"),
        (409, "ResourceConflictException", "unavailable"),
        (409, "SnapStartNotReadyException", "unavailable"),
        (404, "ResourceNotFoundException", "function_missing"),
        (400, "InvalidParameterValueException", "unavailable"),
        (400, "NoPublishedVersionException", "unavailable"),
        (400, "SnapStartException", "unavailable"),
        (400, "RecursiveInvocationException", "unavailable"),
        (503, "503", "unavailable"),
        (403, "AccessDeniedException", "access_denied"),
        (403, "ExpiredTokenException", "credentials"),
        (403, "UnrecognizedClientException", "credentials"),
    ],
)  # fmt: skip
async def test_a_refusal_before_the_function_ran_spends_nothing(status, code, means):
    found = await outcome(ServiceError(status, code, "why", retry_after=7))
    assert isinstance(found, NotInvoked)
    assert (found.code, found.retry_after) == (means, 7)
    assert "why" in found.detail


async def test_a_key_that_cannot_be_used_is_no_invocation_however_it_is_called():
    found = await outcome(ServiceError(502, "KMSAccessDeniedException"))
    assert isinstance(found, NotInvoked)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "InvalidRequestContentException"),
        (415, "UnsupportedMediaTypeException"),
        (500, "500"),
        (502, "502"),
        (504, "504"),
        (418, "Teapot"),
        (301, "301"),
    ],
)
async def test_what_can_never_pass_and_what_may_have_run_has_failed(status, code):
    found = await outcome(ServiceError(status, code))
    assert isinstance(found, Failed)
    assert (found.error, found.status) == (f"http_{status}", status)


@pytest.mark.parametrize("code", ["RequestTooLargeException", "SerializedRequestEntityTooLargeException"])
async def test_an_event_that_was_refused_for_its_size_is_too_large(code):
    assert isinstance(await outcome(ServiceError(413, code)), TooLarge)


@pytest.mark.parametrize(
    ("error", "means"),
    [
        (NotSent("refused"), NotInvoked("unreachable", "refused")),
        (NoCredentials("none"), NotInvoked("credentials", "none")),
    ],
)
async def test_of_which_no_byte_was_written_was_not_invoked(error, means):
    assert await outcome(error) == means


async def test_whose_answer_was_lost_has_failed():
    assert await outcome(AnswerLost("reset")) == Failed("answer_lost", "reset")


async def test_an_answer_without_a_function_error_is_a_success():
    reply = Reply(200, {"x-amzn-requestid": "r", "x-amz-executed-version": "3"}, b'{"a": 1}')
    assert await outcome(reply) == Succeeded(b'{"a": 1}', "r", "3")


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b'{"errorMessage": "boom", "errorType": "ValueError"}', "ValueError: boom"),
        (
            b'{"errorMessage": "2026 Task timed out after 3.00 seconds"}',
            "Error: 2026 Task timed out after 3.00 seconds",
        ),
        (b"not JSON", "not JSON"),
        (b"", ""),
        (b"[" * 100_000, "[" * 300),
        (b'{"errorType": "E", "errorMessage": "' + b"x" * 10_000 + b'"}', "E: " + "x" * 296 + "…"),
        (b"\xff\xfe", "��"),
    ],
)
async def test_a_function_error_has_failed_and_says_why_in_few_words(body, detail):
    found = await outcome(Reply(200, {"x-amz-function-error": "Unhandled", "x-amzn-requestid": "r"}, body))
    assert isinstance(found, Failed)
    assert (found.error, found.function_error, found.request_id, found.detail) == (
        "function_error", "Unhandled", "r", detail,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("body", "failed"),
    [
        (b'{"errorMessage": "boom", "errorType": "ValueError", "stackTrace": []}', True),
        (b"Task timed out after 3.00 seconds", True),
        (b'{"batchItemFailures": []}', False),
        (b'{"errorMessage": "a word of its own"}', False),
        (b"null", False),
        (b"", False),
        (b"plain text", False),
    ],
)
async def test_the_emulators_errors_come_as_successes_and_are_told_by_their_body(body, failed):
    assert isinstance(await outcome(Reply(200, {}, body), rie=True), Failed if failed else Succeeded)
    assert isinstance(await outcome(Reply(200, {}, body)), Succeeded), "elsewhere the body is not looked into"


@pytest.mark.parametrize(
    ("name", "qualifier", "path"),
    [
        ("thumbnails", None, "thumbnails/invocations"),
        ("thumbnails", "live", "thumbnails/invocations?Qualifier=live"),
        ("thumbnails", "$LATEST", "thumbnails/invocations?Qualifier=%24LATEST"),
        (
            "arn:aws:lambda:eu-west-1:123456789012:function:thumbnails", "7",
            "arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Athumbnails/invocations?Qualifier=7",
        ),
    ],
)  # fmt: skip
async def test_the_request_names_the_function_and_is_never_sent_twice(name, qualifier, path):
    endpoint = Endpoint(Reply(200, {}, b""))
    function = behind(endpoint, function_name=name, qualifier=qualifier)
    await function.invoke(b"{}")
    operation = endpoint.operation
    assert operation.path == f"/2015-03-31/functions/{path}"
    assert (operation.resend, operation.max_reply_bytes, operation.timeout) == (False, RESPONSE_LIMIT, 70)
    assert function.timeout == operation.timeout > 60, "Lambda's own answer about a timeout must be heard"


async def test_a_handed_over_event_asks_for_it_and_is_settled_by_202():
    endpoint = Endpoint(Reply(202, {"x-amzn-requestid": "r"}, b""))
    function = behind(endpoint, invocation_type="Event")
    assert await function.invoke(b"{}") == Succeeded(b"", "r")
    assert endpoint.operation.headers == (("x-amz-invocation-type", "Event"),)


@pytest.mark.parametrize(
    ("tail", "logs"),
    [("U1RBUlQgMQo=", "START 1\n"), ("/w==", "\ufffd"), ("not base64!", None), (None, None)],
)
async def test_the_end_of_the_log_comes_with_the_outcome_where_it_was_asked_for(tail, logs):
    headers = {"x-amzn-requestid": "r"} | ({"x-amz-log-result": tail} if tail else {})
    for error in ({}, {"x-amz-function-error": "Unhandled"}):
        endpoint = Endpoint(Reply(200, headers | error, b"{}"))
        function = behind(endpoint, log_type="Tail")
        outcome = await function.invoke(b"{}")
        assert isinstance(outcome, Succeeded | Failed)
        assert outcome.logs == logs
        assert endpoint.operation.headers == (("x-amz-log-type", "Tail"),)


async def test_an_emulator_that_is_busy_was_not_invoked_and_elsewhere_400_has_failed():
    busy = await outcome(ServiceError(400, "400"), rie=True)
    assert (type(busy), busy.code) == (NotInvoked, "throttled")
    assert isinstance(await outcome(ServiceError(400, "400")), Failed)
    assert isinstance(await outcome(ServiceError(400, "400", body=b"what"), rie=True), Failed)


async def test_the_trace_goes_along():
    endpoint = Endpoint(Reply(200, {}, b""))
    function = behind(endpoint)
    await function.invoke(b"{}", "Root=1-2")
    assert endpoint.trace == "Root=1-2"
