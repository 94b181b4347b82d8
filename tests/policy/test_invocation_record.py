"""The invocation record, member by member and in order, as recorded from AWS."""

import json

import pytest

from poller.policy.invocation_record import Discarded, invocation_record, succeeded
from poller.policy.response import Failed, NotInvoked, Succeeded, TooLarge
from poller.policy.windows import Window

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:fn"
INFO = ("KinesisBatchInfo", {"shardId": "shardId-000000000001", "batchSize": 2})
NOW = 1767227886.0219  # 2026-01-01T00:38:06.021Z and something
FRESH = "00000000-0000-4000-8000-000000000000"
OWN = "c9b8fa9f-0000-4000-8000-000000000000"


def record(outcome, *, condition="RetryAttemptsExhausted", count=3, request_id=OWN):
    discarded = Discarded((), condition, count, request_id, outcome)
    return invocation_record(discarded, function_arn=FUNCTION, batch_info=INFO, now=NOW, request_id=FRESH)


def test_a_function_that_threw_is_told_in_full_and_in_order():
    outcome = Failed("Unhandled", executed_version="$LATEST", status=200, function_error="Unhandled")
    assert json.dumps(record(outcome)) == json.dumps(
        {
            "requestContext": {
                "requestId": OWN,
                "functionArn": FUNCTION,
                "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": 3,
            },
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "version": "1.0",
            "timestamp": "2026-01-01T00:38:06.021Z",
            "KinesisBatchInfo": {"shardId": "shardId-000000000001", "batchSize": 2},
        }
    )


def test_a_batch_of_a_tumbling_window_names_it_last_and_without_records_it_is_the_closing():
    window = Window(1767225600, 1767225660)
    discarded = Discarded((), "RecordAgeExceeded", 1, OWN, None, window)
    told = invocation_record(discarded, function_arn=FUNCTION, batch_info=INFO, now=NOW, request_id=FRESH)
    assert list(told)[-2:] == ["KinesisBatchInfo", "timeWindowInfo"]
    assert told["timeWindowInfo"] == {
        "window": {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T00:01:00Z"},
        "isFinalInvokeForWindow": True,
        "isWindowTerminatedEarly": False,
    }


def test_batch_item_failures_are_an_error_that_is_null():
    told = record(Succeeded(b"...", executed_version="7"))
    assert told["responseContext"] == {"statusCode": 200, "executedVersion": "7", "functionError": None}


@pytest.mark.parametrize(
    ("outcome", "status"),
    [(Failed("http_502", status=502), 502), (Failed("timeout"), 200), (Failed("answer_lost"), 200)],
)
def test_a_target_that_is_no_lambda_function_is_unhandled_with_its_own_status(outcome, status):
    assert record(outcome)["responseContext"] == {
        "statusCode": status,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    }


@pytest.mark.parametrize("outcome", [None, TooLarge(), NotInvoked("throttled")])
def test_what_never_reached_the_function_has_no_response(outcome):
    assert "responseContext" not in record(outcome)


def test_age_has_no_response_even_after_failed_attempts_and_counts_at_least_one():
    told = record(Failed("Unhandled", function_error="Unhandled"), condition="RecordAgeExceeded", count=8)
    assert "responseContext" not in told
    assert told["requestContext"]["approximateInvokeCount"] == 8
    told = record(None, condition="RecordAgeExceeded", count=0, request_id=None)
    assert told["requestContext"] == {
        "requestId": FRESH,
        "functionArn": FUNCTION,
        "condition": "RecordAgeExceeded",
        "approximateInvokeCount": 1,
    }


@pytest.mark.parametrize(("condition", "expected"), [("Success", True), ("RetryAttemptsExhausted", False)])
def test_only_the_record_of_an_asynchronous_success_is_that_of_a_success(condition, expected):
    assert succeeded(record(Succeeded(b"{}"), condition=condition)) is expected
