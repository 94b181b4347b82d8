"""Builds Kinesis streams from their mappings."""

from poller.aws.port import Transport
from poller.configuration.model.mapping import EventSourceMapping
from poller.sources.kind import Shared
from poller.sources.kinesis.api import KinesisApi
from poller.sources.kinesis.fan_out import FanOut
from poller.sources.kinesis.parameters import PUSH_ACTION
from poller.sources.sharded.api import PolledApi, Subscriptions
from poller.sources.sharded.building import Actions, StreamBuilder

_ACTIONS = Actions(
    describe="kinesis:DescribeStreamSummary",
    list_shards="kinesis:ListShards",
    get_iterator="kinesis:GetShardIterator",
    get_records="kinesis:GetRecords",
)


def builder(shared: Shared) -> StreamBuilder:
    return StreamBuilder(shared, make, _ACTIONS, PUSH_ACTION)


def make(mapping: EventSourceMapping, transport: Transport) -> tuple[PolledApi, Subscriptions | None]:
    api = KinesisApi(
        transport,
        # where a consumer is the source, polled calls still name the stream itself
        arn=mapping.source.stream_arn,
        source_arn=mapping.event_source_arn,
        region=mapping.source.region,
        invoke_identity_arn=_identity(mapping),
        deaggregate=mapping.deaggregate or mapping.source.fan_out,
    )
    return api, FanOut(api, transport, mapping.event_source_arn) if mapping.source.fan_out else None


def _identity(mapping: EventSourceMapping) -> str:
    """The role that events name: as configured, else the role assumed, else one that stands for the daemon's own."""
    account = mapping.source.account
    return mapping.function.invoke_identity_arn or mapping.aws.role_arn or f"arn:aws:iam::{account}:role/poller"
