import json
from typing import Any

import pytest

from poller.policy.held_records import Named, named_by, records_in

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
