"""The event of a Kinesis batch, byte for byte, and what an invocation record says of the batch."""

import base64
import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from poller import codec
from poller.record import Record
from poller.sources.kinesis.api import KinesisApi
from tests.fakes.aws import FakeAws

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
