"""The streams' part of the wiring: which service, destination and limits stand behind a mapping of a stream."""

import random
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from uuid import uuid4

from poller.aws.transports import Borrowed, Transports
from poller.configuration import EventSourceMapping
from poller.engine.function_arns import arn_of
from poller.policy.backoff import Chance
from poller.policy.invocation_record import Discarded, invocation_record
from poller.policy.stream_delivery import StreamPolicy
from poller.ports.destination import Destination
from poller.ports.status import MappingStatus
from poller.ports.store import StateStore
from poller.runtime.admission import Admission
from poller.sources.dynamodb.api import DynamoDBStreamApi
from poller.sources.kinesis.api import KinesisApi
from poller.sources.kinesis.fan_out import FanOut
from poller.sources.sharded.api import ShardApi, Subscriptions
from poller.sources.sharded.limits import ReadLimits
from poller.sources.sharded.source import ShardedSource
from poller.sources.sharded.stream import Notify, Stream, StreamOptions
from poller.sources.sharded.window_event import with_window
from poller.support import codec
from poller.support.rate_limited_log import RateLimitedLog
from poller.values.partitions import dns_suffix


@dataclass(slots=True)
class Streams:
    """What a mapping of a stream is built from; all but its transports is shared by all of them."""

    transports: Borrowed | Transports
    """Those of one mapping, or of whoever builds parts to try them and closes all."""
    store: StateStore
    mappings: Collection[str]
    """The uuids of all that are configured, enabled or not."""
    limits: ReadLimits
    chance: Chance = random.random
    wall: Callable[[], float] = time.time

    async def source(
        self, mapping: EventSourceMapping, admission: Admission, status: MappingStatus, log: RateLimitedLog
    ) -> ShardedSource:
        """The source of one mapping. Makes no call."""
        api = await self.api(mapping)
        destination = await self._destination(mapping)
        stream = Stream(
            uuid=mapping.uuid,
            name=mapping.name,
            arn=mapping.event_source_arn,
            api=api,
            subscriptions=await self.subscriptions(mapping),
            options=StreamOptions(
                mapping.starting_position,
                mapping.starting_position_timestamp,
                mapping.parallelization_factor,
                mapping.tumbling_window_in_seconds,
                mapping.poll_interval_seconds,
                mapping.idle_poll_interval_seconds,
                mapping.on_stream_recreated,
                mapping.max_bytes_in_flight,
            ),
            policy=StreamPolicy(
                mapping.maximum_retry_attempts,
                mapping.maximum_record_age_in_seconds,
                mapping.bisect_batch_on_function_error,
                mapping.report_batch_item_failures,
            ),
            store=self.store,
            admission=admission,
            status=status,
            limits=self.limits,
            notify=None if destination is None else _notify(mapping, api, destination),
            chance=self.chance,
            log=log,
            wall=self.wall,
            criteria=mapping.criteria(codec.fast_loads) if mapping.filter_criteria else None,
        )
        status.last_result = "No records processed"
        return ShardedSource(stream, self.mappings)

    async def api(self, mapping: EventSourceMapping) -> ShardApi:
        """The calls to its stream. Makes none."""
        return await _APIS[mapping.source.kind](self, mapping)

    async def kinesis(self, mapping: EventSourceMapping) -> KinesisApi:
        """By the stream's own ARN, also where a consumer of it is the source."""
        transport = await self.transports.get(mapping.aws, mapping.region)
        return KinesisApi(
            transport,
            arn=mapping.source.stream_arn,
            source_arn=mapping.event_source_arn,
            region=mapping.source.region,
            invoke_identity_arn=_identity(mapping),
            deaggregate=mapping.deaggregate or mapping.source.fan_out,
        )

    async def subscriptions(self, mapping: EventSourceMapping) -> Subscriptions | None:
        """Enhanced fan-out, where a consumer is the source. Makes no call."""
        if not mapping.source.fan_out:
            return None
        transport = await self.transports.get(mapping.aws, mapping.region)
        return FanOut(await self.kinesis(mapping), transport, mapping.event_source_arn)

    async def dynamodb(self, mapping: EventSourceMapping) -> ShardApi:
        """A table's stream."""
        transport = await self.transports.get(mapping.aws, mapping.region)
        return DynamoDBStreamApi(transport, arn=mapping.event_source_arn, region=mapping.source.region)

    async def _destination(self, mapping: EventSourceMapping) -> Destination | None:
        arn = mapping.on_failure_destination
        return None if arn is None else await _DESTINATIONS[arn.split(":")[2]](self, mapping, arn)

    async def sqs_queue(self, mapping: EventSourceMapping, arn: str) -> Destination:
        """Imported here, as the others: most mappings have no destination."""
        from poller.destinations.sqs import SqsDestination  # noqa: PLC0415

        _, _, _, region, account, name = arn.split(":")
        transport = await self.transports.get(mapping.aws, mapping.aws.region_of("sqs", region) or region)
        url = queue_url(arn, region, account, name, mapping.aws.for_service("sqs")[0])
        return SqsDestination(arn, transport, url)

    async def sns_topic(self, mapping: EventSourceMapping, arn: str) -> Destination:
        """In the topic's region."""
        from poller.aws.cold import ColdCalls  # noqa: PLC0415
        from poller.destinations.sns import SnsDestination  # noqa: PLC0415

        return SnsDestination(arn, ColdCalls(mapping.aws, arn.split(":")[3]))

    async def s3_bucket(self, mapping: EventSourceMapping, arn: str) -> Destination:
        """In the stream's region; S3 says so where the bucket is elsewhere."""
        from poller.aws.cold import ColdCalls  # noqa: PLC0415
        from poller.destinations.s3 import S3Destination  # noqa: PLC0415

        return S3Destination(arn, ColdCalls(mapping.aws, mapping.source.region), mapping.uuid)


_APIS: dict[str, Callable[[Streams, EventSourceMapping], Awaitable[ShardApi]]] = {
    "kinesis": Streams.kinesis,
    "dynamodb": Streams.dynamodb,
}
_DESTINATIONS: dict[str, Callable[[Streams, EventSourceMapping, str], Awaitable[Destination]]] = {
    "sqs": Streams.sqs_queue,
    "sns": Streams.sns_topic,
    "s3": Streams.s3_bucket,
}


def queue_url(arn: str, region: str, account: str, name: str, endpoint_url: str | None) -> str:
    """A queue's URL as its service gives it; with an endpoint of our own only the path counts."""
    host = f"https://sqs.{region}.{dns_suffix(arn.split(':')[1])}"
    return f"{(endpoint_url or host).rstrip('/')}/{account}/{name}"


def _notify(mapping: EventSourceMapping, api: ShardApi, destination: Destination) -> Notify:
    function_arn = arn_of(mapping)

    async def notify(discarded: Discarded, shard_id: str, now: float) -> None:
        record = invocation_record(
            discarded,
            function_arn=function_arn,
            batch_info=api.batch_info(shard_id, discarded.records),
            now=now,
            request_id=str(uuid4()),
        )
        event, window = api.encoder(shard_id)(discarded.records), discarded.window
        if window is not None:
            arn, final = mapping.event_source_arn, not discarded.records
            event = with_window(event, window, shard_id=shard_id, arn=arn, final=final)
        await destination.send(record, batch_event=event, shard_id=shard_id, now=now)

    return notify


def _identity(mapping: EventSourceMapping) -> str:
    """The role the events name: as set, else the one assumed, else one that stands for whoever runs this."""
    account = mapping.source.account
    return mapping.function.invoke_identity_arn or mapping.aws.role_arn or f"arn:aws:iam::{account}:role/poller"
