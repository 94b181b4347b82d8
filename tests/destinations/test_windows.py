"""What a destination is given of a batch in a tumbling window: the whole event, as the function had it."""

import json

import pytest

from poller.configuration.model.functions import FunctionConfig
from poller.configuration.model.mapping import EventSourceMapping
from poller.functions.arns import arn_of
from poller.functions.lambda_api.options import LambdaOptions
from poller.policy.invocation_record import Discarded
from poller.policy.windows import Window
from poller.sources.kinds import parse_source
from poller.sources.kinesis.api import KinesisApi
from poller.sources.sharded.notifying import notifier
from poller.values.record import Record
from tests.fakes.aws import FakeAws

STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/s"
ITEM = {"SequenceNumber": "7", "PartitionKey": "k", "Data": "eA==", "ApproximateArrivalTimestamp": 1767225601.5}
OPEN = Window(1767225600, 1767225660, b'{"n":1}', 1)


class Destination:
    name = "arn:aws:s3:::failed"

    async def send(self, record, *, batch_event, shard_id, now):
        self.record, self.event = record, json.loads(batch_event)


@pytest.mark.parametrize("records", [[], [Record(ITEM, "7")]], ids=["closing", "batch"])
async def test_the_event_of_a_batch_given_up_has_the_members_of_its_window(records):
    function = FunctionConfig(key="f", type="lambda", options=LambdaOptions(function_name="f"), timeout_seconds=30)
    mapping = EventSourceMapping(
        name="m", uuid="u", event_source_arn=STREAM, source=parse_source(STREAM), function=function
    )
    api = KinesisApi(FakeAws(), arn=STREAM, region="eu-west-1", invoke_identity_arn="arn:role")
    destination = Destination()
    discarded = Discarded(records, "RetryAttemptsExhausted", 3, "r", None, OPEN)
    notify = notifier(api, destination, function_arn=arn_of(mapping), event_source_arn=mapping.event_source_arn)
    await notify(discarded, "shardId-0", 1767225700.0)
    assert len(destination.event.pop("Records")) == len(records)
    assert destination.event == {
        "window": OPEN.bounds,
        "state": {"n": 1},
        "shardId": "shardId-0",
        "eventSourceARN": STREAM,
        "isFinalInvokeForWindow": not records,
        "isWindowTerminatedEarly": False,
    }
    assert set(destination.record["KinesisBatchInfo"]) >= {"shardId", "streamArn"}
    assert ("batchSize" in destination.record["KinesisBatchInfo"]) == bool(records)
