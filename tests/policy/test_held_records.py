import json
from typing import Any

import pytest

from poller.policy.held_records import Named, named_by, records_in, why_given_up

INFO = {"shardId": "s", "streamArn": "arn", "startSequenceNumber": "5", "endSequenceNumber": "9", "batchSize": 3}


def test_an_invocation_record_names_a_batch():
    named = named_by({"version": "1.0", "KinesisBatchInfo": INFO}, {"arn"})
    assert named == Named("s", "5", "9", 3)
    assert [named.has(position) for position in ("4", "5", "7:1", "9", "10")] == [False, True, True, True, False]
    assert [named.is_behind(position) for position in ("9", "10")] == [False, True]


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"KinesisBatchInfo": {**INFO, "streamArn": "another"}},
        {"KinesisBatchInfo": {**INFO, "startSequenceNumber": None}},
        {"KinesisBatchInfo": {**INFO, "endSequenceNumber": "x"}},
        {"KinesisBatchInfo": {**INFO, "batchSize": "3"}},
        {"KinesisBatchInfo": {**INFO, "shardId": 1}},
    ],
)
def test_anything_else_names_none(record: dict[str, Any]) -> None:
    assert named_by(record, {"arn"}) is None


def test_an_event_may_lie_beside_the_metadata():
    assert records_in({"payload": json.dumps({"Records": [{"a": 1}]})}) == [{"a": 1}]


@pytest.mark.parametrize("payload", [None, "no JSON", "[" * 100_000, "[]", '{"Records": 1}', '{"Records": [1]}'])
def test_or_not(payload: Any) -> None:
    assert records_in({"payload": payload}) is None


CONTEXT = {
    "condition": "IsolatedByHand",
    "functionArn": "arn:aws:lambda:eu-west-1:123456789012:function:count-clicks",
    "approximateInvokeCount": 4,
}
STREAM = "table/orders/stream/2026-01-01T00:00:00.000"


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (
            {
                "requestContext": CONTEXT,
                "responseContext": {"functionError": "Unhandled"},
                "DDBStreamBatchInfo": {
                    "shardId": "s",
                    "streamArn": f"arn:aws:dynamodb:eu-west-1:123456789012:{STREAM}",
                },
            },
            f"IsolatedByHand, function error Unhandled, attempt 4, of count-clicks, from {STREAM}, shard s",
        ),
        ({"requestContext": {"condition": "RecordAgeExceeded", "functionArn": "fn"}}, "RecordAgeExceeded, of fn"),
        ({"requestContext": 7, "responseContext": {}, "KinesisBatchInfo": {"shardId": "s"}}, "shard s"),
        ({}, ""),
    ],
)
def test_an_invocation_record_says_why_its_records_were_given_up_and_whose_they_are(
    record: dict[str, Any], said: str
) -> None:
    assert why_given_up(record) == said
