"""What each on-failure destination is sent, on the fake account and on a real server."""

import asyncio
import json
import re
from typing import Any

import pytest

from poller.aws.error_reasons import code_of
from poller.aws.sdk_calls import SdkCalls
from poller.destinations.s3.destination import S3Destination, object_key
from poller.destinations.sns.destination import SnsDestination
from poller.destinations.sqs.destination import SqsDestination
from poller.values.errors import CallError, NotSent, ServiceError
from tests.aws.settings import Settings
from tests.fakes.aws import FakeAws
from tests.fakes.faults import ACCESS_DENIED

RECORD = {"requestContext": {"requestId": "id"}, "version": "1.0", "KinesisBatchInfo": {"shardId": "ü"}}
TEXT = '{"requestContext":{"requestId":"id"},"version":"1.0","KinesisBatchInfo":{"shardId":"ü"}}'
EVENT = '{"Records":[{"kinesis":{"data":"aGVsbG8=","partitionKey":"é\\""}}]}'
NOW = 1767227886.999
GIVEN: dict[str, Any] = {"batch_event": EVENT.encode(), "shard_id": "shardId-1", "now": NOW}


def sdk_calls(account):
    return SdkCalls(Settings(endpoint_url=account.url), account.region)


@pytest.fixture
def signed(monkeypatch, ministack):
    """Credentials of the server's account, where the SDK looks for them."""
    for name, value in ministack.environment().items():
        monkeypatch.setenv(name, value)
    return ministack


async def test_a_queue_gets_the_record_as_its_message_s_body():
    aws = FakeAws()
    queue = aws.queue("failed")
    await SqsDestination(queue.arn, aws, queue.url).send(RECORD, **GIVEN)
    [message] = queue.messages.values()
    assert message.body == TEXT


async def test_a_queue_that_refuses_is_a_call_error_that_tells_why():
    aws = FakeAws()
    queue = aws.queue("failed")
    aws.faults.script("SendMessage", ACCESS_DENIED)
    with pytest.raises(ServiceError) as caught:
        await SqsDestination(queue.arn, aws, queue.url).send(RECORD, **GIVEN)
    assert code_of(caught.value) == "access_denied"


def test_an_object_s_key_tells_mapping_shard_and_instant():
    assert object_key("uuid", "shardId-1", NOW, "x") == "aws/lambda/uuid/shardId-1/2026/01/01/2026-01-01T00.38.06-x"


@pytest.mark.live
async def test_a_bucket_gets_the_record_with_the_event_as_text(signed):
    signed.client("s3").create_bucket(Bucket="failed", CreateBucketConfiguration={"LocationConstraint": signed.region})
    destination = S3Destination("arn:aws:s3:::failed", sdk_calls(signed), "uuid")
    await asyncio.gather(destination.send(RECORD, **GIVEN), destination.send(RECORD, **GIVEN))
    objects = signed.client("s3").list_objects_v2(Bucket="failed")["Contents"]
    assert len(objects) == 2, "each send is an object of its own"
    key = objects[0]["Key"]
    assert re.fullmatch(r"aws/lambda/uuid/shardId-1/2026/01/01/2026-01-01T00\.38\.06-[0-9a-f-]{36}", key)
    stored = signed.client("s3").get_object(Bucket="failed", Key=key)
    assert stored["ContentType"] == "application/octet-stream"
    assert stored["Body"].read().decode() == TEXT[:-1] + ',"payload":' + json.dumps(EVENT, ensure_ascii=False) + "}"


@pytest.mark.live
async def test_a_topic_gets_the_record_as_its_message(signed):
    url = signed.create_queue("of-topic")
    topic = signed.client("sns").create_topic(Name="failed")["TopicArn"]
    raw = {"RawMessageDelivery": "true"}
    signed.client("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=signed.queue_arn("of-topic"), Attributes=raw
    )
    await SnsDestination(topic, sdk_calls(signed)).send(RECORD, **GIVEN)
    [message] = signed.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    assert message["Body"] == TEXT


@pytest.mark.live
async def test_a_bucket_that_is_not_there_is_missing(signed):
    with pytest.raises(CallError) as caught:
        await S3Destination("arn:aws:s3:::none", sdk_calls(signed), "uuid").send(RECORD, **GIVEN)
    assert code_of(caught.value) == "source_missing"


@pytest.mark.live
async def test_a_topic_that_is_not_there_is_missing(signed):
    arn = f"arn:aws:sns:{signed.region}:{signed.account}:none"
    with pytest.raises(CallError) as caught:
        await SnsDestination(arn, sdk_calls(signed)).send(RECORD, **GIVEN)
    assert code_of(caught.value) == "source_missing"


@pytest.mark.real_time
async def test_a_service_that_cannot_be_reached_was_not_sent_anything(credentials):
    calls = SdkCalls(Settings(endpoint_url="http://127.0.0.1:9"), "eu-west-1")
    with pytest.raises(NotSent):
        await SnsDestination("arn:aws:sns:eu-west-1:123456789012:t", calls).send(RECORD, **GIVEN)
