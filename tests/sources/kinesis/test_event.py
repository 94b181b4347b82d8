"""The event of a Kinesis batch, byte for byte, and what an invocation record says of the batch."""

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poller.policy.filtering import Verdict, compile_filters
from poller.sources.kinesis.api import KinesisApi
from poller.support import codec
from poller.values.record import Record
from tests.fakes.aws import FakeAws
from tests.policy.filtering.kinds import KINESIS_RECORDS

SAMPLES = Path(__file__).parent / "samples"
ARN = "arn:aws:kinesis:eu-west-1:123456789012:stream/s"
ROLE = "arn:aws:iam::123456789012:role/fn-role"
SHARD = "shardId-000000000006"


def api():
    return KinesisApi(FakeAws(), arn=ARN, region="eu-west-1", invoke_identity_arn=ROLE)


def records(items):
    return [Record(item, api().sequence_number(item), api().key(item)) for item in items]


def sample():
    return codec.loads((SAMPLES / "records.json").read_bytes())["Records"]


def test_the_event_is_lambda_s_to_the_byte():
    expected = json.loads((SAMPLES / "event.json").read_bytes())
    assert api().encoder(SHARD)(records(sample())) == codec.dumps(expected)


def test_a_batch_that_is_given_up_is_told_with_milliseconds():
    assert api().batch_info(SHARD, records(sample())) == (
        "KinesisBatchInfo",
        {
            "shardId": SHARD,
            "startSequenceNumber": "49590338271490256608559692538361571095921575989136588898",
            "endSequenceNumber": "49590338271490256608559692540925702759324208523137515618",
            "approximateArrivalOfFirstRecord": "2025-10-09T08:53:20.987Z",
            "approximateArrivalOfLastRecord": "2025-10-09T08:53:21.000Z",
            "batchSize": 2,
            "streamArn": ARN,
        },
    )


def test_arrival_and_key_are_read_from_the_item():
    item = sample()[1]
    assert api().arrival(item) == 1760000001.0
    assert api().key(item) == 'Schlüssel "\x01\u2028😀/'


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=256), st.binary(max_size=64))
def test_an_event_is_never_larger_than_the_answer_and_what_is_said_to_be_added(key, data):
    item = {
        "SequenceNumber": "9" * 128,
        "ApproximateArrivalTimestamp": 1760000000.987,
        "Data": base64.b64encode(data).decode(),
        "PartitionKey": key,
    }
    event = len(api().encoder("s" * 128)(records([item])))
    assert event <= len(codec.dumps(item)) + api().record_overhead
    assert event <= api().bound([item])


ITEM = {
    "SequenceNumber": "495",
    "ApproximateArrivalTimestamp": 1760000000.5,
    "Data": base64.b64encode(b'{"kind": "order"}').decode(),
    "PartitionKey": "k",
}
MEMBERS = {
    "data": {"kind": ["order"]},
    "partitionKey": ["k"],
    "sequenceNumber": ["495"],
    "approximateArrivalTimestamp": [1760000000.5],
    "kinesisSchemaVersion": ["1.0"],
    "eventID": [f"{SHARD}:495"],
    "eventName": ["aws:kinesis:record"],
    "eventSource": ["aws:kinesis"],
    "eventSourceARN": [ARN],
    "awsRegion": ["eu-west-1"],
    "invokeIdentityArn": [ROLE],
}


@pytest.mark.parametrize("member", MEMBERS)
def test_every_member_can_be_matched_those_of_kinesis_at_the_top(member):
    assert api().judge(compile_filters([{member: MEMBERS[member]}], KINESIS_RECORDS), SHARD)(ITEM)
    other = {"kind": ["other"]} if member == "data" else ["other"]
    assert not api().judge(compile_filters([{member: other}], KINESIS_RECORDS), SHARD)(ITEM)


@pytest.mark.parametrize("data", ["!", "abc", base64.b64encode(b"\xff{}").decode(), base64.b64encode(b"text").decode()])
def test_data_that_is_no_json_matches_no_pattern_for_it_and_is_told_apart(data):
    judge = api().judge(compile_filters([{"data": {"kind": ["order"]}}], KINESIS_RECORDS), SHARD)
    assert judge(ITEM | {"Data": data}) is Verdict.NOT_JSON


def test_data_nobody_looks_at_is_not_decoded():
    judge = api().judge(compile_filters([{"partitionKey": ["k"]}], KINESIS_RECORDS), SHARD)
    assert judge({name: value for name, value in ITEM.items() if name != "Data"} | {"Data": None})
