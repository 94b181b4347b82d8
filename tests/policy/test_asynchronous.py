"""Lambda's rules for events that are invoked asynchronously, case by case."""

import json

import pytest

from poller.policy.asynchronous import (
    Accepted,
    Again,
    Ended,
    Rules,
    after,
    is_too_old,
    read_accepted,
    record_of,
)
from poller.policy.response import Failed, Succeeded, TooLarge

NOW = 1767227886.0219
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:fn"
NEW = Accepted("r", 0, NOW)
FAILED = Failed("Unhandled", executed_version="$LATEST", status=200, function_error="Unhandled")


def test_a_failed_event_is_tried_twice_again_after_one_minute_and_two():
    first = after(FAILED, NEW, Rules(), NOW)
    assert first == Again(Accepted("r", 1, NOW), 60)
    second = after(FAILED, first.event, Rules(), NOW + 60)
    assert second == Again(Accepted("r", 2, NOW), 120)
    assert after(FAILED, second.event, Rules(), NOW + 180) == Ended("RetriesExhausted")


@pytest.mark.parametrize(
    ("outcome", "rules", "event", "expected"),
    [
        (Succeeded(), Rules(), NEW, Ended("Success")),
        (FAILED, Rules(0), NEW, Ended("RetriesExhausted")),
        (FAILED, Rules(1), Accepted("r", 1, NOW), Ended("RetriesExhausted")),
        (TooLarge(), Rules(), NEW, Ended("RetriesExhausted")),
        (FAILED, Rules(2, 60), Accepted("r", 0, NOW - 1), Ended("EventAgeExceeded")),
        (FAILED, Rules(2, 60), NEW, Again(Accepted("r", 1, NOW), 60)),
        # somebody else's count
        (FAILED, Rules(9), Accepted("r", 5, NOW), Again(Accepted("r", 6, NOW), 120)),
    ],
)
def test_what_becomes_of_an_event(outcome, rules, event, expected):
    assert after(outcome, event, rules, NOW) == expected


def test_an_event_is_too_old_beyond_its_age():
    assert not is_too_old(NEW, Rules(), NOW + 21_600)
    assert is_too_old(NEW, Rules(), NOW + 21_600.1)


def test_what_is_kept_beside_an_event_is_read_again():
    event = Accepted("é", 1, NOW)
    assert read_accepted(event.text(), message_id="m", sent=1.0) == event


@pytest.mark.parametrize(
    "text",
    [None, "", "{", "[]", "null", "{}", '{"id": 1, "attempts": 0, "at": 0}', '{"id": "a", "attempts": "0", "at": 0}'],
)
def test_an_event_of_somebody_else_is_new(text):
    assert read_accepted(text, message_id="m", sent=5.0) == Accepted("m", 0, 5.0)


def test_a_success_is_told_as_lambda_tells_it():
    told = record_of("Success", NEW, Succeeded(b"1", "x", "3"), function_arn=ARN, now=NOW)
    assert json.dumps(told) == json.dumps(
        {
            "version": "1.0",
            "timestamp": "2026-01-01T00:38:06.021Z",
            "requestContext": {
                "requestId": "r",
                "functionArn": f"{ARN}:$LATEST",
                "condition": "Success",
                "approximateInvokeCount": 1,
            },
            "responseContext": {"statusCode": 200, "executedVersion": "3"},
        }
    )


def test_a_failure_is_told_with_its_error():
    told = record_of("RetriesExhausted", Accepted("r", 2, NOW), FAILED, function_arn=f"{ARN}:live", now=NOW)
    assert told["requestContext"]["functionArn"] == f"{ARN}:live"
    assert told["requestContext"]["approximateInvokeCount"] == 3
    assert told["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
    lost = record_of("RetriesExhausted", NEW, Failed("answer_lost"), function_arn=ARN, now=NOW)
    assert lost["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}


@pytest.mark.parametrize(("outcome", "count"), [(None, 0), (TooLarge(), 1)])
def test_without_an_answer_there_is_no_response(outcome, count):
    told = record_of("EventAgeExceeded", NEW, outcome, function_arn=ARN, now=NOW)
    assert "responseContext" not in told
    assert told["requestContext"]["approximateInvokeCount"] == count
