"""Builds DynamoDB streams from their mappings."""

from poller.aws.port import Transport
from poller.configuration.model.mapping import EventSourceMapping
from poller.sources.dynamodb.api import DynamoDBStreamApi
from poller.sources.kind import Shared
from poller.sources.sharded.api import PolledApi, Subscriptions
from poller.sources.sharded.building import Actions, StreamBuilder

_ACTIONS = Actions(
    describe="dynamodb:DescribeStream",
    list_shards="dynamodb:DescribeStream",
    get_iterator="dynamodb:GetShardIterator",
    get_records="dynamodb:GetRecords",
)


def builder(shared: Shared) -> StreamBuilder:
    return StreamBuilder(shared, make, _ACTIONS)


def make(mapping: EventSourceMapping, transport: Transport) -> tuple[PolledApi, Subscriptions | None]:
    return DynamoDBStreamApi(transport, arn=mapping.event_source_arn, region=mapping.source.region), None
