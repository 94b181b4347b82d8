"""Express workflows: what each answer of StartSyncExecution means for a batch."""

import json

import pytest
from aiobotocore.session import AioSession

from poller.aws.endpoints import resolve_endpoint
from poller.aws.port import Reply
from poller.configuration import AwsSettings
from poller.functions.step_functions.function import StepFunctionsFunction
from poller.policy.response import Failed, NotInvoked, Succeeded
from poller.values.errors import AnswerLost, NoCredentials, NotSent, ServiceError
from tests.functions.test_lambda import Endpoint

ARN = "arn:aws:states:eu-west-1:123456789012:stateMachine:orders:live"
EVENT = '{"Records": ["é \\" x"]}'.encode()


def function(answer):
    endpoint = Endpoint(answer)
    return StepFunctionsFunction("f", endpoint, state_machine_arn=ARN, timeout=60, payload_limit=262_144), endpoint


async def outcome(answer):
    return await function(answer)[0].invoke(EVENT)


def ended(**members):
    return Reply(200, {"x-amzn-requestid": "r"}, json.dumps(members).encode())


@pytest.mark.parametrize("output", ['{"batchItemFailures": []}', "", None])
async def test_the_output_of_what_succeeded_is_the_answer(output):
    assert await outcome(ended(status="SUCCEEDED", output=output)) == Succeeded((output or "").encode(), "r")


@pytest.mark.parametrize(
    ("members", "detail"),
    [
        ({"status": "FAILED", "error": "OrderError", "cause": "no stock"}, "OrderError: no stock"),
        ({"status": "FAILED"}, "FAILED"),
        ({"status": "TIMED_OUT"}, "TIMED_OUT"),
        ({"status": "TIMED_OUT", "error": "States.Timeout", "cause": ""}, "States.Timeout"),
        ({"status": "FAILED", "cause": "x" * 1000}, "x" * 299 + "…"),
    ],
)
async def test_a_workflow_that_failed_or_took_too_long_is_a_function_error(members, detail):
    assert await outcome(ended(**members)) == Failed("function_error", detail, "r", None, 200, "Unhandled")


@pytest.mark.parametrize("body", [b"", b"not JSON", b"[]", b"{}"])
async def test_an_answer_that_is_none_has_failed(body):
    found = await outcome(Reply(200, {}, body))
    assert (type(found), found.error) == (Failed, "answer_lost")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ServiceError(400, "StateMachineDoesNotExist"), "function_missing"),
        (ServiceError(400, "StateMachineDeleting"), "function_missing"),
        (ServiceError(400, "StateMachineTypeNotSupported"), "unavailable"),
        (ServiceError(400, "ThrottlingException", retry_after=7), "throttled"),
        (ServiceError(429, "429"), "throttled"),
        (ServiceError(400, "AccessDeniedException"), "access_denied"),
        (ServiceError(400, "ExpiredTokenException"), "credentials"),
        (ServiceError(503, "503"), "unavailable"),
        (NotSent("refused"), "unreachable"),
        (NoCredentials("none"), "credentials"),
    ],
)
async def test_a_refusal_before_the_start_spends_nothing(error, code):
    found = await outcome(error)
    assert (type(found), found.code) == (NotInvoked, code)
    assert found.retry_after == getattr(error, "retry_after", None)


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (ServiceError(400, "InvalidExecutionInput"), "http_400"),
        (ServiceError(500, "500"), "http_500"),
        (AnswerLost("reset"), "answer_lost"),
    ],
)
async def test_what_can_never_pass_and_what_may_have_run_has_failed(error, name):
    found = await outcome(error)
    assert (type(found), found.error) == (Failed, name)


async def test_the_event_is_the_input_as_text_and_is_never_sent_twice():
    target, endpoint = function(ended(status="SUCCEEDED"))
    for trace in ("Root=1-2", None):
        await target.invoke(EVENT, trace)
        assert endpoint.body == {"stateMachineArn": ARN, "input": EVENT.decode()} | (
            {"traceHeader": trace} if trace else {}
        )
    operation = endpoint.operation
    assert (operation.target, operation.resend, operation.timeout) == ("AWSStepFunctions.StartSyncExecution", False, 70)


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        (AwsSettings(), "https://sync-states.eu-west-1.amazonaws.com"),
        (AwsSettings(endpoint_url="http://127.0.0.1:4566"), "http://127.0.0.1:4566"),
    ],
)
def test_the_host_of_what_is_waited_for_has_its_prefix_and_an_endpoint_of_one_s_own_has_not(settings, url):
    found = resolve_endpoint(AioSession(), settings, "stepfunctions", "eu-west-1")
    assert (found.url, found.signing_name) == (url, "states")
