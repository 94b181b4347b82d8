"""The lean transport against the SDK's clients on one account behind a socket: the same conversation, the same bytes.

Each conversation runs against two accounts of the same history, one for each transport.
"""

import asyncio
import contextlib
import json

import pytest
from aiobotocore.session import AioSession

from poller.aws.credentials import CredentialSource
from poller.aws.endpoints import Endpoint
from poller.aws.lean import LeanTransport
from poller.aws.sdk_transport import ReferenceTransport
from poller.aws.signer import Credentials
from poller.sources.dynamodb.api import DynamoDBStreamApi
from poller.sources.kinesis.api import KinesisApi
from poller.sources.sharded.api import Position
from poller.values.errors import (
    AnswerLost,
    IteratorExpired,
    PollerError,
    PositionTrimmed,
    ServiceError,
    ShardGone,
    StreamGone,
)
from tests.fakes.aws import FakeAws
from tests.fakes.faults import INTERNAL, LOST_AFTER, refused
from tests.fakes.operations import dynamodb_streams, kinesis
from tests.fakes.server import serving

pytestmark = pytest.mark.real_time
CLOCK = 1_767_225_600.25


class Keys:
    async def get_credentials(self):
        return self

    async def get_frozen_credentials(self):
        return Credentials("KEY", "secret", None)


@contextlib.asynccontextmanager
async def lean(url):
    async def at_once(_):
        pass

    transport = LeanTransport(
        credentials=CredentialSource(Keys, asyncio.get_running_loop().time),
        endpoint=lambda service: Endpoint(url, "eu-west-1", service),
        sleep=at_once,
    )
    try:
        yield transport
    finally:
        await transport.close()


@contextlib.asynccontextmanager
async def reference(url):
    session = AioSession()
    session.set_credentials("KEY", "secret")
    transport = ReferenceTransport(lambda: session, "eu-west-1", lambda _: (url, None))
    try:
        yield transport
    finally:
        await transport.close()


def history():
    """The same each time: the clock stands still."""
    aws = FakeAws(clock=lambda: CLOCK)
    stream = aws.stream("s", shards=3, shards_per_page=2)
    table = aws.table("t")
    for number in range(30):
        stream.put(f"kéy {number}", bytes([number]) * number)
        table.put(f"kéy {number % 7}", n={"N": str(number)}, text={"S": '😀 \u2028 "'})
    low, high, _ = stream.open_shards()
    stream.merge(low, high)
    table.rollover(into=2)
    return aws, stream, table


async def told(awaited):
    """What came back, or what was raised, as a value."""
    try:
        found = await awaited
    except PollerError as error:
        return type(error), getattr(error, "code", None), getattr(error, "status", None)
    if hasattr(found, "body"):
        return found.status, found.headers["date"], bytes(found.body)
    return repr(found)


async def replies(conversation):
    """Of both transports."""
    found = []
    for transport in (lean, reference):
        aws, stream, table = history()
        async with serving(aws) as url, transport(url) as opened:
            found.append([await told(step) for step in conversation(opened, aws, stream, table)])
    return found


def body(**members):
    return json.dumps(members).encode()


def of_kinesis(transport, aws, stream, table):
    shard, *_ = stream.shards
    yield transport.call(kinesis("DescribeStreamSummary"), body(StreamARN=stream.arn))
    yield transport.call(kinesis("ListShards"), body(StreamARN=stream.arn))
    at = stream.position(stream.shards[shard], "TRIM_HORIZON", None, None).token()
    yield transport.call(kinesis("GetRecords"), body(ShardIterator=at, Limit=3))
    yield transport.call(kinesis("GetRecords"), body(ShardIterator=at))
    yield transport.call(kinesis("GetRecords"), body(ShardIterator="bad"))
    asked = {"StreamARN": stream.arn, "ShardId": shard, "ShardIteratorType": "AT_TIMESTAMP"}
    yield transport.call(kinesis("GetShardIterator"), body(**asked, Timestamp=CLOCK - 0.125))
    yield transport.call(kinesis("GetShardIterator"), body(**asked | {"ShardId": "none"}, Timestamp=CLOCK))
    yield transport.call(kinesis("GetShardIterator"), body(**asked))


def of_dynamodb(transport, aws, stream, table):
    shard, *_ = table.shards
    yield transport.call(dynamodb_streams("DescribeStream"), body(StreamArn=table.arn, Limit=2))
    yield transport.call(dynamodb_streams("DescribeStream"), body(StreamArn=table.arn + "1"))
    at = table.position(table.shards[shard], "TRIM_HORIZON", None, None).token()
    yield transport.call(dynamodb_streams("GetRecords"), body(ShardIterator=at, Limit=3))
    yield transport.call(dynamodb_streams("GetRecords"), body(ShardIterator=at))
    asked = {"StreamArn": table.arn, "ShardId": shard}
    yield transport.call(dynamodb_streams("GetShardIterator"), body(**asked, ShardIteratorType="LATEST"))
    after = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": "1"}
    yield transport.call(dynamodb_streams("GetShardIterator"), body(**asked, **after))


def of_faults(transport, aws, stream, table):
    """Each once is survived by all, for the calls may be sent again."""
    aws.faults.script("ListShards", refused(400, "ProvisionedThroughputExceededException", "slow"), INTERNAL)
    yield transport.call(kinesis("ListShards"), body(StreamARN=stream.arn))
    aws.faults.script("DescribeStream", LOST_AFTER)
    yield transport.call(dynamodb_streams("DescribeStream"), body(StreamArn=table.arn))
    aws.faults.always("ListShards", refused(400, "LimitExceededException", "too many"))
    yield transport.call(kinesis("ListShards"), body(StreamARN=stream.arn))
    aws.faults.always("ListShards", LOST_AFTER)
    yield transport.call(kinesis("ListShards"), body(StreamARN=stream.arn))


def through_the_apis(transport, aws, stream, table):
    streams = KinesisApi(transport, arn=stream.arn, region="eu-west-1", invoke_identity_arn="arn")
    tables = DynamoDBStreamApi(transport, arn=table.arn, region="eu-west-1")
    for api, source in ((streams, stream), (tables, table)):
        shard, *_ = source.shards
        yield api.facts()
        yield api.shards()
        yield api.iterator(shard, Position("TRIM_HORIZON"))
        yield api.iterator("none", Position("TRIM_HORIZON"))
        yield api.page(source.position(source.shards[shard], "TRIM_HORIZON", None, None).token(), 1000)
        yield api.page("bad", 1)
    table.trim()
    yield tables.iterator(shard, Position("AFTER_SEQUENCE_NUMBER", str(table.shards[shard].trimmed)))
    aws.streams.delete_stream("s")
    yield streams.facts()


@pytest.fixture
def no_pauses(monkeypatch):
    """The SDK sleeps between attempts, for seconds."""
    sleep = asyncio.sleep
    monkeypatch.setattr(asyncio, "sleep", lambda _, result=None: sleep(0, result))


@pytest.mark.parametrize(
    ("conversation", "outcomes"),
    [
        (of_kinesis, [200, 200, 200, 200, ServiceError, 200, ServiceError, ServiceError]),
        (of_dynamodb, [200, ServiceError, 200, 200, 200, ServiceError]),
        (of_faults, [200, 200, ServiceError, AnswerLost]),
    ],
)
async def test_both_transports_tell_the_same(no_pauses, conversation, outcomes):
    ours, sdks = await replies(conversation)
    assert ours == sdks
    assert [one[0] for one in ours] == outcomes


async def test_streams_are_the_same_through_both_transports(no_pauses):
    ours, sdks = await replies(through_the_apis)
    assert ours == sdks
    assert [one[0] for one in ours if isinstance(one, tuple)] == [
        *(ShardGone, IteratorExpired) * 2,
        PositionTrimmed,
        StreamGone,
    ]
