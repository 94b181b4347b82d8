"""Reaching a destination without sending it anything: whether it is there, as far as one may ask."""

from poller.aws.cold import ColdCalls
from poller.cli.connect.tries import Tries
from poller.cli.permissions import DESTINATION_ACTIONS
from poller.configuration import EventSourceMapping
from poller.engine.streams import Streams, queue_url
from poller.sources.sqs.queue import Queue, QueueName

ASKING = {"sqs": "sqs:GetQueueAttributes", "sns": "sns:GetTopicAttributes", "s3": "s3:ListBucket"}
"""What tells that it is there, and is not needed otherwise."""


async def reach_destination(mapping: EventSourceMapping, arn: str, streams: Streams, tries: Tries) -> None:
    """Note in `tries` what came of it."""
    service = arn.split(":")[2]
    tries.untried.append(f"{DESTINATION_ACTIONS[service]} (it would send something)")
    await tries.ask(ASKING[service], lambda: _ASK[service](mapping, arn, streams))


async def _ask_queue(mapping: EventSourceMapping, arn: str, streams: Streams) -> None:
    _, _, _, region, account, name = arn.split(":")
    transport = await streams.transports.get(mapping.aws, mapping.aws.region_of("sqs", region) or region)
    url = queue_url(arn, region, account, name, mapping.aws.for_service("sqs")[0])
    await Queue(QueueName(arn, url, region, fifo=False), transport).attributes()


async def _ask_topic(mapping: EventSourceMapping, arn: str, _streams: Streams) -> None:
    await ColdCalls(mapping.aws, arn.split(":")[3]).call("sns", "get_topic_attributes", TopicArn=arn)


async def _ask_bucket(mapping: EventSourceMapping, arn: str, _streams: Streams) -> None:
    await ColdCalls(mapping.aws, mapping.source.region).call("s3", "head_bucket", Bucket=arn.rpartition(":")[2])


_ASK = {"sqs": _ask_queue, "sns": _ask_topic, "s3": _ask_bucket}
