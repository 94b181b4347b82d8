"""Reaching a source with every call that changes nothing: what reading it will need, as far as it can be tried."""

from poller.cli.connect.tries import Tries
from poller.configuration import EventSourceMapping
from poller.engine.parts import queue_name
from poller.engine.streams import Streams
from poller.sources.sharded.api import Position, ShardApi
from poller.sources.sqs.queue import Queue

NO_MESSAGES_HANDLE = "poller-check"
"""A receipt handle that no message has, so that what is done by it is done to nothing."""
LISTING = {"kinesis": ("kinesis:DescribeStreamSummary", "kinesis:ListShards"), "dynamodb": ("dynamodb:DescribeStream",)}
"""What describing and listing need; the last is the listing's."""


async def reach_source(mapping: EventSourceMapping, streams: Streams, tries: Tries) -> None:
    """Note in `tries` what came of it."""
    if mapping.source.kind == "sqs":
        transport = await streams.transports.get(mapping.aws, mapping.region)
        await _reach_queue(Queue(queue_name(mapping), transport), tries)
    else:
        await _reach_stream(await streams.api(mapping), mapping.source.kind, tries)
        if mapping.source.fan_out:
            tries.untried.append("kinesis:SubscribeToShard (it would end the subscription of a daemon that runs)")


async def _reach_queue(queue: Queue, tries: Tries) -> None:
    await tries.attempt("sqs:GetQueueAttributes", queue.attributes)
    await tries.attempt("sqs:DeleteMessage", lambda: queue.delete([NO_MESSAGES_HANDLE]))
    await tries.attempt("sqs:ChangeMessageVisibility", lambda: queue.change_visibility([(NO_MESSAGES_HANDLE, 0)]))
    tries.untried.append("sqs:ReceiveMessage (each receive is counted against the message)")


async def _reach_stream(api: ShardApi, kind: str, tries: Tries) -> None:
    describe, listing = LISTING[kind][0], LISTING[kind][-1]
    get_iterator, get_records = f"{kind}:GetShardIterator", f"{kind}:GetRecords"
    facts = await tries.attempt(describe, api.facts)
    if facts is not None and not facts.active:
        tries.trouble("error", "the stream is disabled or being deleted")
    shards = await tries.attempt(listing, api.shards)
    # LATEST is no place in a closed shard, for services that look closely
    shard = next((shard for shard in shards or () if not shard.closed), None)
    if shard is None:
        tries.untried.append(f"{get_iterator}, {get_records} (no open shard is known)")
        return
    iterator = await tries.attempt(get_iterator, lambda: api.iterator(shard.id, Position("LATEST")))
    if iterator is None:
        tries.untried.append(f"{get_records} (it needs an iterator)")
        return
    await tries.attempt(get_records, lambda: api.page(iterator, 1))
