"""What a person is told to do fits what really happened: each row of the table with the answer that leads to it."""

import json

import pytest

from poller.aws.answers import service_error
from poller.aws.error_reasons import cause_of, text_of
from poller.aws.port import Operation, Reply
from poller.functions.invoke_answers import outcome_of
from poller.policy.advice import ADVICE, BY_BUTTON, TO_DO, advice_of, cause_of_failure, with_advice
from poller.policy.response import Failed, NotInvoked
from poller.ports.status import ReasonCode
from poller.runtime.breaker import Breaker
from poller.sources.documentdb.cluster import SetupFailed
from poller.sources.documentdb.server import CommandFailed
from poller.values.errors import AnswerLost, NoCredentials, NotSent
from tests.runtime.harness import half

ATTRIBUTES = Operation("sqs", "GetQueueAttributes", "AmazonSQS.GetQueueAttributes")
INVOKE = Operation("lambda", "Invoke", path="/2015-03-31/functions/f/invocations")


def refused(status, kind=None, message="m", operation=ATTRIBUTES, **headers):
    body = json.dumps({"__type": kind, "message": message}).encode() if kind else b""
    return service_error(operation, Reply(status, headers, body))


CALLS = {
    "call.throttled": [
        refused(400, "com.amazonaws.sqs#RequestThrottled"),
        refused(400, "com.amazonaws.kinesis.v20131202#ProvisionedThroughputExceededException"),
        refused(429),
    ],
    "call.failed": [refused(500), refused(503), refused(500, "com.amazonaws.sqs#InternalFailure")],
    "call.access_denied": [refused(403, "com.amazon.coral.service#AccessDeniedException")],
    "call.source_missing": [refused(400, "com.amazonaws.sqs#QueueDoesNotExist")],
    "call.credentials": [NoCredentials("none"), refused(403, "UnrecognizedClientException")],
    "call.unreachable": [NotSent("no connection")],
    "call.lost": [AnswerLost("reset")],
    "call.error": [refused(400, "com.amazonaws.sqs#InvalidAddress")],
    "source.credentials": [CommandFailed(18, "AuthenticationFailed", "no")],
    "source.access_denied": [CommandFailed(13, "Unauthorized", "no")],
    "source.error": [CommandFailed(40573, "", "no"), SetupFailed("no")],
    "history_lost": [CommandFailed(286, "ChangeStreamHistoryLost", "no")],
    "invalidated": [CommandFailed(260, "InvalidResumeToken", "from an invalidate notification")],
}


@pytest.mark.parametrize(("cause", "error"), [(cause, error) for cause, errors in CALLS.items() for error in errors])
def test_a_failed_call_to_aws_is_told_with_what_helps(cause, error):
    assert cause_of(error) == cause
    what, _, to_do = text_of(error, "sqs:GetQueueAttributes", "arn").partition(TO_DO)
    assert (what, to_do) == (f"sqs:GetQueueAttributes on arn: {error}", ADVICE[cause])


def lambda_says(status, code):
    return outcome_of(refused(status, code, operation=INVOKE, **{"x-amzn-errortype": code}))


REFUSALS = {
    "function.throttled": lambda_says(429, "TooManyRequestsException"),
    "function.function_missing": lambda_says(404, "ResourceNotFoundException"),
    "function.access_denied": lambda_says(403, "AccessDeniedException"),
    "function.credentials": lambda_says(403, "UnrecognizedClientException"),
    "function.unavailable": lambda_says(502, "EC2UnexpectedException"),
    "function.unreachable": outcome_of(NotSent("no connection")),
    "function.configuration": NotInvoked("configuration", "the file is not there"),
}


@pytest.mark.parametrize(("cause", "outcome"), REFUSALS.items(), ids=REFUSALS)
def test_an_open_circuit_is_told_with_what_helps_against_its_cause(cause, outcome):
    assert f"function.{outcome.code}" == cause
    breaker = Breaker(half)
    now = 0.0
    while not breaker.circuit.refused(outcome, now, half, 0):
        now += 1.0
    assert breaker.causes == (cause,)
    assert TO_DO not in breaker.text


FAILURES = {
    "failed.refused": ["http_401: no such token", "http_403", "http_407"],
    "failed.no_such_path": ["http_404: <html>", "http_405", "http_410"],
    "failed.redirect": ["http_301", "http_302", "http_303", "http_307", "http_308"],
    "failed.answer_lost": ["answer_lost: no complete answer in time"],
    "failed": ["function_error: ValueError: no", "http_500", "http_400: no", "records were named as failed", ""],
}


@pytest.mark.parametrize(("cause", "failure"), [(cause, one) for cause, all_ in FAILURES.items() for one in all_])
def test_a_failed_invocation_is_told_with_what_helps(cause, failure):
    assert cause_of_failure(failure) == cause
    assert with_advice(failure, cause, "retry") == f"{failure}{TO_DO}{ADVICE[cause]}; {ADVICE['retry']}"


def test_a_401_of_a_target_is_not_sent_to_the_functions_log():
    assert Failed("http_401", "who are you", status=401).error == "http_401"
    assert "log" not in ADVICE[cause_of_failure("http_401: who are you")]


QUEUES = ["queue.redriven", "queue.repeated"]
"""Of a message that is back in its queue: tests/sources/sqs/test_waits.py has the queues that lead to them."""


def test_every_row_is_that_of_a_cause_or_of_a_reason():
    causes = {*CALLS, *REFUSALS, *FAILURES, *QUEUES}
    assert causes <= {*ADVICE}
    assert {*ADVICE} - causes <= {code.value for code in ReasonCode}


def test_what_nobody_knows_a_remedy_for_is_told_as_it_is():
    assert with_advice("it is odd", "unknown") == "it is odd"


@pytest.mark.parametrize("cause", BY_BUTTON)
def test_the_page_names_buttons_where_the_commands_stand_elsewhere(cause):
    assert cause in ADVICE
    assert advice_of([cause]) == ADVICE[cause]
    assert advice_of([cause], by_button=True) == BY_BUTTON[cause]
    assert "`poller" not in BY_BUTTON[cause]


def test_several_causes_each_have_their_advice_and_unknown_ones_none():
    causes = ("failed.answer_lost", "unknown", "retry")
    assert advice_of(causes) == f"{ADVICE['failed.answer_lost']}; {ADVICE['retry']}"
    # a cause whose advice has that of another one in it keeps its own words
    assert advice_of(causes, by_button=True) == f"{ADVICE['failed.answer_lost']}; {BY_BUTTON['retry']}"
    assert advice_of(["unknown"], by_button=True) == ""
