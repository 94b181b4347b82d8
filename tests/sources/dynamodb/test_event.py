"""The event of a batch from a table's stream, byte for byte, and what an invocation record says of the batch."""

import json
from pathlib import Path

import pytest

from poller.policy.filtering import compile_filters
from poller.sources.dynamodb.api import DynamoDBStreamApi
from poller.support import codec
from poller.values.record import Record
from tests.fakes.aws import FakeAws
from tests.policy.filtering.kinds import DYNAMODB_RECORDS

SAMPLES = Path(__file__).parent / "samples"
ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/T/stream/2026-01-01T00:00:00.000"


def api():
    return DynamoDBStreamApi(FakeAws(), arn=ARN, region="eu-west-1")


def records(items):
    return [Record(item, api().sequence_number(item), api().key(item)) for item in items]


def sample():
    return codec.loads((SAMPLES / "records.json").read_bytes())["Records"]


def test_the_event_is_lambda_s_to_the_byte():
    expected = json.loads((SAMPLES / "event.json").read_bytes())
    assert api().encoder("s")(records(sample())) == codec.dumps(expected)


def test_a_service_that_names_an_older_version_is_corrected_and_one_that_names_nobody_is_passed_on_without():
    item = sample()[0] | {"eventVersion": "1.0", "userIdentity": None}
    [event] = json.loads(api().encoder("s")(records([item])))["Records"]
    assert event["eventVersion"] == "1.1"
    assert "userIdentity" not in event


def test_a_batch_that_is_given_up_is_told_in_whole_seconds():
    assert api().batch_info("shardId-1", records(sample())) == (
        "DDBStreamBatchInfo",
        {
            "shardId": "shardId-1",
            "startSequenceNumber": "800000000003126276362",
            "endSequenceNumber": "800000000003126276363",
            "approximateArrivalOfFirstRecord": "2025-10-09T08:53:20Z",
            "approximateArrivalOfLastRecord": "2025-10-09T08:53:27Z",
            "batchSize": 2,
            "streamArn": ARN,
        },
    )


def test_an_item_s_key_is_one_text_whatever_the_order_of_its_attributes():
    item = sample()[1]
    turned = {"dynamodb": {"Keys": dict(reversed(item["dynamodb"]["Keys"].items()))}}
    assert api().key(item) == api().key(turned) == '[["pk",{"S":"a"}],["sk",{"N":"7"}]]'


def test_an_event_is_never_larger_than_the_answer_and_what_is_said_to_be_added():
    for item in sample():
        event = len(api().encoder("s")(records([item])))
        assert event <= len(codec.dumps(item)) + api().record_overhead == api().bound([item]) - 2


ITEM = {
    "eventID": "e",
    "eventName": "REMOVE",
    "eventVersion": "1.0",
    "eventSource": "aws:dynamodb",
    "awsRegion": "eu-west-1",
    "dynamodb": {"Keys": {"id": {"S": "x"}}, "NewImage": {"n": {"N": "5"}}, "SequenceNumber": "8"},
    "userIdentity": {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"},
}
MEMBERS = {
    "eventID": ["e"],
    "eventName": ["REMOVE"],
    "eventVersion": ["1.1"],
    "eventSource": ["aws:dynamodb"],
    "awsRegion": ["eu-west-1"],
    "eventSourceARN": [ARN],
    "dynamodb": {"Keys": {"id": {"S": ["x"]}}, "NewImage": {"n": {"N": ["5"]}}},
    "userIdentity": {"type": ["Service"], "principalId": ["dynamodb.amazonaws.com"]},
}


@pytest.mark.parametrize("member", MEMBERS)
def test_every_member_of_the_event_can_be_matched_as_the_event_has_it(member):
    assert api().judge(compile_filters([{member: MEMBERS[member]}], DYNAMODB_RECORDS), "s")(ITEM)
    other = {"x": ["other"]} if member == "dynamodb" else ["other"]
    assert not api().judge(compile_filters([{member: other}], DYNAMODB_RECORDS), "s")(ITEM)


def test_what_a_user_changed_names_nobody():
    by_user = {name: value for name, value in ITEM.items() if name != "userIdentity"}
    nobody = compile_filters([{"userIdentity": {"type": [{"exists": False}]}}], DYNAMODB_RECORDS)
    assert api().judge(nobody, "s")(by_user)
    assert not api().judge(nobody, "s")(ITEM)
