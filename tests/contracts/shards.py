"""What the contract of `PolledApi` runs over: the fakes and the local servers, each with one stream of one shard."""

import asyncio
import functools
import itertools
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import pytest

from poller.aws.credentials import CredentialSource
from poller.aws.endpoints import SIGNING_NAMES, Endpoint
from poller.aws.lean import LeanTransport
from poller.aws.port import Transport
from poller.aws.signer import Credentials
from poller.sources.dynamodb.api import DynamoDBStreamApi
from poller.sources.kinesis.api import KinesisApi
from poller.sources.kinesis.fan_out import FanOut
from poller.sources.sharded.api import PolledApi, Position, ShardPage
from tests.fakes.aws import FakeAws
from tests.servers.account import Account

REGION = "eu-west-1"
KINESIS = ("fake_kinesis", "ministack_kinesis", "kinesis_local")
TABLES = ("fake_table", "ministack_table")
MARKS: dict[str, list[pytest.MarkDecorator]] = {
    "ministack_kinesis": [pytest.mark.live],
    "ministack_table": [pytest.mark.live],
    "kinesis_local": [pytest.mark.live, pytest.mark.slow],
}
_names = (f"stream-{number}" for number in itertools.count())


class Backend(Protocol):
    @property
    def api(self) -> PolledApi: ...

    @property
    def missing(self) -> PolledApi:
        """Of a stream that is not there."""
        ...

    @property
    def transport(self) -> Transport: ...

    def put(self, key: str, value: str) -> None:
        """One record; of a table the item of that key is written."""
        ...

    def end(self) -> None:
        """The one shard is closed."""
        ...

    def merge(self) -> None:
        """The two shards that a split left become one; streams only."""
        ...

    def consumer(self, name: str = "c") -> FanOut:
        """A registered consumer, active; streams only."""
        ...


def kinesis(transport: Transport, arn: str) -> KinesisApi:
    return KinesisApi(transport, arn=arn, region=REGION, invoke_identity_arn="arn:aws:iam::123456789012:role/r")


def table(transport: Transport, arn: str) -> DynamoDBStreamApi:
    return DynamoDBStreamApi(transport, arn=arn, region=REGION)


class FakeKinesisBackend:
    def __init__(self) -> None:
        self.transport = FakeAws()
        self.stream = self.transport.stream("s", reads_per_second=None)
        self.api: KinesisApi = kinesis(self.transport, self.stream.arn)
        self.missing: PolledApi = kinesis(self.transport, self.stream.arn + "none")

    def put(self, key: str, value: str) -> None:
        self.stream.put(key, value)

    def end(self) -> None:
        self.stream.split(*self.stream.open_shards())

    def merge(self) -> None:
        self.stream.merge(*self.stream.open_shards())

    def consumer(self, name: str = "c") -> FanOut:
        return FanOut(self.api, self.transport, self.transport.streams.fan_out.register(self.stream, name))


class FakeTableBackend:
    def __init__(self) -> None:
        self.transport = FakeAws()
        self.table = self.transport.table("t", reads_per_second=None)
        self.api: PolledApi = table(self.transport, self.table.arn)
        self.missing: PolledApi = table(self.transport, self.table.arn + "1")

    def put(self, key: str, value: str) -> None:
        self.table.put(key, value={"S": value})

    def end(self) -> None:
        self.table.disable()

    def merge(self) -> None:
        raise NotImplementedError

    def consumer(self, name: str = "c") -> FanOut:
        raise NotImplementedError


class _Keys:
    def __init__(self, account: Account) -> None:
        self._account = account

    async def get_credentials(self) -> Any:
        return self

    async def get_frozen_credentials(self) -> Credentials:
        return Credentials(self._account.client_arguments()["aws_access_key_id"], "secret", None)


def transport_to(account: Account) -> LeanTransport:
    return LeanTransport(
        credentials=CredentialSource(lambda: _Keys(account), asyncio.get_running_loop().time),
        endpoint=lambda service: Endpoint(account.url, REGION, SIGNING_NAMES.get(service, service)),
    )


class ServerKinesisBackend:
    def __init__(self, account: Account) -> None:
        self._client = account.client("kinesis")
        self.name = next(_names)
        self._client.create_stream(StreamName=self.name, ShardCount=1)
        self._settle()
        arn = f"arn:aws:kinesis:{REGION}:{account.account}:stream/{self.name}"
        self.transport = transport_to(account)
        self.api: KinesisApi = kinesis(self.transport, arn)
        self.missing: PolledApi = kinesis(self.transport, arn + "none")

    def put(self, key: str, value: str) -> None:
        self._client.put_record(StreamName=self.name, PartitionKey=key, Data=value.encode())

    def end(self) -> None:
        [shard] = self._open()
        middle = str(2**127)
        self._client.split_shard(StreamName=self.name, ShardToSplit=shard, NewStartingHashKey=middle)
        self._settle()

    def merge(self) -> None:
        low, high = self._open()
        self._client.merge_shards(StreamName=self.name, ShardToMerge=low, AdjacentShardToMerge=high)
        self._settle()

    def consumer(self, name: str = "c") -> FanOut:
        arn = self._client.register_stream_consumer(StreamARN=self.api.arn, ConsumerName=name)["Consumer"][
            "ConsumerARN"
        ]
        for _ in range(1000):
            described = self._client.describe_stream_consumer(ConsumerARN=arn)["ConsumerDescription"]
            if described["ConsumerStatus"] == "ACTIVE":
                break
        return FanOut(self.api, self.transport, arn)

    def _open(self) -> list[str]:
        shards = self._client.list_shards(StreamName=self.name)["Shards"]
        return [shard["ShardId"] for shard in shards if "EndingSequenceNumber" not in shard["SequenceNumberRange"]]

    def _settle(self) -> None:
        waiter = self._client.get_waiter("stream_exists")
        waiter.wait(StreamName=self.name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 200})


class ServerTableBackend:
    def __init__(self, account: Account) -> None:
        self._client = account.client("dynamodb")
        self.name = next(_names)
        described = self._client.create_table(
            TableName=self.name,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )["TableDescription"]
        self.transport = transport_to(account)
        self.api: PolledApi = table(self.transport, described["LatestStreamArn"])
        self.missing: PolledApi = table(self.transport, described["LatestStreamArn"] + "1")

    def put(self, key: str, value: str) -> None:
        self._client.put_item(TableName=self.name, Item={"pk": {"S": key}, "value": {"S": value}})

    def end(self) -> None:
        self._client.update_table(TableName=self.name, StreamSpecification={"StreamEnabled": False})

    def merge(self) -> None:
        raise NotImplementedError

    def consumer(self, name: str = "c") -> FanOut:
        raise NotImplementedError


def make(name: str, request: pytest.FixtureRequest) -> Callable[[], Backend]:
    """Called on the test's loop, where transports must be made."""
    builders: dict[str, Callable[[], Backend]] = {
        "fake_kinesis": FakeKinesisBackend,
        "fake_table": FakeTableBackend,
        "ministack_kinesis": lambda: ServerKinesisBackend(request.getfixturevalue("ministack")),
        "ministack_table": lambda: ServerTableBackend(request.getfixturevalue("ministack")),
        "kinesis_local": lambda: ServerKinesisBackend(request.getfixturevalue("kinesis_local")),
    }
    return builders[name]


def promise(*names: str, **wrong: str) -> Callable[[Any], Any]:
    """Run a test over these backends but for those known to be wrong: `backend="what it does instead"`."""
    assert set(wrong) <= set(names), wrong
    right = [pytest.param(name, marks=MARKS.get(name, ())) for name in names if name not in wrong]

    def decorate(test: Callable[[Backend], Awaitable[None]]) -> Any:
        @functools.wraps(test)
        async def keeping(shards: Callable[[], Backend]) -> None:
            backend = shards()
            try:
                await test(backend)
            finally:
                await backend.transport.close()

        # pytest reads the parameters of what is wrapped
        del keeping.__wrapped__
        return pytest.mark.parametrize("shards", right, indirect=True)(keeping)

    return decorate


async def only_shard(api: PolledApi) -> str:
    [shard] = await api.shards()
    return shard.id


async def read(api: PolledApi, shard: str, position: Position, most: int, limit: int = 1000) -> list[ShardPage]:
    """Pages until they hold `most` records, or the shard ends."""
    iterator: str | None = await api.iterator(shard, position)
    pages: list[ShardPage] = []
    while iterator is not None and sum(len(page.records) for page in pages) < most:
        pages.append(await api.page(iterator, limit))
        iterator = pages[-1].next_iterator
    return pages
